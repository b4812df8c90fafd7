"use strict";
// Drawing on the digit, and keeping in the address what was drawn.

const PEN = [[0, 0, 1], [0, 1, 0.6], [1, 0, 0.6], [0, -1, 0.3], [-1, 0, 0.3]]; // row, column, ink
const INKS = [0, 0.3, 0.6, 1];

/** Draw or erase at a pixel, and a little around it. */
function putInk(x, [r, column], erase) {
  for (const [down, right, ink] of PEN) {
    const line = x[r + down], place = column + right;
    if (!line || place < 0 || place >= line.length) continue;
    line[place] = erase ? 0 : Math.max(line[place], ink);
  }
}

/** The pixels between two, so that a fast stroke has no gaps. */
function* between([r0, c0], [r1, c1]) {
  const count = Math.max(Math.abs(r1 - r0), Math.abs(c1 - c0), 1);
  for (let n = 1; n <= count; n += 1) yield [Math.round(r0 + ((r1 - r0) * n) / count), Math.round(c0 + ((c1 - c0) * n) / count)];
}

/** What differs from the picture, as runs of equal pixels: a letter (a: as it was, b to e: its ink) and a count. */
function packInk(x, original) {
  const letters = x.flatMap((line, r) => Array.from(line, (ink, n) => (ink === original[r][n] ? "a" : "bcde"[INKS.indexOf(ink)])));
  return letters.join("").replace(/(.)\1*/g, (same) => same[0] + (same.length > 1 ? same.length : ""));
}

/** Put into x what `packInk` wrote; return whether there was anything. */
function unpackInk(x, text) {
  if (!/^([a-e]\d{0,3})+$/.test(text)) return false;
  const letters = text.replace(/(.)(\d+)/g, (_, letter, count) => letter.repeat(Number(count)));
  x.forEach((line, r) => line.forEach((_, n) => {
    const ink = INKS["bcde".indexOf(letters[r * line.length + n] ?? "a")];
    if (ink !== undefined) line[n] = ink;
  }));
  return true;
}
