"use strict";
// The LSTM of npslstm/gates.py and cell.py for one sequence: (1)-(19) by their numbers, backward
// right under forward.
//
// Shapes: T steps of D inputs, H units, K classes. x is a list of T arrays (D). Every quantity of a
// step is an array (H) under its name: step.f[k] is the forget gate of unit k. Weights lie row after
// row, as in NumPy: weight_ih (4H, D), weight_hh (4H, H) in the order i, f, g, o; head (K, H).
// dz is short for ∂loss/∂z.

const GATES = ["i", "f", "g", "o"];
// What forward computes for each unit, beside the pre-activations a_i, a_f, a_g, a_o: (2)-(8), (9)-(14).
const FORWARD = ["i", "f", "g", "o", "c", "tanh_c", "h",
  "dh_dc", "dh_dao", "dc_dai", "dc_daf", "dc_dag", "dc_dc_prev"];
const sigmoid = (z) => 0.5 + 0.5 * Math.tanh(0.5 * z);
const zeros = (n) => new Float64Array(n);

/** Return row r of a matrix that has `width` columns. */
const row = (matrix, r, width) => matrix.subarray(r * width, (r + 1) * width);

function dot(u, v) {
  let sum = 0;
  for (let j = 0; j < u.length; j += 1) sum += u[j] * v[j];
  return sum;
}

/** sum += factor · v */
function addTimes(sum, factor, v) {
  for (let j = 0; j < v.length; j += 1) sum[j] += factor * v[j];
}

/**
 * Read the sequence x, from states that are zero; return one record a step.
 *
 * held = {gate, value, unit} replaces a gate by a value, in one unit, or in all if unit is null.
 * A gate that is held depends on nothing, so its local derivative is 0.
 * nudge = {step, unit, by} adds a number to one c, to see what the loss makes of it.
 */
function forward(model, x, held = null, nudge = null) {
  const { D, H, weight_ih, weight_hh, bias } = model;
  const isHeld = (gate, k) => held?.gate === gate && (held.unit === null || held.unit === k);
  const steps = [];
  let h_prev = zeros(H), c_prev = zeros(H);
  for (let t = 0; t < x.length; t += 1) {
    const a = zeros(4 * H);
    for (let r = 0; r < 4 * H; r += 1) {
      a[r] = dot(row(weight_ih, r, D), x[t]) + dot(row(weight_hh, r, H), h_prev) + bias[r]; // (1)
    }
    const s = { x: x[t], h_prev, c_prev };
    GATES.forEach((gate, n) => { s[`a_${gate}`] = row(a, n, H); });
    for (const name of FORWARD) s[name] = zeros(H);
    for (let k = 0; k < H; k += 1) {
      const gate = (name, value) => (isHeld(name, k) ? held.value : value);
      const i = s.i[k] = gate("i", sigmoid(s.a_i[k])); // (2)
      const f = s.f[k] = gate("f", sigmoid(s.a_f[k])); // (3)
      const g = s.g[k] = gate("g", Math.tanh(s.a_g[k])); // (4)
      const o = s.o[k] = gate("o", sigmoid(s.a_o[k])); // (5)
      s.c[k] = f * c_prev[k] + i * g; // (6)
      if (nudge && nudge.step === t && nudge.unit === k) s.c[k] += nudge.by;
      const tanh_c = s.tanh_c[k] = Math.tanh(s.c[k]); // (7)
      s.h[k] = o * tanh_c; // (8)

      const slope = (name, value) => (isHeld(name, k) ? 0 : value);
      s.dh_dc[k] = o * (1 - tanh_c ** 2); // (9)
      s.dh_dao[k] = slope("o", tanh_c * o * (1 - o)); // (10)
      s.dc_dai[k] = slope("i", g * i * (1 - i)); // (11)
      s.dc_daf[k] = slope("f", c_prev[k] * f * (1 - f)); // (12)
      s.dc_dag[k] = slope("g", i * (1 - g ** 2)); // (13)
      s.dc_dc_prev[k] = f; // (14)
    }
    steps.push(s);
    ({ h: h_prev, c: c_prev } = s);
  }
  return steps;
}

/**
 * Go back through the steps of `forward` from ∂loss/∂h of the last one; write the gradients into
 * their records, and return those of the weights, summed over the steps.
 */
