"""The live page in a real browser: every number, every control."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from live_page import DEMOS, PAGE, expected, go, number

from npslstm.losses import cross_entropy

pytestmark = pytest.mark.browser

CLOSE = {"rel": 1e-9, "abs": 1e-12}
# Every number that stands in the step view, by its name, where it stands, as it is shown.
NUMBERS = """
  return [...document.querySelectorAll("#panel-step [data-value]")].map((place) =>
    [place.dataset.name, Number(place.dataset.value), place.textContent, place.closest("[id]").id]);
"""


@pytest.fixture
def page(browser):
    """The page as it opens, on a laptop; in the end it must not have asked or complained."""
    browser.open(PAGE)
    yield browser
    assert browser.requests() == []
    assert browser.complaints() == []


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DEMOS)
        from parts.live.builder import read_model
    return read_model(PAGE.read_text("utf-8"))


def image(page):
    return np.array(page.run("return x.map((row) => Array.from(row))"))


def as_shown(value):
    """Write a number as the page does."""
    if value == int(value):
        return str(int(value)).replace("-", "−")
    if abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return f"{value:.3f}".replace("-", "−")


# --- the numbers ---


@pytest.mark.parametrize("digit", range(10))
def test_every_number_equals_npslstm(page, model, digit):
    rng = np.random.default_rng(digit)
    label = int(rng.integers(10))
    go(page, digit=digit, loss=label)
    want = expected(model, image(page), label)
    got = page.run("return Object.fromEntries(Object.keys(result.steps[0]).map((name) => "
                   "[name, result.steps.map((s) => Array.from(s[name]))]))")  # fmt: skip
    for name, array in got.items():
        whole = getattr(want, name) if name in ("x", "dx") else want.steps[name]
        np.testing.assert_allclose(array, whole, rtol=1e-9, atol=1e-12, err_msg=name)

    for show in ("f", "c", "dh", "da_i"):
        step, unit, row, column = (int(rng.integers(n)) for n in (28, 64, 28, 28))
        step = int(rng.choice([0, 27, step]))
        view = {"digit": digit, "loss": label, "step": step, "unit": unit, "show": show}
        go(page, **view, pixel=f"{row}-{column}")
        top = np.abs(want.steps[show]).max()
        ends = {"low": 0, "high": 1} if show == "f" else {"low": -top, "high": top}
        seen = page.run(NUMBERS)
        for name, value, text, place in seen:
            if place == "nudge":
                continue
            if place == "answer":
                right, shown = want.p[step, int(name[1:])], None
            elif name in ends:
                right, shown = ends[name], as_shown(value)
            else:
                right, shown = number(want, name, step, unit, column), as_shown(value)
            assert value == pytest.approx(right, **CLOSE), (name, place)
            if shown is not None:
                assert text.replace("− ", "−") == shown, (name, place)
        places = [place for *_, place in seen]
        assert [places.count(p) for p in ("forward", "local", "backward")] == [34, 20, 38]
        assert places.count("cell") == 32


def test_the_equations_are_right_as_they_are_printed(page):
    """Calculate what stands there, as a reader would who has the numbers to all their digits."""
    for step, unit in ((0, 5), (13, 63), (27, 12)):
        go(page, digit=3, step=step, unit=unit, loss=5)
        lines = page.run("""
          const whole = (place) => { // a number that has swallowed the plus before it gets it back
            const plus = place.textContent.startsWith("− ") ? "+" : "";
            place.textContent = `${plus}(${place.dataset.value})`;
          };
          return LINES.map((line, n) => {
            const item = document.querySelectorAll(".lines li")[n].cloneNode(true);
            item.querySelectorAll(".number").forEach(whole);
            const text = (part) => item.querySelector(part).textContent;
            return [line.name, text(".put-in"), text(".value")];
          });
        """)
        for name, put_in, value in lines:
            if name == "dh":
                continue
            calculation = put_in.replace("·", "*").replace("²", "**2").replace("−", "-")
            known = {"σ": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh}
            assert eval(calculation, known) == pytest.approx(eval(value), **CLOSE), name


def test_the_nudges_agree_with_the_gradient(page, model):
    for what, by, held in itertools.product(("pixel", "c"), ("0.1", "-0.4"), ("", "f0.5")):
        go(page, digit=7, loss=3, step=20, unit=40, pixel="9-15", nudge=what, by=by, hold=held)
        rows = [value for name, value, _, place in page.run(NUMBERS) if place == "nudge"]
        by_, said, happened, apart = np.array(rows).reshape(3, 4).T
        np.testing.assert_allclose(by_, float(by) / 10.0 ** np.arange(3))
        gradient = page.run("const s = result.steps; return [s[9].dx[15], s[20].dc[40]]")
        np.testing.assert_allclose(said, gradient[what == "c"] * by_, rtol=1e-9)
        np.testing.assert_allclose(apart, happened - said, atol=1e-15)
        # Ten times smaller, a hundred times closer: the gradient is right to first order.
        assert abs(apart[2] / said[2]) < 0.02
        np.testing.assert_allclose(apart[1] / apart[2], 100, rtol=0.1)
        if what == "pixel" and not held:
            losses = []
            for change in (0, *by_):
                x = image(page)
                x[9, 15] += change
                losses.append(float(cross_entropy(model(x[:, None])[0], [3])[0]))
            np.testing.assert_allclose(happened, np.array(losses[1:]) - losses[0], atol=1e-9)


def test_f_held_at_0_lets_no_gradient_through_the_memory(page):
    page.choose("#hold-gate", "f")
    assert "hold=f0" in page.run("return location.hash")
    assert page.run("return result.steps.every((s) => s.dc_prev.every((v) => v === 0))")
    assert page.run("return result.steps[27].dc.some((v) => v !== 0)")
    shown = {(name, place): text for name, _, text, place in page.run(NUMBERS)}
    assert shown["dc_prev", "backward"] == shown["dc_prev", "cell"] == "0"
    assert shown["c", "cell"] == shown["written", "cell"]
    assert "forget all" in page.find("#hold-words").text
    page.find("#hold-value label:nth-of-type(3)").click()  # at 1: all of it goes through
    share = "return result.steps.every((s) => s.dc_prev.every((v, k) => v === s.dc[k] * {}))"
    assert page.run(share.format(1))
    page.find("#hold-value label:nth-of-type(2)").click()
    assert page.run(share.format(0.5))
    page.choose("#hold-unit", "one")
    halves = page.run("return result.steps.map((s) => Array.from(s.f, (v) => v === 0.5))")
    assert np.array(halves)[:, 12].all()
    assert np.sum(halves) == 28
    assert "hold=f0.5-12" in page.run("return location.hash")


def test_the_map_and_the_digit_show_the_numbers_as_colours(page):
    def colours(selector, width, height):
        data = page.run(f"""
          const copy = new OffscreenCanvas({width}, {height}).getContext("2d");
          copy.drawImage(document.querySelector("{selector}"), 0, 0);
          return Array.from(copy.getImageData(0, 0, {width}, {height}).data);
        """)
        return np.array(data, float).reshape(height, width, 4)[:, :, :3]

    def values(name):
        return np.array(page.run(f"return result.steps.map((s) => Array.from(s.{name}))"))

    for show in ("dc", "f"):
        go(page, digit=2, show=show, overlay=1)
        v = values(show).T
        v = 2 * v - 1 if show == "f" else v / np.abs(v).max()  # a gate that is half open is white
        end = np.where(v[..., None] < 0, [240, 140, 40], [80, 160, 230])
        want = 255 + (end - 255) * np.abs(v)[..., None]
        np.testing.assert_allclose(colours("#map canvas", 28, 64), want, atol=1)
    dx = values("dx")
    bluer = colours("#digit canvas", 28, 28) @ [-1, 0, 1]
    large = np.abs(dx) > 0.1 * np.abs(dx).max()
    assert (np.sign(dx) * bluer)[large].min() > 10  # blue where more ink raises the loss


# --- what one does ---


def answer(page):
    return np.array(page.run("return result.probabilities[27]"))


def test_drawing_changes_the_answer_and_the_address_keeps_it(page):
    page.find("#clear").click()
    assert not image(page).any()
    empty = answer(page)
    page.drag("#digit", (0.25, 0.2), (0.7, 0.2), (0.5, 0.5), (0.4, 0.85))
    drawn, after = image(page), answer(page)
    assert (drawn[5, 7:19] == 1).all()  # without gaps
    assert drawn.max(axis=1)[5:24].min() == 1
    assert empty.argmax() != after.argmax() == 7
    page.find("#tool label:nth-of-type(2)").click()
    page.drag("#digit", (0.3, 0.2), (0.6, 0.2))
    assert (image(page)[5, 9:17] == 0).all()
    address, kept = page.run("return location.hash"), image(page)
    page.open(PAGE, address)
    assert np.array_equal(image(page), kept)
    page.find("#pictures label:nth-of-type(5) input").click()
    assert "ink" not in page.run("return location.hash")
    assert answer(page).argmax() == 4


def test_pointing_chooses_a_pixel_a_unit_a_line(page):
    page.find("#tool label:nth-of-type(3)").click()
    before = image(page)
    page.drag("#digit", (10.5 / 28, 3.5 / 28))
    assert np.array_equal(image(page), before)
    assert "pixel, row 3, column 10" in page.find("#nudge-what").text
    page.drag("#map", (20.5 / 28, 33.5 / 64))
    assert "step=20&unit=33" in page.run("return location.hash")
    assert "unit 33, step 20" in page.find("#one-now").text
    for line in page.run("return LINES.map((line) => line.name)"):
        item = f"LINES.findIndex((line) => line.name === '{line}')"
        page.run(f"document.querySelectorAll('.lines li')[{item}].click()")
        lit = page.run("return [...document.querySelectorAll('.lines li.lit .name')].map("
                       "(name) => name.textContent)")  # fmt: skip
        assert len(lit) == 1
        words = page.find("#words").text
        assert f" {lit[0]}: " in f" {words}"
        assert len(words) > 20
    page.hover("#local li:nth-of-type(4)")
    assert page.find(".lines li.lit .name").text == "∂c/∂a_f"
    page.run("document.querySelector('#cell text[data-line=da_f]').dispatchEvent("
             "new MouseEvent('click', { bubbles: true }))")  # fmt: skip
    assert page.find(".lines li.lit .name").text == "da_f"
    page.find("#answer label:nth-of-type(10) input").click()
    assert "loss=9" in page.run("return location.hash")


def test_all_of_it_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_DOWN, "3", ".", ".")
    assert page.run("return [view.step, view.unit, view.loss, view.line]") == [15, 13, 3, "h"]
    held = []
    for _ in range(4):
        page.keys("f")
        held.append(page.run("return view.held && view.held.value"))
    assert held == [0, 0.5, 1, None]
    page.keys("?")
    assert page.find("#help").is_displayed()
    page.keys(Keys.ESCAPE)
    assert not page.find("#help").is_displayed()
    page.keys("x")
    assert not image(page).any()

    def tab_to(condition):
        for _ in range(60):
            page.keys(Keys.TAB)
            if page.run(f"return document.activeElement.matches({condition!r})"):
                return
        raise AssertionError(f"Tab does not reach {condition}")

    tab_to("#digit")
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, " ")
    assert image(page).any()
    tab_to("#pictures input")
    page.keys(Keys.ARROW_RIGHT)
    tab_to("#answer input")
    tab_to("#show input")
    page.keys(Keys.ARROW_RIGHT)
    assert page.run("return view.show") == "g"
    tab_to("#map")
    page.keys(Keys.ARROW_UP)
    assert page.run("return view.unit") == 12
    for place in ("#step", "#play", "#hold-gate", ".lines li", "#nudge-what", "#nudge-by"):
        tab_to(place)
    page.keys(Keys.ARROW_UP)
    assert page.run("return view.by") == 0.2
    tab_to("[role=tab]")
    page.keys(Keys.ARROW_RIGHT)
    assert page.find("#panel-time").is_displayed()


# Play fast, and note what is shown on the way.
NOTE = """
  const shown = draw, every = window.setInterval;
  window.seen = [];
  draw = () => { shown(); if (playing) seen.push([playing.phase, view.step, view.line]); };
  window.setInterval = (act) => every(act, 1);
