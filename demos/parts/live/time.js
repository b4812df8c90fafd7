"use strict";
// The second view: how much of the gradient comes back, step by step, on a logarithmic scale.

const norm = (v) => Math.sqrt(dot(v, v));
const norms = (steps, name) => steps.map((s) => norm(s[name]));
const SUPERSCRIPT = (n) => String(n).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);

/**
 * Draw ‖dc‖ and ‖dh‖ of two runs side by side, or below each other if the page is not `wide`.
 * The scale has room for every f that can be held, so that it stays while f is moved.
 */
function drawTime(svg, { trained, held, lowest, highest }, f, wide) {
  const panels = ["dc", "dh"].map((name) => ({ name, thin: norms(trained, name), thick: norms(held, name) }));
  const all = [trained, held, lowest, highest].flatMap((steps) => [...norms(steps, "dc"), ...norms(steps, "dh")]);
  const powers = all.filter((v) => v > 0).map(Math.log10);
  const [bottom, top] = [Math.floor(Math.min(...powers)), Math.ceil(Math.max(...powers))];
  const [width, height] = wide ? [600, 480] : [380, 300];
  svg.setAttribute("viewBox", wide ? "0 0 1200 480" : "0 0 380 600");
  svg.innerHTML = panels.map((panel, n) => {
    const at = wide ? `${n * width} 0` : `0 ${n * height}`;
    return `<g transform="translate(${at})">${drawPanel(panel, f, bottom, Math.max(top, bottom + 1), width, height)}</g>`;
  }).join("");
  return panels;
}

function drawPanel({ name, thin, thick }, f, bottom, top, width, height) {
  const left = 54, right = width - 16, upper = 34, lower = height - 46, last = thin.length - 1;
  const x = (t) => left + ((right - left) * t) / last;
  const y = (v) => (v > 0 ? lower - ((lower - upper) * (Math.log10(v) - bottom)) / (top - bottom) : lower);
  const every = Math.ceil((top - bottom) / 8);
  let svg = `<text class="title" x="${left}" y="18">‖${name}‖, ${name === "dc" ? "the gradient in the memory" : "the gradient in the hidden state"}</text>`;
  for (let power = bottom; power <= top; power += every) {
    svg += `<path class="grid" d="M${left} ${y(10 ** power)}H${right}"/><text x="${left - 8}" y="${y(10 ** power) + 4}" text-anchor="end">10${SUPERSCRIPT(power)}</text>`;
  }
  for (let t = 0; t <= last; t += 9) svg += `<text x="${x(t)}" y="${lower + 18}" text-anchor="middle">${t}</text>`;
  svg += `<text x="${(left + right) / 2}" y="${lower + 36}" text-anchor="middle">step ← the gradient comes from the right</text>`;
  for (const [kind, line] of [["trained", thin], ["held", thick]]) {
    svg += `<path class="curve ${kind}" d="M${line.map((v, t) => `${x(t)} ${y(v)}`).join("L")}"/>`;
  }
  // Each curve's words stand near its left end, on the side where the other curve is not.
  const beside = (line, above) => {
    const near = line.slice(2, 2 + Math.ceil(last / 3)).map(y);
    return clamp(above ? Math.min(...near) - 9 : Math.max(...near) + 19, upper + 10, lower - 6);
  };
  const above = thin[0] >= thick[0];
  return `${svg}<text class="trained" x="${x(2)}" y="${beside(thin, above)}">as trained</text>`
    + `<text class="held" x="${x(2)}" y="${beside(thick, !above)}">f held at ${f}</text>`;
}