function backward(model, steps, dh_last) {
  const { D, H, weight_ih, weight_hh } = model;
  const grads = { weight_ih: zeros(4 * H * D), weight_hh: zeros(4 * H * H), bias: zeros(4 * H) };
  let dh = dh_last, dc_in = zeros(H);
  for (let t = steps.length - 1; t >= 0; t -= 1) {
    const s = steps[t], da = zeros(4 * H);
    GATES.forEach((gate, n) => { s[`da_${gate}`] = row(da, n, H); });
    Object.assign(s, { dh, dc_in, dc: zeros(H), dc_prev: zeros(H), dh_prev: zeros(H), dx: zeros(D) });
    for (let k = 0; k < H; k += 1) {
      s.dc[k] = dc_in[k] + dh[k] * s.dh_dc[k]; // (15) c was read by the next step and, (8), by h
      s.da_o[k] = dh[k] * s.dh_dao[k]; // (16) forward (8): h = o · tanh_c
      s.da_i[k] = s.dc[k] * s.dc_dai[k]; // (17) forward (6): c = … + i · g
      s.da_f[k] = s.dc[k] * s.dc_daf[k]; // (17) forward (6): c = f · c_prev + …
      s.da_g[k] = s.dc[k] * s.dc_dag[k]; // (17) forward (6): c = … + i · g
      s.dc_prev[k] = s.dc[k] * s.dc_dc_prev[k]; // (18) forward (6): c = f · c_prev + …
    }
    for (let r = 0; r < 4 * H; r += 1) { // (19) forward (1): a = weight_ih x + weight_hh h_prev + bias
      addTimes(s.dh_prev, da[r], row(weight_hh, r, H));
      addTimes(s.dx, da[r], row(weight_ih, r, D));
      addTimes(row(grads.weight_hh, r, H), da[r], s.h_prev);
      addTimes(row(grads.weight_ih, r, D), da[r], s.x);
      grads.bias[r] += da[r];
    }
    dh = s.dh_prev;
    dc_in = s.dc_prev;
  }
  return grads;
}

/** The head: probabilities of the classes, and −log p of one of them, from the hidden state h. */
function readOut(model, h, label) {
  const z = Array.from(model.head_bias, (b, n) => b + dot(row(model.head, n, model.H), h));
  const top = Math.max(...z);
  const total = z.reduce((sum, value) => sum + Math.exp(value - top), 0);
  const p = z.map((value) => Math.exp(value - top) / total);
  return { p, loss: Math.log(total) + top - z[label] };
}

/** Its gradient: ∂loss/∂h, from ∂loss/∂z = p − onehot(label). */
function readOutBackward(model, p, label) {
  const dh = zeros(model.H);
  p.forEach((value, n) => addTimes(dh, value - (n === label ? 1 : 0), row(model.head, n, model.H)));
  return dh;
}

/** Everything: forward, the probabilities after each step, the loss after the last, backward. */
function run(model, x, label, held = null) {
  const steps = forward(model, x, held);
  const answers = steps.map((s) => readOut(model, s.h, label)), { p, loss } = answers.at(-1);
  const grads = backward(model, steps, readOutBackward(model, p, label));
  return { steps, probabilities: answers.map((answer) => answer.p), grads, loss };
}

/** The loss alone, with one c nudged if that is asked for. */
function lossOf(model, x, label, held = null, nudge = null) {
  return readOut(model, forward(model, x, held, nudge).at(-1).h, label).loss;
}

/** Read a model: base64 of float16 numbers, array after array. Everything is computed in float64. */
function unpackModel({ D, H, K, weights }) {
  const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const half = (at) => {
    const bits = bytes[at] | (bytes[at + 1] << 8); // sign, 5 bits of exponent, 10 of fraction
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  };
  let at = 0;
  const take = (n) => Float64Array.from({ length: n }, () => half((at += 2) - 2));
  return {
    D, H, K,
    weight_ih: take(4 * H * D), weight_hh: take(4 * H * H), bias: take(4 * H),
    head: take(K * H), head_bias: take(K),
  };
}

// For Node, which tests this file alone.
if (typeof module !== "undefined") module.exports = { forward, backward, run, lossOf, unpackModel, dot, row };
