"use strict";
// The cell of one unit at one step, drawn as colah (2015) draws it: memory along the top, gates below.
// Forward goes along the solid lines, the gradient comes back beside them along the dashed ones.

const X = { f: 114, i: 208, g: 302, o: 396, h: 496 }; // columns: four gates, and where h is made
const Y = { c: 66, tanh: 122, times: 164, show: 186, gate: 240, bus: 302 }; // levels

// A wire is a way of corners, "x y x y"; it ends in an arrowhead. It belongs to a line of the calculation.
const WIRES = [
  ["forward", "c", `0 ${Y.c} ${X.f - 12} ${Y.c}`],
  ["forward", "c", `${X.f + 12} ${Y.c} ${X.g - 12} ${Y.c}`],
  ["forward", "c", `${X.g + 12} ${Y.c} 580 ${Y.c}`],
  ["forward", "f", `${X.f} 225 ${X.f} ${Y.c + 12}`],
  ["forward", "i", `${X.i} 225 ${X.i} ${Y.times} ${X.g - 12} ${Y.times}`],
  ["forward", "g", `${X.g} 225 ${X.g} ${Y.times + 12}`],
  ["forward", "c", `${X.g} ${Y.times - 12} ${X.g} ${Y.c + 12}`],
  ["forward", "tanh_c", `${X.h} ${Y.c} ${X.h} ${Y.tanh - 13}`],
  ["forward", "tanh_c", `${X.h} ${Y.tanh + 13} ${X.h} ${Y.show - 12}`],
  ["forward", "o", `${X.o} 225 ${X.o} ${Y.show} ${X.h - 12} ${Y.show}`],
  ["forward", "h", `${X.h} ${Y.show + 12} ${X.h} ${Y.bus} 580 ${Y.bus}`],
  ["forward", "", `0 ${Y.bus} ${X.o} ${Y.bus}`, "no head"],
  ["forward", "", `106 370 106 ${Y.bus}`, "no head"],
  ...GATES.map((q) => ["forward", `a_${q}`, `${X[q]} ${Y.bus} ${X[q]} 255`]),

  ["gradient", "dc", `580 ${Y.c + 7} ${X.h + 7} ${Y.c + 7}`],
  ["gradient", "dc", `${X.h - 7} ${Y.c + 7} ${X.g + 12} ${Y.c + 7}`],
  ["gradient", "dc_prev", `${X.g - 12} ${Y.c + 7} ${X.f + 12} ${Y.c + 7}`],
  ["gradient", "dc_prev", `${X.f - 12} ${Y.c + 7} 0 ${Y.c + 7}`],
  ["gradient", "dh", `580 ${Y.bus + 7} ${X.h + 7} ${Y.bus + 7} ${X.h + 7} ${Y.show + 11}`],
  ["gradient", "dc", `${X.h + 7} ${Y.show - 11} ${X.h + 7} ${Y.tanh + 14}`],
  ["gradient", "dc", `${X.h + 7} ${Y.tanh - 14} ${X.h + 7} ${Y.c + 8}`],
  ["gradient", "da_o", `${X.h - 11} ${Y.show + 7} ${X.o + 7} ${Y.show + 7} ${X.o + 7} 224`],
  ["gradient", "dc", `${X.g + 7} ${Y.c + 11} ${X.g + 7} ${Y.times - 11}`],
  ["gradient", "da_i", `${X.g - 11} ${Y.times + 7} ${X.i + 7} ${Y.times + 7} ${X.i + 7} 224`],
  ["gradient", "da_g", `${X.g + 7} ${Y.times + 11} ${X.g + 7} 224`],
  ["gradient", "da_f", `${X.f + 7} ${Y.c + 11} ${X.f + 7} 224`],
  ...GATES.map((q) => ["gradient", `da_${q}`, `${X[q] + 7} 256 ${X[q] + 7} ${Y.bus + 7}`, "no head"]),
  ["gradient", "dh_prev", `${X.o + 7} ${Y.bus + 7} 0 ${Y.bus + 7}`],
  ["gradient", "dx", `113 ${Y.bus + 7} 113 370`],
];

