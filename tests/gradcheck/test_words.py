"""What is seen is said, in words, where it holds, and not where it does not."""

from __future__ import annotations

import numpy as np

from npslstm.gradcheck.own.words import blocks_seen, patterns, steps_seen, the_rest_is_right


def drawn(**shapes):
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


RIGHT = drawn(Wi=(3, 4), Wf=(3, 4), U=(4, 4), bi=(4,), bf=(4,), bo=(4,), h0=(2, 4), c0=(2, 4))


def said(right=RIGHT, rows=2, **changed):
    return patterns({**right, **changed}, right, list(changed), rows)


def test_nothing_is_said_of_what_is_right():
    assert said() == []


def test_gradients_that_are_those_of_others():
    bf = RIGHT["bf"]
    assert said(bi=bf, bo=bf) == ["the gradients of bi and bo equal that of bf"]
    assert said(h0=RIGHT["c0"], c0=RIGHT["h0"]) == ["the gradients of h0 and c0 are swapped"]
    assert said(U=RIGHT["U"].T) == ["U's gradient is the right one transposed"]


def test_gradients_that_are_clipped_or_scaled():
    assert said(bf=0.1 * RIGHT["bf"]) == [
        "bf's gradient is 0.10 of the right one, cosine 1: clipped or scaled"
    ]
    assert said(Wi=RIGHT["Wi"] / 2, bi=RIGHT["bi"] / 2) == [
        "the gradients of Wi and bi are 0.50 of the right ones, cosine 1: clipped or scaled, as by "
        "a mean over the 2 rows of the batch"
    ]
    assert said(Wf=-RIGHT["Wf"]) == ["Wf's gradient is minus the right one: a wrong sign"]
    assert said(U=np.clip(RIGHT["U"], -0.5, 0.5)) == [
        "U's gradient is right but for entries beyond ±0.5: clipped"
    ]


def test_a_ratio_that_cannot_be_seen_is_not_said():
    one_entry = RIGHT["U"].copy()
    one_entry[1, 2] += 1e-6
    assert said(U=one_entry) == said(U=RIGHT["U"] * (1 + 1e-9)) == []


def test_gradients_that_are_zero():
    nothing = RIGHT | {"c0": np.zeros((2, 4))}
    assert said(nothing) == ["outputs do not depend on c0: its gradient is 0"]
    assert said(h0=np.zeros((2, 4))) == ["the gradient of h0 is 0 throughout"]


def test_steps():
    dx = np.random.default_rng(0).standard_normal((5, 2, 3))

    def wrong_at(*steps):
        wrong = dx.copy()
        wrong[list(steps)] *= 1.5
        return steps_seen(wrong, dx, 0)

    assert wrong_at() == wrong_at(0, 1, 2, 3, 4) == []
    assert wrong_at(0, 1, 2, 3) == [
        "dx is right at the last step and wrong before: what is carried back from step to step is "
        "lost or wrong"
    ]
    assert wrong_at(0) == ["dx is wrong at the first step alone"]
    assert wrong_at(4) == [
        "dx is wrong at the last step alone: look at how the loop over time starts"
    ]
    assert wrong_at(0, 2) == ["dx is right at step 1, 3, 4 of 0 to 4, and wrong at the others"]


def test_blocks():
    gates = ("i", "f", "g", "o")
    w, b = drawn(W=(4, 3, 2), b=(4, 3)).values()
    right = {"W": list(w), "b": list(b)}

    def wrong_in(**places):
        wrong = {
            n: [block * (1 + (k in places.get(n, ()))) for k, block in enumerate(right[n])]
            for n in right
        }
        return blocks_seen(wrong, right, gates)

    assert wrong_in() == wrong_in(W=(0, 1, 2, 3), b=(0, 1, 2, 3)) == []
    assert wrong_in(W=(0, 1, 2, 3)) == ["W: wrong in all blocks", "b: right in all blocks"]
    assert wrong_in(W=(1,), b=(1,)) == ["W and b: f is wrong, i, g and o are right"]
    assert wrong_in(W=(0, 1)) == [
        "W: i and f are wrong, g and o are right",
        "b: right in all blocks",
    ]
    assert wrong_in(W=(0, 1, 2, 3), b=(3,)) == [
        "W: wrong in all blocks",
        "b: o is wrong, i, f and g are right",
    ]


def test_of_blocks_whose_gradients_are_0_nothing_is_said():
    right = {"W": [np.zeros(2), np.ones(2), np.ones(2)], "b": [np.zeros(2), np.ones(2), np.ones(2)]}
    wrong = {"W": [np.zeros(2), 2 * np.ones(2), np.ones(2)], "b": right["b"]}
    assert blocks_seen(wrong, right, "fio") == ["W: i is wrong, o is right", "b: i and o are right"]
    nothing = {"W": [np.zeros(2)] * 3}
    assert blocks_seen(nothing, nothing, "fio") == []


def test_a_readout_that_is_right():
    names = ["W", "b", "Why", "by"]
    below = ["the readout (Why, by) is right, what lies below it is wrong"]
    assert the_rest_is_right(names, ["W", "b"], ["Why", "by"]) == below
    assert the_rest_is_right(names, ["W"], ["Why", "by"]) == []
    assert the_rest_is_right(names, ["W", "b", "by"], ["Why", "by"]) == []
