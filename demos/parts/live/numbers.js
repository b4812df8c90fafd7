"use strict";
// The numbers of one unit at one step by name, and how a number is written.

// What it means that a gate is held at 0, at ½ and at 1.
const HOLDING = {
  f: ["forget all. c = i·g, and dc_prev = 0: no gradient goes back through c.",
    "keep half. Half of c_prev stays in c, and dc_prev is half of dc.",
    "keep all. c = c_prev + i·g, and dc_prev = dc: the gradient goes back through c unchanged."],
  i: ["write nothing. c = f·c_prev, and da_g = 0: no gradient reaches the candidate.",
    "write half. Half of the candidate g enters c.",
    "write all. c = f·c_prev + g."],
  g: ["the candidate is 0. c = f·c_prev, and da_i = 0: no gradient reaches the input gate.",
    "the candidate is ½. Each step adds i/2 to what is kept.",
    "the candidate is 1. Each step adds i to what is kept."],
  o: ["show nothing. h = 0, and no gradient of h reaches c.",
    "show half. h is half of tanh(c).",
    "show all. h = tanh(c)."],
};

/** Write a number in few characters; an exact 0 or 1 can be told from a number that is close to it. */
function short(value) {
  if (Number.isInteger(value) && Math.abs(value) < 100) return String(value).replace("-", "−");
  const [digits, exponent] = value.toExponential(1).split("e");
  const text = Math.abs(value) < 1e-3 ? `${digits}e${Number(exponent)}` : value.toFixed(3);
  return text.replaceAll("-", "−");
}

/** Fill an element with a number: short to read, and whole for whoever looks closer. */
function writeNumber(place, name, value) {
  place.textContent = short(value);
  place.dataset.name = name;
  place.dataset.value = value;
}

/** HTML of a number inside a line. */
const numberHTML = (name, value) => `<b class="number" data-name="${name}" data-value="${value}">${short(value)}</b>`;

/**
 * Every number of unit k in the step s that the equations and the drawing name. `column` is the
 * pixel of the row for which x and dx stand.
 */
function numbersOf(model, s, k, column) {
  const { D, H, weight_ih, weight_hh, bias } = model;
  const v = {};
  for (const [name, array] of Object.entries(s)) v[name] = array[k];
  v.x = s.x[column];
  v.dx = s.dx[column];
  v.kept = v.f * v.c_prev;
  v.written = v.i * v.g;
  // What arrives at a place inside the cell, on the way from dh and dc to the four da.
  Object.assign(v, { via_h: v.dh * v.dh_dc, dtanh_c: v.dh * v.o, do: v.dh * v.tanh_c });
  Object.assign(v, { di: v.dc * v.g, df: v.dc * v.c_prev, dg: v.dc * v.i });
  GATES.forEach((q, n) => {
    const r = n * H + k;
    v[`w_${q}·x`] = dot(row(weight_ih, r, D), s.x);
    v[`u_${q}·h_prev`] = dot(row(weight_hh, r, H), s.h_prev);
    v[`b_${q}`] = bias[r];
    v[`from_${q}`] = v[`by_${q}`] = 0; // the part of dh_prev and of dx that comes through this gate
    for (let j = 0; j < H; j += 1) {
      v[`from_${q}`] += s[`da_${q}`][j] * weight_hh[(n * H + j) * H + k];
      v[`by_${q}`] += s[`da_${q}`][j] * weight_ih[(n * H + j) * D + column];
    }
  });
  return Object.assign(v, { dW_hh: v.da_f * v.h_prev, dW_ih: v.da_f * v.x, db: v.da_f });
}
