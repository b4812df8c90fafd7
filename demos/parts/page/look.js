"use strict";
// What the demos' pages share.

const element = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** The red, green and blue of a value: orange for −1, white for 0, blue for 1. */
function rgb(value) {
  const end = value < 0 ? [240, 140, 40] : [80, 160, 230];
  const size = Math.min(1, Math.abs(value));
  return end.map((part) => Math.round(255 + (part - 255) * size));
}
const colour = (value) => `rgb(${rgb(value).join(", ")})`;

/** The address keeps the view, so that a link can show it: #name=value&… */
const fromAddress = () => new URLSearchParams(location.hash.slice(1));
function toAddress(view) {
  const address = `#${new URLSearchParams(view)}`;
  if (address !== location.hash) history.replaceState(null, "", address);
}
