"use strict";
// The lines of the calculation in their order, (1)-(19), for one unit k at one step.
//
// A formula is written once, with names as in gates.py. Shown as it is, it is the equation; with each name replaced by its
// number, it is the calculation. WORDS holds what gates.py says of an equation, by its left side as
// it is written there; `more` is what the page adds.

const EACH_GATE = { i: "input", f: "forget", g: "candidate", o: "output" };
const LINES = [
  ...Object.entries(EACH_GATE).map(([q, word]) => ({
    part: "forward", tag: "(1)", name: `a_${q}`, formula: `w_${q}·x + u_${q}·h_prev + b_${q}`,
    more: `Pre-activation ${q === "g" ? "of the candidate" : `of the ${word} gate`}: a weighted sum of`
      + " the row of pixels x, plus one of what all units showed at the step before, h_prev, plus a bias.",
  })),
  { part: "forward", tag: "(2)", name: "i", gate: "i", formula: "σ(a_i)", more: "0 writes nothing, 1 writes all of it." },
  { part: "forward", tag: "(3)", name: "f", gate: "f", formula: "σ(a_f)", more: "0 forgets all, 1 keeps all." },
  { part: "forward", tag: "(4)", name: "g", gate: "g", formula: "tanh(a_g)", more: "What could be written, between −1 and 1." },
  { part: "forward", tag: "(5)", name: "o", gate: "o", formula: "σ(a_o)", more: "0 shows nothing, 1 shows all of it." },
  { part: "forward", tag: "(6)", name: "c", formula: "f·c_prev + i·g", more: "What is kept of the old, plus what is written of the new." },
  { part: "forward", tag: "(7)", name: "tanh_c", formula: "tanh(c)", more: "The memory, brought between −1 and 1." },
  { part: "forward", tag: "(8)", name: "h", formula: "o·tanh_c", more: "All units read it at the next step; the answer is read from the last one." },

  { part: "local", tag: "(9)", name: "dh_dc", formula: "o·(1 − tanh_c²)", more: "How much h moves when c moves a little." },
  { part: "local", tag: "(10)", name: "dh_dao", gate: "o", formula: "tanh_c·o·(1 − o)", more: "How much h moves when a_o moves a little. 0 if o is at 0 or at 1." },
  { part: "local", tag: "(11)", name: "dc_dai", gate: "i", formula: "g·i·(1 − i)", more: "How much c moves when a_i moves a little. 0 if i is at 0 or at 1." },
  { part: "local", tag: "(12)", name: "dc_daf", gate: "f", formula: "c_prev·f·(1 − f)", more: "How much c moves when a_f moves a little. 0 if f is at 0 or at 1." },
  { part: "local", tag: "(13)", name: "dc_dag", gate: "g", formula: "i·(1 − g²)", more: "How much c moves when a_g moves a little." },
  { part: "local", tag: "(14)", name: "dc_dc_prev", formula: "f", more: "How much c moves when the old memory moves: the forget gate itself." },

  { part: "backward", tag: "", name: "dh", formula: "", more: "The gradient that arrives at h: at the last step from the answer, before that from (19) of the next step." },
  { part: "backward", tag: "(15)", name: "dc", formula: "dc_in + dh·dh_dc", more: "dc_in comes from (18) of the next step; at the last step it is 0." },
  { part: "backward", tag: "(16)", name: "da_o", formula: "dh·dh_dao", more: "The output gate acts on h, so its gradient comes from dh." },
  { part: "backward", tag: "(17)", name: "da_i", formula: "dc·dc_dai", more: "The input gate acts on c, so its gradient comes from dc." },
  { part: "backward", tag: "(17)", name: "da_f", formula: "dc·dc_daf", more: "The forget gate acts on c, so its gradient comes from dc." },
  { part: "backward", tag: "(17)", name: "da_g", formula: "dc·dc_dag", more: "The candidate acts on c, so its gradient comes from dc." },
  { part: "backward", tag: "(18)", name: "dc_prev", formula: "dc·dc_dc_prev", more: "With f = 1 the gradient passes unchanged, with f = 0 nothing passes." },
  { part: "backward", tag: "(19)", name: "dh_prev", formula: "from_i + from_f + from_g + from_o", as: "da·W_hh", more: "h_prev was read by the four gates of all units, so their da come back, each times its weight: one sum for each gate." },
  { part: "backward", tag: "(19)", name: "dx", formula: "by_i + by_f + by_g + by_o", as: "da·W_ih", more: "The same for the chosen column of the row of pixels: how the loss moves when this pixel gets darker." },
  { part: "backward", tag: "(19)", name: "dW_hh", formula: "da_f·h_prev", more: "What this step adds to the gradient of one weight: from this unit's h_prev to its own forget gate." },
  { part: "backward", tag: "(19)", name: "dW_ih", formula: "da_f·x", more: "What this step adds to the gradient of one weight: from the chosen pixel of this row to this unit's forget gate." },
  { part: "backward", tag: "(19)", name: "db", formula: "da_f", more: "What this step adds to the gradient of the forget gate's bias." },
];

const SHOWN = { dh_dc: "∂h/∂c", dh_dao: "∂h/∂a_o", dc_dai: "∂c/∂a_i", dc_daf: "∂c/∂a_f", dc_dag: "∂c/∂a_g",
  dc_dc_prev: "∂c/∂c_prev" };
const ADDED = new Set(["dW_hh", "dW_ih", "db"]); // each step adds its part to these

/** Split a formula into names that have a number, and what stands between them. */
function parts(formula, values) {
  const names = Object.keys(values).sort((a, b) => b.length - a.length).join("|");
  return formula.split(new RegExp(`(?<![\\w∂])(${names})(?!\\w)`));
}

/** HTML of a line: its equation, the same with numbers put in, its value; no equation where its gate is held. */
function lineHTML(line, values, heldGate) {
  const { tag, name, formula } = line, pieces = (line.pieces ??= parts(formula, values));
  const held = heldGate !== "" && line.gate === heldGate;
  const equation = line.as ?? pieces.map((piece) => SHOWN[piece] ?? piece).join("");
  const numbers = pieces.map((piece, n) => {
    if (n % 2 === 0) return values[pieces[n + 1]] < 0 ? piece.replace(/\+ $/, "") : piece;
    const number = numberHTML(piece, values[piece]);
    if (values[piece] >= 0) return number;
    if (pieces[n - 1].endsWith("+ ")) return number.replace(">−", ">− "); // a + (−b) is a − b
    return /[−·]\s*$/.test(pieces[n - 1]) || pieces[n + 1].startsWith("²") ? `(${number})` : number;
  }).join("");
  const said = !formula ? "from what reads h" : held ? `${line.gate} is held` : (ADDED.has(name) ? "+= " : "= ") + equation;
  return `<span class="tag">${tag}</span><span class="name">${SHOWN[name] ?? name}</span>`
    + `<span class="formula">${said}</span><span class="put-in">${held ? "" : numbers}</span>`
    + `<span class="value">${numberHTML(name, values[name])}</span>`;
}

/** What a line does, in plain words. */
const wordsOf = (line) => [WORDS[SHOWN[line.name] ?? line.name], line.more].filter(Boolean).join(". ").replace("..", ".");
