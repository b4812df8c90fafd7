"use strict";
// Pointer, controls and keys: each turns what the reader does into a `choose`.

const stepTo = (step) => clamp(Math.trunc(step) || 0, 0, STEPS - 1);
const unitTo = (unit) => clamp(Math.trunc(unit) || 0, 0, UNITS - 1);
const walk = (change) => { pause(); choose(change); };

function build() {
  drawCell(element("cell"));
  for (const [kind, names] of Object.entries(QUANTITIES)) {
    const legend = kind === "back" ? "a gradient" : "a quantity";
    element("show").insertAdjacentHTML("beforeend", `<fieldset class="choices ${kind}"><legend class="unseen">Show ${legend}</legend>${
      names.map((name) => `<label><input type="radio" name="show" value="${name}"><span>${name}</span></label>`).join("")}</fieldset>`);
  }
  DATA.labels.forEach((label, n) => {
    element("pictures").insertAdjacentHTML("beforeend", `<label><input type="radio" name="picture" value="${n}" aria-label="${
      n < CLASSES ? `a ${label}` : `a ${label} that is hard to read`}"><canvas width="28" height="28"></canvas></label>`);
    drawDigit(element("pictures").lastElementChild.querySelector("canvas"), picture(n), null);
  });
  for (let n = 0; n < CLASSES; n += 1) {
    element("answer").insertAdjacentHTML("beforeend", `<label><input type="radio" name="loss" value="${n}" aria-label="loss of class ${n}">`
      + `<span class="well"><span class="bar"></span></span><b class="number"></b><span class="class">${n}</span></label>`);
  }
  for (const line of LINES) {
    element(line.part).insertAdjacentHTML("beforeend", "<li></li>");
    const item = element(line.part).lastElementChild, light = () => { if (!playing) choose({ line: line.name }); };
    item.title = wordsOf(line);
    item.addEventListener("pointerenter", light);
    item.addEventListener("click", light);
    item.addEventListener("focus", () => { if (view.line !== line.name) light(); });
  }
}

