"use strict";
// The page: what is chosen, what follows from it, and who may change it.
//
// `view` is everything that the reader has chosen. `choose` changes it; then `compute` runs the
// network where the choice asks for it, and `draw` shows the result. Beside the digit and playing,
// nothing else is kept but what `compute` and `fixedRuns` found, until the next `compute`.

const DATA = JSON.parse(element("data").textContent);
const MODEL = unpackModel(DATA);
const WORDS = DATA.words;
const PICTURES = Uint8Array.from(atob(DATA.images), (character) => character.charCodeAt(0));
const STEPS = 28, COLUMNS = 28, CLASSES = MODEL.K, UNITS = MODEL.H;
const QUANTITIES = { forward: ["i", "f", "g", "o", "c", "h"], back: ["dh", "dc", "da_i", "da_f", "da_g", "da_o"] };
const START = { digit: 7, step: 14, unit: Math.min(12, UNITS - 1), show: "f" };

const view = {
  ...START, loss: DATA.labels[START.digit], pixel: null, // null: the pixel of the row with the largest |dx|
  held: null, nudge: "pixel", by: 0.1, line: "c", tool: "draw", overlay: false, tab: "step", f: 1,
};
let x = picture(START.digit), drawn = false;
let result; // of `run`
let fixed = null; // of `fixedRuns`
let playing = null; // {timer, phase: "forward" | "backward"}

/** One of the twelve digits, as 28 rows of 28 numbers between 0 and 1. */
function picture(digit) {
  return Array.from({ length: STEPS }, (_, r) => Float64Array.from({ length: COLUMNS },
    (_, column) => PICTURES[(digit * STEPS + r) * COLUMNS + column] / 255));
}

// --- from the choice to the screen ---

function compute() {
  result = run(MODEL, x, view.loss, view.held);
  fixed = null;
}

/** The pixel that is nudged, and whose x and dx the equations show if its row is the one that is read. */
function chosenPixel() {
  if (view.pixel) return view.pixel;
  const { dx } = result.steps[view.step];
  return [view.step, dx.reduce((best, v, n) => (Math.abs(v) > Math.abs(dx[best]) ? n : best), 0)];
}

function draw() {
  const panel = view.tab === "time" ? "panel-time" : "panel-step";
  for (const id of ["panel-step", "panel-time"]) element(id).hidden = id !== panel;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const selected = tab.id === `tab-${view.tab}`;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
  }
  if (view.tab === "time") drawTimeView();
  else drawStepView();
  writeAddress();
}

function drawStepView() {
  const { steps } = result, s = steps[view.step], pixel = chosenPixel();
  const values = numbersOf(MODEL, s, view.unit, pixel[1]);

  element("row-now").textContent = `row ${view.step} is read`;
  drawDigit(element("digit").querySelector("canvas"), x, view.overlay && steps.map((step) => step.dx));
  frame(element("digit-row"), [0, view.step, COLUMNS, 1], COLUMNS, STEPS);
  frame(element("digit-pixel"), [pixel[1], pixel[0], 1, 1], COLUMNS, STEPS);
  element("digit").setAttribute("aria-label", `The digit. Chosen pixel: row ${pixel[0]}, column ${pixel[1]}, ink ${short(x[pixel[0]][pixel[1]])}`);
  const p = result.probabilities[view.step], best = drawAnswer(element("answer"), p);
  element("answer-now").textContent = `${best}, p = ${p[best].toFixed(3)}`;

  const [low, high] = ends(steps, view.show);
  drawMap(element("map").querySelector("canvas"), steps, view.show, [low, high]);
  frame(element("map-step"), [view.step, 0, 1, UNITS], STEPS, UNITS);
  frame(element("map-unit"), [0, view.unit, STEPS, 1], STEPS, UNITS);
  veil();
  element("map-now").innerHTML = `${view.show} of unit ${view.unit} at step ${view.step}: ${numberHTML(view.show, s[view.show][view.unit])}`;
  element("map").setAttribute("aria-label", `Map of ${view.show}, ${UNITS} units by ${STEPS} steps. Unit ${view.unit}, step ${view.step}: ${short(s[view.show][view.unit])}`);
  writeNumber(element("low"), "low", low);
  writeNumber(element("high"), "high", high);

  element("one-now").textContent = `unit ${view.unit}, step ${view.step}; loss −log p(${view.loss})`;
  const { held } = view, heldGate = held && (held.unit === null || held.unit === view.unit) ? held.gate : "";
  writeCell(element("cell"), values, heldGate, view.line);
  writeLines(values, heldGate);
  drawNudge(s, pixel);
  writeControls();
}

