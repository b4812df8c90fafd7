"""What the live page looks like on a laptop and on a phone, and to whoever hears it."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from browser import LAPTOP, PHONE
from live_page import PAGE, go

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser):
    browser.open(PAGE)
    return browser


def boxes(page, selector):
    script = """
      return [...document.querySelectorAll(arguments[0])].map((e) => {
        const { left, top, right, bottom } = e.getBoundingClientRect();
        return [e.textContent, left, top + scrollY, right, bottom + scrollY];
      });
    """
    return page.run(script, selector)


VIEWS = [
    {},
    {"digit": 11, "step": 27, "unit": 5, "show": "dc", "hold": "f0", "line": "dc_daf"},
    {"digit": 4, "step": 0, "unit": 63, "loss": 1, "hold": "g0.5", "line": "dh_prev"},
    {"digit": 10, "step": 9, "unit": 31, "overlay": 1, "line": "da_o"},
]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_laptop_shows_all_at_once(page, view):
    go(page, **view)
    width, height = page.run("return [document.documentElement.scrollWidth, "
                             "document.documentElement.scrollHeight]")  # fmt: skip
    assert (width, height) <= LAPTOP
    assert height <= LAPTOP[1]
    parts = "#digit, #answer, #map, #cell, #forward, #local, #backward, #nudge, #words"
    for text, left, top, right, bottom in boxes(page, parts):
        assert 0 <= left < right <= LAPTOP[0], text
        assert 0 <= top < bottom <= LAPTOP[1], text


def test_no_number_is_cut_off(page):
    cut = page.run("""
      const cut = new Set(), text = document.createRange();
      const width = (part) => part.getBoundingClientRect().width;
      for (let n = 0; n < 60; n += 1) {
        view.unit = (n * 11) % UNITS;
        view.step = (n * 5) % STEPS;
        if (n % 5 === 0) {
          x = picture(n / 5);
          view.loss = (n * 3) % CLASSES;
          compute();
        }
        draw();
        for (const part of document.querySelectorAll(".lines .formula, .lines .put-in")) {
          text.selectNodeContents(part);
          if (width(text) > width(part)) cut.add(part.textContent);
        }
      }
      return [...cut];
    """)
    assert cut == []


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_phone_shows_one_below_the_other(browser, view):
    address = "#" + "&".join(f"{name}={value}" for name, value in view.items())
    browser.open(PAGE, address, PHONE)
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE[0]
    order = "#digit, #answer, #map, #cell, #forward, #local, #nudge, #backward"
    places = boxes(browser, order)
    for text, left, _, right, _ in places:
        assert 0 <= left < right <= PHONE[0], text
    for (_, _, _, _, bottom), (text, _, top, _, _) in itertools.pairwise(places):
        assert bottom <= top, text
    browser.run("choose({ tab: 'time' })")
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_nothing_is_printed_over_anything(browser, size):
    browser.open(PAGE, size=size)
    for view in VIEWS:
        go(browser, **view)
        labels = boxes(browser, "#cell .label, #cell .sign")
        for a, b in itertools.combinations(labels, 2):
            across = min(a[3], b[3]) - max(a[1], b[1])
            down = min(a[4], b[4]) - max(a[2], b[2])
            assert across <= 0.5 or down <= 3.5, (a, b)  # a line's box is higher than its letters
        for f in (0, 0.5, 0.9, 1):
            browser.run("choose({ tab: 'time', f: arguments[0] })", f)
            [a, b] = boxes(browser, "#time g:first-child :is(.trained, .held):is(text)")
            assert min(a[4], b[4]) - max(a[2], b[2]) <= 3 or min(a[3], b[3]) <= max(a[1], b[1])


# The contrast of each text with what lies under it, by WCAG 2's formula.
CONTRAST = """
  const channel = (v) => (v <= 10.31 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const under = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (at.closest("svg") && style.strokeWidth === "6px") return numbers(style.stroke); // lit
      if (at.id === "cell") return numbers(getComputedStyle(at.querySelector(".body")).fill);
      const [r, g, b, alpha = 1] = numbers(style.backgroundColor);
      if (alpha > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility()) continue;
    if (e.closest("script, style, :disabled, .sign")) continue;
    const style = getComputedStyle(e), text = e.closest("svg") ? style.fill : style.color;
    const [darker, lighter] = [light(numbers(text)), light(under(e))].sort((a, b) => a - b);
    found.push([(lighter + 0.05) / (darker + 0.05), e.textContent]);
  }
  return found;
"""


def test_text_has_the_contrast_of_wcag_aa(page):
    page.keys("?")
    for view in (*VIEWS, {"tab": "time"}):
        go(page, **view)
        for ratio, text in page.run(CONTRAST):
            assert ratio >= 4.5, text
    assert len(page.run(CONTRAST)) > 20


# What eyes without red or green cones see of a linear RGB colour: Viénot, Brettel & Mollon (1999).
BLIND = {
    "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


@pytest.mark.parametrize("eye", BLIND)
def test_forward_and_gradient_are_told_apart_by_eyes_without_a_kind_of_cones(page, eye):
    names = "return ['forward', 'gradient'].map((name) => "
    style = "getComputedStyle(document.querySelector(`#cell .label.${name}`)).fill)"
    colours = [re.findall(r"\d+", fill) for fill in page.run(names + style)]
    linear = (np.array(colours, float) / 255) ** 2.2
    seen = 255 * np.clip(linear @ np.transpose(BLIND[eye]), 0, 1) ** (1 / 2.2)
    assert np.linalg.norm(seen[0] - seen[1]) > 80


def test_whoever_hears_the_page_hears_what_each_control_is(page):
    selector = "#panel-step [tabindex], input, select, button"
    controls = page.driver.find_elements("css selector", selector)
    names = {}
    for control in controls:
        if control.is_displayed() or control.get_attribute("type") == "radio":
            names.setdefault(control.accessible_name, []).append(control)
    assert "" not in names
    assert len(controls) > 60
    assert "unit 12, step 14" in page.find("#one-now").text
    assert "Unit 12, step 14: 0." in page.find("#map").accessible_name
