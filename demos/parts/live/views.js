"use strict";
// What one sees beside the cell: the digit, the answer, the map of all units and steps, the nudge.

/** Paint a canvas of one pixel a value; `paint(column, row)` gives red, green and blue. */
function paintCanvas(canvas, paint) {
  const { width, height } = canvas, context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) image.data.set([...paint(x, y), 255], 4 * (y * width + x));
  }
  context.putImageData(image, 0, 0);
}

/** Lay a frame over some cells of a picture of `columns` × `rows` cells. */
function frame(overlay, [column, row, width, height], columns, rows) {
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  Object.assign(overlay.style, {
    left: percent(column, columns), top: percent(row, rows),
    width: percent(width, columns), height: percent(height, rows),
  });
}

const largest = (arrays) => arrays.reduce((top, array) => array.reduce((m, v) => Math.max(m, Math.abs(v)), top), 0);

/** The digit in ink; with `dx`, its gradient laid over it. */
function drawDigit(canvas, x, dx) {
  const scale = dx ? largest(dx) || 1 : 1;
  paintCanvas(canvas, (column, r) => {
    const paper = 255 * (1 - x[r][column]);
    if (!dx) return [paper, paper, paper];
    const value = dx[r][column] / scale, share = Math.sqrt(Math.abs(value)) * 0.85;
    return rgb(Math.sign(value)).map((part) => part * share + (0.35 * paper + 166) * (1 - share));
  });
}

/** What the ends of the colours stand for: 0 and 1 for a gate, which is half open in the middle. */
function ends(steps, name) {
  if (["i", "f", "o"].includes(name)) return [0, 1];
  const top = largest(steps.map((step) => step[name])) || 1;
  return [-top, top];
}

/** The map: units × steps, in colours from `low` over a light middle to `high`. */
function drawMap(canvas, steps, name, [low, high]) {
  canvas.width = steps.length;
  canvas.height = steps[0][name].length;
  const middle = (low + high) / 2;
  paintCanvas(canvas, (t, k) => rgb((steps[t][name][k] - middle) / (high - middle)));
}

/** Ten bars, as the network would answer after this row. */
function drawAnswer(fieldset, p) {
  const best = p.indexOf(Math.max(...p));
  fieldset.querySelectorAll("label").forEach((label, n) => {
    label.querySelector(".bar").style.height = `${100 * p[n]}%`;
    label.classList.toggle("best", n === best);
    const number = label.querySelector(".number");
    writeNumber(number, `p${n}`, p[n]);
    number.textContent = p[n] >= 0.995 ? "1.0" : p[n].toFixed(2).slice(1);
  });
  return best;
}

/** The nudges, each ten times smaller than the one before: what the gradient says, what happens. */
function nudgeRows(gradient, lossAfter, loss, by) {
  return [by, by / 10, by / 100].map((size) => {
    const said = gradient * size, happened = lossAfter(size) - loss;
    return { by: size, said, happened, apart: happened - said };
  });
}

function writeNudge(body, rows) {
  body.innerHTML = rows.map((r) => `<tr><th scope="row">${numberHTML("by", r.by)}</th>`
    + `<td class="gradient">${numberHTML("said", r.said)}</td><td>${numberHTML("happened", r.happened)}</td>`
    + `<td>${numberHTML("apart", r.apart)}</td></tr>`).join("");
}