/** While playing: what is not yet computed is covered. */
function veil() {
  const back = QUANTITIES.back.includes(view.show), { step } = view;
  let covered = [0, 0, 0, 0];
  if (playing?.phase === "forward") covered = back ? [0, 0, STEPS, UNITS] : [step + 1, 0, STEPS - step - 1, UNITS];
  if (playing?.phase === "backward" && back) covered = [0, 0, step, UNITS];
  frame(element("map-veil"), covered, STEPS, UNITS);
}

function writeLines(values, heldGate) {
  const lit = LINES.findIndex((line) => line.name === view.line);
  const byLine = playing && element("pace").value === "line";
  document.querySelectorAll(".lines li").forEach((item, n) => {
    item.innerHTML = lineHTML(LINES[n], values, heldGate);
    item.classList.toggle("lit", n === lit);
    item.classList.toggle("later", Boolean(byLine) && n > lit);
    item.tabIndex = n === lit ? 0 : -1;
    item.setAttribute("aria-current", n === lit);
  });
  const line = LINES[lit], words = element("words");
  const held = heldGate && line.gate === heldGate ? ` Here ${heldGate} is held: it depends on nothing, so its derivative is 0.` : "";
  words.ariaLive = playing ? "off" : "polite";
  words.textContent = `${line.tag} ${SHOWN[line.name] ?? line.name}: ${wordsOf(line)}${held}`;
}

function drawNudge(s, pixel) {
  const { step, unit, loss, held } = view;
  const onPixel = (by) => {
    const nudged = x.map((r) => r.slice());
    nudged[pixel[0]][pixel[1]] += by;
    return lossOf(MODEL, nudged, loss, held);
  };
  const onC = (by) => lossOf(MODEL, x, loss, held, { step, unit, by });
  const [gradient, after] = view.nudge === "c" ? [s.dc[unit], onC] : [result.steps[pixel[0]].dx[pixel[1]], onPixel];
  writeNudge(element("nudge").tBodies[0], nudgeRows(gradient, after, result.loss, view.by));
  element("nudge-what").options[0].textContent = `pixel, row ${pixel[0]}, column ${pixel[1]}`;
  element("nudge-what").options[1].textContent = `c, unit ${unit}, step ${step}`;
}

/** Show in every control what is chosen. */
function writeControls() {
  const check = (name, value) => document.querySelectorAll(`input[name=${name}]`).forEach((input) => { input.checked = input.value === String(value); });
  check("show", view.show);
  check("picture", drawn ? "" : view.digit);
  check("loss", view.loss);
  check("tool", view.tool);
  check("hold", view.held ? view.held.value : "");
  element("overlay").checked = view.overlay;
  element("hold-gate").value = view.held?.gate ?? "";
  for (const control of element("hold-value").querySelectorAll("input")) control.disabled = !view.held;
  element("hold-unit").disabled = !view.held;
  element("hold-unit").value = view.held && view.held.unit !== null ? "one" : "all";
  element("hold-unit").options[1].textContent = `in unit ${view.held?.unit ?? view.unit} alone`;
  for (const [id, value] of [["step", view.step], ["step-number", view.step], ["unit-number", view.unit], ["nudge-by", view.by], ["nudge-what", view.nudge]]) {
    if (element(id) !== document.activeElement || element(id).type !== "number") element(id).value = value;
  }
  element("hold-words").textContent = view.held ? `${view.held.gate} = ${view.held.value}: ${HOLDING[view.held.gate][2 * view.held.value]}`
    : "Hold the forget gate at 0, ½ or 1, and see what becomes of memory and gradient.";
  element("play").textContent = playing ? "❚❚ Pause" : "▶ Play";
  element("play").setAttribute("aria-pressed", Boolean(playing));
}