// What stands beside a wire: kind, the line it belongs to, the number's name, x, y, anchor, its words if not the name.
const LABELS = [
  ["forward", "", "c_prev", 4, 56, "start"],
  ["forward", "c", "kept", X.i, 56, "middle", "f·c_prev"],
  ["forward", "c", "c", 395, 56, "middle"],
  ["forward", "f", "f", X.f + 15, 146, "start"],
  ["forward", "i", "i", X.i + 15, 194, "start"],
  ["forward", "g", "g", X.g + 15, 194, "start"],
  ["forward", "c", "written", X.g - 8, 112, "end", "i·g"],
  ["forward", "tanh_c", "tanh_c", X.h - 9, 147, "end"],
  ["forward", "o", "o", X.o + 10, 180, "start"],
  ["forward", "h", "h", 576, 293, "end"],
  ["forward", "", "h_prev", 4, 293, "start"],
  ["forward", "", "x", 121, 365, "start"],
  ...GATES.map((q) => ["forward", `a_${q}`, `a_${q}`, X[q] + 13, 273, "start"]),

  ["gradient", "dc", "dc_in", X.h + 15, 89, "start", "dc_in", "below"],
  ["gradient", "dc", "dc", X.g + 20, 90, "start"],
  ["gradient", "dc_prev", "dc_prev", 4, 90, "start"],
  ["gradient", "dc", "via_h", X.h - 9, 105, "end", "dh·∂h/∂c"],
  ["gradient", "dc", "dtanh_c", X.h - 9, 162, "end", "dtanh_c"],
  ["gradient", "da_o", "do", X.o + 15, 209, "start"],
  ["gradient", "da_i", "di", X.i + 15, 211, "start"],
  ["gradient", "da_g", "dg", X.g + 15, 211, "start"],
  ["gradient", "da_f", "df", X.f + 15, 163, "start"],
  ...GATES.map((q) => ["gradient", `da_${q}`, `da_${q}`, X[q] + 13, 290, "start"]),
  ["gradient", "dh", "dh", 576, 326, "end"],
  ["gradient", "dh_prev", "dh_prev", 4, 326, "start"],
  ["gradient", "dx", "dx", 100, 365, "end"],
];

/** Draw the cell once; `writeCell` puts numbers into it. */
function drawCell(svg) {
  const wire = ([kind, line, way, head]) => {
    const [x, y, ...rest] = way.split(" ");
    const end = head ? "" : ` marker-end="url(#${kind}-head)"`;
    return `<path class="wire ${kind}" data-line="${line}" d="M${x} ${y}L${rest.join(" ")}"${end}/>`;
  };
  const head = (kind) => `<marker id="${kind}-head" class="${kind}" viewBox="0 0 8 8" refX="7" refY="4"`
    + ' markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>';
  const operation = (x, y, sign, line) => `<g data-line="${line}"><circle class="part" cx="${x}" cy="${y}" r="12"/>`
    + `<text class="sign" x="${x}" y="${y + 5}">${sign}</text></g>`;
  const gate = (q) => `<g class="gate" data-gate="${q}" data-line="${q}"><rect class="part" x="${X[q] - 25}" y="225" width="50" height="30" rx="4"/>`
    + `<rect class="open" x="${X[q] - 24}" y="226" width="48" height="28"/>`
    + `<rect class="frame" x="${X[q] - 25}" y="225" width="50" height="30" rx="4"/>`
    + `<text class="sign" x="${X[q]}" y="${Y.gate + 5}">${q === "g" ? "tanh" : "σ"}</text></g>`;
  const label = ([kind, line, name, x, y, anchor, words = name, below]) =>
    `<text class="label ${kind}" data-line="${line}" x="${x}" y="${y}" text-anchor="${anchor}">${words}`
    + (below ? `<tspan x="${x}" dy="15"` : ' <tspan') + ` class="number" data-name="${name}"></tspan></text>`;
  svg.innerHTML = `<defs>${head("forward")}${head("gradient")}</defs>`
    + '<rect class="body" x="58" y="28" width="486" height="310" rx="16"/>'
    + WIRES.map(wire).join("")
    + operation(X.f, Y.c, "×", "c") + operation(X.g, Y.c, "+", "c")
    + operation(X.g, Y.times, "×", "c") + operation(X.h, Y.show, "×", "h")
    + `<g data-line="tanh_c"><ellipse class="part" cx="${X.h}" cy="${Y.tanh}" rx="27" ry="13"/><text class="sign" x="${X.h}" y="${Y.tanh + 5}">tanh</text></g>`
    + GATES.map(gate).join("") + LABELS.map(label).join("");
}

/** Put the numbers in, show how far each gate is open and which is held, and light one line up. */
function writeCell(svg, values, heldGate, litLine) {
  for (const place of svg.querySelectorAll(".number")) {
    writeNumber(place, place.dataset.name, values[place.dataset.name]);
  }
  for (const gate of svg.querySelectorAll(".gate")) {
    const value = values[gate.dataset.gate], signed = gate.dataset.gate === "g";
    const size = Math.abs(value) * (signed ? 14 : 28); // g goes up or down from the middle
    const open = gate.querySelector(".open");
    open.setAttribute("y", signed ? (value > 0 ? Y.gate - size : Y.gate) : 254 - size);
    open.setAttribute("height", size);
    gate.classList.toggle("held", gate.dataset.gate === heldGate);
  }
  for (const part of svg.querySelectorAll("[data-line]")) {
    part.classList.toggle("lit", part.dataset.line !== "" && part.dataset.line === litLine);
  }
}
