"""The judge: right answers pass however they are written, and one mistake is one wrong name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solutions import SOLUTIONS, filled, judged, wrong

from npslstm.exercises.sheet import sheet

NUMBERS = list(SOLUTIONS)
LINE = {"dc": "    dc = dc_in + dh * dh_dc  # (15) ∂loss/∂c\n"}


@pytest.mark.parametrize("number", NUMBERS)
def test_solutions_pass(number):
    rows = judged(number, filled(number))
    assert wrong(rows) == {}
    assert [row.name for row in rows] == [blank.name for blank in sheet(number).blanks]


@pytest.mark.parametrize("number", NUMBERS)
def test_blanks_are_blank_and_keep_their_lines(number):
    text = sheet(number).text
    rows = judged(number, text)
    assert {row.cause for row in rows} == {"blank"}
    for row in rows:
        assert text.splitlines()[row.line - 1].strip().startswith(f"{row.name} = ...")


@pytest.mark.parametrize("number", NUMBERS)
def test_one_blank_is_one_row_that_is_not_right(number):
    for name in SOLUTIONS[number]:
        rows = judged(number, filled(number, **{name: "..."}))
        assert wrong(rows) == {name: "blank"}


# Right answers, differently written.

FACTORS = {
    "dh_dao": ["tanh_c", "o", "(1 - o)"],
    "dc_dai": ["g", "i", "(1 - i)"],
    "dc_daf": ["c_prev", "f", "(1 - f)"],
    "dc_dag": ["i", "(1 - g)", "(1 + g)"],
    "dh_dc": ["o", "(1 - tanh_c)", "(1 + tanh_c)"],
}
OTHER_FORMS = {
    "(1 - o)": ["(-(o - 1))", "(1 - h / tanh_c)"],
    "(1 - f)": ["(1 + -f)", "np.subtract(1, f)"],
    "tanh_c": ["np.tanh(c)", "(h / o)", "np.tanh(f * c_prev + i * g)"],
    "c_prev": ["((c - i * g) / f)", "c_prev.copy()"],
    "(1 + g)": ["(g + 1)", "(1 - g + 2 * g)"],
}
STYLES = (
    "{name} = {a} * {b} * {c}",
    "{name} = {a} * ({b} * {c})",
    "{name} = np.einsum('nh,nh,nh->nh', {a}, {b}, {c})",
    "part = {a} * {b}\n{name} = part * {c}",
    "{name} = {a}.copy()\n{name} *= {b}\n{name} *= {c}",
    "{name} = np.empty_like(o)\nnp.multiply({a}, {b}, out={name})\n{name}[...] *= {c}",
    "{name} = np.ones_like(o)\nnp.multiply({a}, {b}, {name})\nnp.multiply({name}, {c}, {name})",
    "{name} = np.zeros(o.shape)\nfor n in range(len(o)):\n    {name}[n] = ({a} * {b} * {c})[n]",
    "def helper(u, v):\n    return u * v\n\n{name} = helper({a}, helper({b}, {c}))",
    "with np.errstate(all='raise'):\n    {name} = {a} * {b} * {c}\n    print({name}.shape)",
    "{name} = {a} * {b} * {c} - o + o  # one line\n",
    "if o.shape:\n    {name} = {a} * {b} * {c}\nelse:\n    {name} = None",
    "rows = [u * v * w for u, v, w in zip({a}, {b}, {c})]\n{name} = np.array(rows)",
    "{name} = (lambda: {a} * {b} * {c})()\nhelp_ = {name}\n{name} = help_",
)


@st.composite
def answers(draw):
    lines = {}
    for name, factors in FACTORS.items():
        shuffled = draw(st.permutations(factors))
        forms = [draw(st.sampled_from([f, *OTHER_FORMS.get(f, [])])) for f in shuffled]
        style = draw(st.sampled_from(STYLES))
        text = style.format(name=name, a=f"({forms[0]})", b=forms[1], c=forms[2])
        lines[name] = f"{text}\n# done"
    return lines


@given(answers())
def test_any_right_answer_passes(lines):
    assert wrong(judged(2, filled(2, **lines))) == {}


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (3, {"dc": "dc = dc_in.copy()\ndc += dh * dh_dc"}),
        (3, {"dc": "dc = dc_in\ndc += dh * dh_dc"}),  # writes to dc_in, which no line reads again
        (3, {"dc": "dc = dh * dh_dc\ntwice = 2 * dc\ndc = twice / 2 + dc_in"}),
        (3, {"dweight_hh": "np.einsum('na,nh->ah', da, h_prev)"}),
        (3, {"dweight_hh": "dweight_hh = 0\nfor n in range(len(x)):\n    dweight_hh = dweight_hh + "
             "np.outer(da[n], h_prev[n])"}),
        (3, {"dbias_ih": "np.ones(len(x)) @ da", "dbias_hh": "dbias_ih"}),
        (3, {"da_i": "da_i, da_f = dc * dc_dai, dc * dc_daf\npass", "da_f": "pass\npass"}),
        (3, {"dc_prev": "dc_prev = dc\ndc_prev *= dc_dc_prev"}),  # no line reads dc again
        (4, {"dh": "dh = doutputs[t]\ndh = dh + dh_next"}),
        (4, {"order": "range(T - 1, -1, -1)"}),
        (4, {"order": "list(range(T))[::-1]"}),
        (4, {"order": "np.arange(T)[::-1]"}),
        (4, {"dweight_hh": "dweight_hh += dweight_hh_t\npass"}),
        (4, {"outputs": "np.stack(h)[1:]", "h_n": "outputs[-1]", "c_n": "c[len(x)]"}),
        (4, {"h_prev": "h[-1]", "c_prev": "c[-1]"}),
        (7, {"dz": "-dh * n + dh * h_prev", "da_n": "dn - dn * n * n"}),
    ],
)  # fmt: skip
def test_right_answers_of_many_lines(number, lines):
    assert wrong(judged(number, filled(number, **lines))) == {}


def test_another_loop_over_t_is_as_good():
    text = filled(4).replace("for t in order:", "for t in range(T - 1, -1, -1):")
    assert wrong(judged(4, text)) == {}


def test_gradients_may_be_collected_and_summed_after_the_loop():
    text = filled(4, dweight_ih="parts.append(dweight_ih_t)\npass")
    text = text.replace("    for t in order:", "    parts = []\n    for t in order:")
    text = text.replace(
        "    dh_0 =", "    for part in parts:\n        dweight_ih += part\n    dh_0 ="
    )
    assert wrong(judged(4, text)) == {}


def test_a_name_may_be_used_again_once_it_was_read():
    text = filled(3, dc_prev="dc_prev = dc * dc_dc_prev\ndc = 0 * dc")
    assert wrong(judged(3, text)) == {}


# Wrong answers: one mistake, one name.


@pytest.mark.parametrize(
    ("number", "lines", "name", "cause"),
    [
        (2, {"dc_dai": "gg * i"}, "dc_dai", "line 24, dc_dai = gg * i, raises NameError: name"),
        (2, {"dc_dai": "g @ i"}, "dc_dai", "the shapes are g (3, 4), i (3, 4)"),
        (2, {"dc_dai": "g / (0 * i)"}, "dc_dai", "not finite"),
        (2, {"dc_dai": "None"}, "dc_dai", "is None, expected an array of numbers, of shape (3, 4)"),
        (2, {"dc_dai": "'g'"}, "dc_dai", "is a str"),
        (2, {"dc_dai": "[[1], [1, 2]]"}, "dc_dai", "is a list"),
        (2, {"dc_dai": "(g * i * (1 - i)).T"}, "dc_dai", "it is transposed"),
        (2, {"dc_dai": "x"}, "dc_dai", "has shape (3, 2), expected (3, 4)"),
        (2, {"dc_dai": "np.float32(g * i * (1 - i))"}, "dc_dai", "right to float32 only"),
        (2, {"dc_dai": "g * i * (i - 1)"}, "dc_dai", "the sign is wrong"),
        (2, {"dc_dai": "g * (1 - i)"}, "dc_dai", "a factor is missing: i"),
        (2, {"dc_dai": "o * g * i * (1 - i)"}, "dc_dai", "a factor too many: o"),
        (2, {"dc_dai": "f * i * (1 - i)"}, "dc_dai", "f stands where g belongs"),
        (2, {"dc_dai": "2 * g * i * (1 - i)"}, "dc_dai", "this is 2 times the right value"),
        (2, {"dc_dai": "x.mean() * np.ones_like(g)"}, "dc_dai", "no mistake that is known"),
        (2, {"dc_dc_prev": "o"}, "dc_dc_prev", "this is the value of o"),
        (2, {"dc_dai": "exit()"}, "dc_dai", "raises SystemExit"),
        (2, {"dh_dc": "f = f * (1 - f)\ndh_dc = o * (1 - tanh_c**2)"}, "dh_dc",
         "line 22 changes f, which other lines need as it was given"),
        (3, {"da_i": "da_i = dc\nda_i *= dc_dai"}, "da_i",
         "changes dc, too, for the two share one array"),
        (3, {"dc": "dc = dc_in + dh * dh_dc\nalias = dc",
             "da_o": "da_o = dh * dh_dao\nalias *= 2"},
         "dc", "changed in place by a line that is not its own"),
        (2, {"dc_dai": "np.array([g, None], dtype=object)"}, "dc_dai", "is an array of object"),
        (2, {"dc_dai": "g > 0"}, "dc_dai", "is an array of bool"),
        (3, {"dweight_hh": "h_prev.T @ da"}, "dweight_hh", "it is transposed"),
        (3, {"dbias_hh": "da"}, "dbias_hh", "the sum over axis 0 is missing"),
        (3, {"dc": "dc_in + dh * o * (1 - h**2)"}, "dc", "as in a plain RNN [dtanh_of_h]"),
        (3, {"dx": "da @ weight_hh.T"}, "dx",
         "the inner sizes of a product differ; the shapes are da (3, 16), weight_hh (16, 4)"),
        (2, {"dc_dai": "g^i"}, "dc_dai", "a power is written a**2, not a^2"),
        (2, {"dc_dai": "g * i(1 - i)"}, "dc_dai", "is there no * before a bracket?"),
        (2, {"dc_dai": "dc_dai * g"}, "dc_dai", "reads dc_dai, which has no value yet"),
        (2, {"dc_dai": "(g * i * (1 - i)).sum()"}, "dc_dai", "is a single number: the sum over"),
        (2, {"dc_dai": "s = g * i * (1 - i)\ndc_dai = [s[0], s[1], s[2]]"},
         "dc_dai", "(with N = 2, D = 5, H = 3; with other sizes it was right)"),
        (3, {"dc": "dh * dh_dc - dc_in"}, "dc", "a term has the wrong sign: dc_in"),
        (4, {"order": "range(T)"}, "order", "backward begins at the end"),
        (4, {"order": "range(T - 1, 0, -1)"}, "order", "step 0 of 0 to 4 is never taken"),
        (4, {"order": "None"}, "order", "steps that one can loop over"),
        (4, {"order": "[float('inf')]"}, "order", "steps that one can loop over"),
        (4, {"order": "(1 / 0 for _ in range(T))"}, "order", "steps that one can loop over"),
        (4, {"dh": "doutputs[t] + dh_next if t else doutputs[t]"}, "dh", "at t = 0: "),
        (4, {"h_prev": "h[t - 1]"}, "h_prev", "at t = 1, 2, 3, 4: one step late"),
        (4, {"dweight_ih": "dweight_ih_t"}, "dweight_ih", "overwritten"),
        (6, {"dc": "dc_in + dh * dh_dc"}, "dc", "a term is missing: da_o * weight_co"),
        (6, {"dc_prev": "dc * dc_dc_prev + da_f * weight_cf"}, "dc_prev",
         "a term is missing: da_i * weight_ci"),
        (7, {"dh_prev": "dh * z"}, "dh_prev", "a term is missing: da_h @ weight_hh"),
        (7, {"dbias_hh": "da_x.sum(axis=0)"}, "dbias_hh", "a part of a_h"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_name_with_its_cause(number, lines, name, cause):
    causes = wrong(judged(number, filled(number, **lines)))
    assert list(causes) == [name]
    assert cause in causes[name]


def test_a_wrong_row_names_its_own_line():
    text = filled(3, da_f="helper = dc\nda_f = helper * dc_daf * 2")
    (row,) = [row for row in judged(3, text) if not row.right]
    assert text.splitlines()[row.line - 1].strip() == "da_f = helper * dc_daf * 2"


def test_return_before_a_blank_leaves_it_blank():
    text = filled(2, dc_dai="return dh_dc, dh_dao\ndc_dai = g * i * (1 - i)")
    names = ["dc_dai", "dc_daf", "dc_dag", "dc_dc_prev"]
    assert wrong(judged(2, text)) == dict.fromkeys(names, "blank")


def test_a_name_that_is_read_before_it_is_assigned():
    text = filled(3).replace(LINE["dc"], "")
    text = text.replace("    dc_prev =", LINE["dc"] + "    dc_prev =")
    causes = wrong(judged(3, text))
    assert list(causes) == ["da_i"]
    assert "reads dc, which has no value yet" in causes["da_i"]


def test_what_is_returned_is_looked_at():
    text = filled(2).replace("return dh_dc, dh_dao", "return dh_dao, dh_dc")
    assert list(wrong(judged(2, text))) == ["dh_dc", "dh_dao"]


def test_a_line_of_the_sheet_that_fails_is_told_once():
    causes = wrong(judged(3, filled(3).replace("import numpy as np", "")))
    assert list(causes) == ["dh_prev"]
    assert causes["dh_prev"].startswith("da: line 36, da = np.concatenate(")
    assert causes["dh_prev"].endswith("raises NameError: name 'np' is not defined")


def test_other_arguments_are_refused():
    text = filled(2).replace("c_prev, i, f", "c_prev, it, f").replace("= g * i", "= g * it")
    causes = wrong(judged(2, text))
    assert len(causes) == 6
    assert "must take the arguments x, h_prev, c_prev, i, f" in causes["dc_daf"]


def test_the_loop_must_count_in_t():
    text = filled(4, dh="doutputs[s] + dh_next").replace("for t in order", "for s in order")
    text = text.replace("caches[t]", "caches[s]").replace("dx[t]", "dx[s]")
    assert "must count in t" in wrong(judged(4, text))["dh"]


INSERTS = (
    "return", "pass", "del dc", "global dc", "dc = ...", "raise ValueError", "exec('dc = 1')",
    "class A: dc = 1", "def dc(): pass", "yield dc", "np.add(dc, dh, out=dc)", "dc[:] = 0",
    "np = None", "f = f * (1 - f)", "t = None", "for t in [dh]: dc = t",
    "with open('nowhere') as dc: pass", "[dc for dc in dh]", "(da := 1)", "import dc",
)  # fmt: skip


@given(
    st.sampled_from(NUMBERS),
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["", *INSERTS])),
        min_size=1,
        max_size=4,
    ),
)
def test_whatever_is_done_to_a_file_each_name_has_its_row(number, changes):
    lines = filled(number).splitlines()
    first = lines.index("import numpy as np")
    for place, other, insert in changes:
        at, there = (first + k % (len(lines) - first) for k in (place, other))
        if insert:
            margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines.insert(at, margin + insert)
        else:
            lines[at], lines[there] = lines[there], lines[at]
    text = "\n".join(lines)
    try:
        compile(text, "answer.py", "exec", dont_inherit=True)
    except SyntaxError:
        return
    rows = judged(number, text)
    assert [*dict.fromkeys(row.name for row in rows)] == [b.name for b in sheet(number).blanks]
    for row in rows:
        assert row.right != bool(row.cause)
        assert 1 <= row.line <= len(lines)
        assert "__judge__" not in row.cause


@given(st.sampled_from(NUMBERS), st.data())
def test_a_random_value_spoils_no_other_name(number, data):
    name = data.draw(st.sampled_from([*SOLUTIONS[number]]))
    if name == "order":
        return
    right = SOLUTIONS[number][name]
    factor = data.draw(st.floats(0.1, 3).filter(lambda f: abs(f - 1) > 1e-3))
    causes = wrong(judged(number, filled(number, **{name: f"{factor} * np.asarray({right})"})))
    assert list(causes) == [name]