"""


def test_playing_goes_forward_through_the_rows_and_then_back(page):
    page.run(NOTE)
    go(page, digit=5, step=27)
    page.find("#play").click()
    wait(page, "return !playing")
    seen = page.run("return seen")
    assert [step for phase, step, _ in seen if phase == "forward"] == list(range(28))
    assert [step for phase, step, _ in seen if phase == "backward"] == list(range(27, -1, -1))


def test_playing_line_by_line_lights_each_line_once_in_order(page):
    page.run(NOTE)
    page.choose("#pace", "line")
    go(page, step=26)
    page.find("#play").click()
    wait(page, "return seen.some(([, step]) => step === 25)")
    page.find("#play").click()
    lines = page.run("return LINES.map((line) => [line.part === 'forward', line.name])")
    forward, back = ([n for f, n in lines if f is way] for way in (True, False))
    order = [[t, n] for t in (26, 27) for n in forward] + [[t, n] for t in (27, 26) for n in back]
    assert [line for _, *line in page.run("return seen")][: len(order)] == order


def wait(page, script):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page.driver, 60, poll_frequency=0.05).until(lambda _: page.run(script))


@pytest.mark.parametrize(
    "address",
    [
        "#digit=7&step=14&unit=12&show=f",
        "#digit=11&step=0&unit=63&show=da_g&loss=4&hold=i1&pixel=3-9&nudge=c&by=-0.5&line=dx",
        "#digit=0&step=27&unit=0&show=dh&hold=o0.5-7&overlay=1&tab=time&f=0.35",
    ],
)
def test_the_address_is_the_view(page, address):
    page.open(PAGE, address)
    assert page.run("return location.hash") == address
    page.run("location.hash = '#digit=3&step=2'")
    wait(page, "return view.digit === 3 && view.step === 2")


def test_an_address_that_says_nonsense_is_a_view_all_the_same(page):
    nonsense = "#digit=12&step=-1&unit=64&show=toString&hold=f2&pixel=28-0&by=9&line=z&f=x&ink=z"
    page.open(PAGE, nonsense)
    assert page.run("return location.hash") == "#digit=7&step=14&unit=12&show=f"


def test_the_second_view_shows_the_norms_of_trained_and_held(page):
    page.find("#tab-time").click()
    page.run("const f = element('time-f'); f.value = 0.25; f.dispatchEvent(new Event('input'))")
    assert page.run("return location.hash").endswith("tab=time&f=0.25")
    curves, grid, norms = page.run("""
      const all = (selector) => [...document.querySelectorAll(`#time ${selector}`)];
      const steps = (held) => run(MODEL, x, view.loss, held).steps;
      return [
        all(".curve").map((c) => [c.classList[1], c.getAttribute("d")]),
        all(".grid").map((g) => [g.getAttribute("d"), g.nextElementSibling.textContent]),
        [steps(null), steps({ gate: "f", value: 0.25, unit: null })].map((run) =>
          ["dc", "dh"].map((name) => run.map((s) => Math.hypot(...s[name])))),
      ];
    """)
    assert [kind for kind, _ in curves] == ["trained", "held", "trained", "held"]
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    powers = [int(label[2:].translate(digits)) for _, label in grid]  # 10⁻³
    heights = [float(re.search(r" (.*)H", line)[1]) for line, _ in grid]
    assert 30 < min(heights) < max(heights) < 440  # inside the picture
    scale = np.polyfit(heights, powers, 1)
    for (kind, line), name in zip(curves, (0, 0, 1, 1), strict=True):
        y = [float(place.split(" ")[1]) for place in line.removeprefix("M").split("L")]
        want = np.log10(norms[kind == "held"][name])
        np.testing.assert_allclose(np.polyval(scale, y), want, atol=1e-6)


def test_the_slider_runs_the_network_once_a_move_until_something_else_changes(page):
    go(page, tab="time", f=1)
    page.run(
        "const once = run; window.runs = 0; run = (...all) => { runs += 1; return once(...all); };"
    )
    words = "choose({ f: %g }); return element('time-words').textContent"
    before = page.run(words % 0.5)
    assert page.run("return runs") == 1
    page.run("choose({ loss: 3 }, true)")
    assert page.run("return runs") == 1 + 1 + 4
    assert "−log p(3)" in page.run(words % 0.5) != before
    assert page.run("return runs") == 7