const holding = (value) => run(MODEL, x, view.loss, { gate: "f", value, unit: null }).steps;

/** The runs that do not hang on the slider: as trained, and with f held at either end of it. */
function fixedRuns() {
  return (fixed ??= { trained: run(MODEL, x, view.loss).steps, lowest: holding(0), highest: holding(1) });
}

function drawTimeView() {
  const runs = { ...fixedRuns(), held: holding(view.f) }, { trained } = runs;
  const panels = drawTime(element("time"), runs, view.f, matchMedia("(min-width: 900px)").matches);
  element("time-f").value = view.f;
  element("time-f-now").textContent = view.f.toFixed(2);
  const mean = trained.reduce((sum, s) => sum + s.f.reduce((a, b) => a + b) / UNITS, 0) / STEPS;
  const share = (line) => numberHTML("share", line[0] / line.at(-1));
  element("time-words").innerHTML = `As trained, f is ${numberHTML("mean", mean)} on average. The loss is −log p(${view.loss}). `
    + panels.map(({ name, thin, thick }) => `‖${name}‖ at step 0 is ${share(thin)} times that at the last step as trained,`
      + ` and ${share(thick)} times with f held at ${view.f}.`).join(" ");
}

// --- the address ---

function writeAddress() {
  const { digit, step, unit, show, loss, held, pixel, nudge, by, line, overlay, tab, f } = view;
  const address = { digit, step, unit, show };
  if (loss !== DATA.labels[digit]) address.loss = loss;
  if (held) address.hold = `${held.gate}${held.value}${held.unit === null ? "" : `-${held.unit}`}`;
  if (pixel) address.pixel = pixel.join("-");
  if (nudge !== "pixel") address.nudge = nudge;
  if (by !== 0.1) address.by = by;
  if (line !== "c") address.line = line;
  if (overlay) address.overlay = 1;
  if (tab !== "step") Object.assign(address, { tab, f });
  if (drawn) address.ink = packInk(x, picture(digit));
  toAddress(address);
}

/** Take from the address what it says rightly; what it says wrongly is as if it were not there. */
function readAddress() {
  const address = fromAddress();
  const whole = (name, size, otherwise) => {
    const text = address.get(name);
    return /^\d+$/.test(text ?? "") && Number(text) < size ? Number(text) : otherwise;
  };
  const one = (name, among, otherwise) => (among.includes(address.get(name)) ? address.get(name) : otherwise);
  const number = (name, low, high, otherwise) => {
    const value = Number.parseFloat(address.get(name));
    return value >= low && value <= high ? value : otherwise;
  };
  view.digit = whole("digit", DATA.labels.length, START.digit);
  view.step = whole("step", STEPS, START.step);
  view.unit = whole("unit", UNITS, START.unit);
  view.show = one("show", [...QUANTITIES.forward, ...QUANTITIES.back], START.show);
  view.loss = whole("loss", CLASSES, DATA.labels[view.digit]);
  const [, gate, value, , unit] = /^([ifgo])(0|0\.5|1)(-(\d+))?$/.exec(address.get("hold") ?? "") ?? [];
  view.held = gate && !(unit >= UNITS) ? { gate, value: Number(value), unit: unit === undefined ? null : Number(unit) } : null;
  const pixel = /^(\d+)-(\d+)$/.exec(address.get("pixel") ?? "")?.slice(1).map(Number);
  view.pixel = pixel && pixel.every((place) => place < COLUMNS) ? pixel : null;
  view.nudge = one("nudge", ["c"], "pixel");
  view.by = number("by", -1, 1, 0.1);
  view.line = one("line", LINES.map((line) => line.name), "c");
  view.overlay = address.get("overlay") === "1";
  view.tab = one("tab", ["time"], "step");
  view.f = number("f", 0, 1, 1);
  x = picture(view.digit);
  drawn = unpackInk(x, address.get("ink") ?? "");
}

/** Change the choice and show it. `runs`: whether the network has to run again. */
function choose(change, runs = false) {
  Object.assign(view, change);
  if (runs) compute();
  draw();
}