function listen() {
  const on = (id, event, act) => element(id).addEventListener(event, act);
  const chosen = (id, act) => on(id, "change", (event) => act(event.target.value, event.target));

  // The views
  for (const name of ["step", "time"]) on(`tab-${name}`, "click", () => { pause(); choose({ tab: name }); });
  document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") { otherView(); element(`tab-${view.tab}`).focus(); }
  });
  on("help-open", "click", () => element("help").showModal());

  // The digit
  chosen("pictures", (digit) => takePicture(Number(digit)));
  chosen("tool", (tool) => choose({ tool }));
  on("overlay", "change", (event) => choose({ overlay: event.target.checked }));
  on("clear", "click", clear);
  let last = null; // the pixel where the pointer was
  on("digit", "pointerdown", (event) => { element("digit").setPointerCapture(event.pointerId); last = null; strokeTo(event); });
  on("digit", "pointermove", (event) => { if (event.buttons) strokeTo(event); });
  function strokeTo(event) {
    const pixel = cellAt(event, element("digit"), COLUMNS, STEPS);
    if (view.tool !== "point") for (const place of between(last ?? pixel, pixel)) ink(place);
    last = pixel;
    choose({ pixel }, view.tool !== "point");
  }
  on("digit", "keydown", (event) => {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
    const pixel = chosenPixel();
    if (down !== undefined) choose({ pixel: [stepTo(pixel[0] + down), stepTo(pixel[1] + right)] });
    else if (event.key === " ") { ink(pixel); choose({ pixel }, true); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // The answer, the map, the steps
  chosen("answer", (loss) => choose({ loss: Number(loss) }, true));
  chosen("show", (show) => choose({ show }));
  const pointAtMap = (event) => {
    const [unit, step] = cellAt(event, element("map"), STEPS, UNITS);
    walk({ unit, step });
  };
  on("map", "pointerdown", (event) => { element("map").setPointerCapture(event.pointerId); pointAtMap(event); });
  on("map", "pointermove", (event) => { if (event.buttons) pointAtMap(event); });
  on("step", "input", (event) => walk({ step: Number(event.target.value) }));
  on("step-number", "input", (event) => walk({ step: stepTo(event.target.value) }));
  on("unit-number", "input", (event) => walk({ unit: unitTo(event.target.value) }));
  on("play", "click", togglePlay);
  on("pace", "change", () => { if (playing) { pause(); play(); } });

  // The cell
  on("cell", "click", (event) => {
    const line = event.target.closest("[data-line]")?.dataset.line;
    if (line) walk({ line });
  });
  const hold = () => {
    const gate = element("hold-gate").value, value = document.querySelector("input[name=hold]:checked")?.value ?? "0";
    const unit = element("hold-unit").value === "one" ? (view.held?.unit ?? view.unit) : null;
    choose({ held: gate ? { gate, value: Number(value), unit } : null }, true);
  };
  for (const id of ["hold-gate", "hold-value", "hold-unit"]) on(id, "change", hold);
  chosen("nudge-what", (nudge) => choose({ nudge }));
  on("nudge-by", "input", (event) => { if (Number(event.target.value)) choose({ by: clamp(Number(event.target.value), -1, 1) }); });

  // The gradient through time
  on("time-f", "input", (event) => choose({ f: Number(event.target.value) }));

  addEventListener("resize", draw);
  addEventListener("hashchange", () => { pause(); readAddress(); compute(); draw(); });
  document.addEventListener("keydown", pressed);
}

/** The row and column of a picture that a pointer is at. */
function cellAt(event, box, columns, rows) {
  const { left, top, width, height } = box.getBoundingClientRect();
  return [clamp(Math.floor(((event.clientY - top) / height) * rows), 0, rows - 1),
    clamp(Math.floor(((event.clientX - left) / width) * columns), 0, columns - 1)];
}

function ink(pixel) {
  putInk(x, pixel, view.tool === "erase");
  drawn = true;
}

function clear() {
  x.forEach((line) => line.fill(0));
  drawn = true;
  choose({}, true);
}

function takePicture(digit) {
  x = picture(digit);
  drawn = false;
  choose({ digit, loss: DATA.labels[digit], pixel: null }, true);
}

const otherView = () => { pause(); choose({ tab: view.tab === "time" ? "step" : "time" }); };

function nextLine(by) {
  const at = LINES.findIndex((line) => line.name === view.line);
  walk({ line: LINES[clamp(at + by, 0, LINES.length - 1)].name });
}

/** Hold f at 0, ½, 1, and then let go of it. */
function nextHold() {
  const values = [0, 0.5, 1], at = view.held?.gate === "f" ? values.indexOf(view.held.value) : -1;
  choose({ held: at === 2 ? null : { gate: "f", value: values[at + 1], unit: null } }, true);
}

/** Keys that work everywhere but where the focused control has its own use for them. */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
  const { target, key } = event, own = target.matches("select, input[type=number]")
    || (target.matches("input, [role=tab]") && key.startsWith("Arrow")) || (target.matches("input, button") && key === " ");
  if (own) return;
  const inStep = view.tab === "step" && {
    ArrowLeft: () => walk({ step: stepTo(view.step - 1) }), ArrowRight: () => walk({ step: stepTo(view.step + 1) }),
    ArrowUp: () => walk({ unit: unitTo(view.unit - 1) }), ArrowDown: () => walk({ unit: unitTo(view.unit + 1) }),
    " ": togglePlay, ",": () => nextLine(-1), ".": () => nextLine(1), f: nextHold, x: clear,
  };
  const act = { "?": () => element("help").showModal(), t: otherView, ...inStep }[key]
    ?? (/^\d$/.test(key) && Number(key) < CLASSES ? () => choose({ loss: Number(key) }, true) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

// --- playing: forward through the rows, then backward ---

const togglePlay = () => (playing ? pause() : play());

function play() {
  const byLine = element("pace").value === "line";
  playing = { phase: "forward", timer: setInterval(byLine ? playLine : playRow, byLine ? 450 : 300) };
  choose({ step: view.step === STEPS - 1 ? 0 : view.step, line: byLine ? LINES[0].name : "h" });
}

function pause() {
  if (!playing) return;
  clearInterval(playing.timer);
  playing = null;
  draw();
}

function playRow() {
  if (playing.phase === "forward" && view.step < STEPS - 1) choose({ step: view.step + 1, line: "h" });
  else if (playing.phase === "forward") { playing.phase = "backward"; choose({ line: "dc_prev" }); }
  else if (view.step > 0) choose({ step: view.step - 1, line: "dc_prev" });
  else pause();
}

function playLine() {
  const first = LINES.findIndex((line) => line.part !== "forward"), at = LINES.findIndex((line) => line.name === view.line);
  const { phase } = playing;
  if (at + 1 < (phase === "forward" ? first : LINES.length)) choose({ line: LINES[at + 1].name });
  else if (phase === "forward" && view.step < STEPS - 1) choose({ step: view.step + 1, line: LINES[0].name });
  else if (phase === "forward") { playing.phase = "backward"; choose({ line: LINES[first].name }); }
  else if (view.step > 0) choose({ step: view.step - 1, line: LINES[first].name });
  else pause();
}

build();
readAddress();
compute();
listen();
draw();
