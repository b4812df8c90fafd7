"""The pictures of ``demos/mnist.py``: that they show what they say."""

from __future__ import annotations

import numpy as np
import pytest

from npslstm import LSTMModel
from npslstm.datasets import as_sequences
from npslstm.training import evaluate


@pytest.fixture
def pictures(demo):
    return demo.mnist_pictures


def as_batch(view, dtype="float64"):
    return lambda images: as_sequences(images, view, dtype=dtype)


def make_model(features=28, layers=1):
    return LSTMModel(features, 5, 10, layers, batch_first=True, dtype="float64", rng=0)


def titles(figure):
    texts = [figure.get_suptitle(), *(axis.get_title() for axis in figure.axes)]
    return [*texts, *(part.get_suptitle() for part in figure.subfigs)]


def test_the_overview_of_a_run(demo, pictures):
    model, data = make_model(layers=2), demo.load_embedded()
    result = evaluate(model, data.test_images, data.test_labels, transform=as_batch("rows"))
    figure = pictures.overview(model, data, [], result, as_batch("rows"))
    answers = model.predict(as_batch("rows")(data.test_images))
    wrong = np.flatnonzero(answers != data.test_labels)
    assert f"{len(wrong)} of 20 test images read wrong: answer (truth)" in titles(figure)
    assert f"{answers[wrong[0]]} ({data.test_labels[wrong[0]]})" in titles(figure)
    [confusion] = (axis for axis in figure.axes if axis.get_xlabel() == "answer")
    counts = np.zeros((10, 10), int)
    for text in confusion.texts:
        answer, truth = text.get_position()
        counts[truth, answer] = text.get_text()
    assert np.diag(counts).sum() == 20 - len(wrong)
    assert counts.sum(axis=1).tolist() == np.bincount(data.test_labels, minlength=10).tolist()
    figure.canvas.draw()


def test_the_gates_are_those_of_the_top_layer(demo, pictures):
    model, image = make_model(layers=2), demo.load_embedded().test_images[0]
    figure, _ = demo.plotting.figure()
    pictures.draw_gates(figure, model, image, as_batch("rows"))
    shown = {axis.get_title(): axis.images[0].get_array() for axis in figure.axes if axis.images}
    assert np.array_equal(shown[""], image)
    out, (_, c_n) = model.lstm(as_batch("rows")(image[None]))
    order = np.argsort(out[0, -1])
    np.testing.assert_allclose(shown["hidden state h"], out[0][:, order])
    np.testing.assert_allclose(shown["cell state tanh c"][-1], np.tanh(c_n[1, 0])[order])
    for gate in ("input gate i", "forget gate f", "output gate o"):
        assert shown[gate].shape == (28, 5)


@pytest.mark.parametrize(("view", "features"), [("rows", 28), ("permuted", 1), ("flat", 784)])
def test_the_gradient_of_a_pixel_is_the_slope_of_the_logit(demo, pictures, view, features):
    """At the pixel that matters most, by a central difference over one of the 255 levels."""
    model, images = make_model(features), demo.load_embedded().test_images[[0, 0, 0]]

    def gradient():
        return pictures.pixel_gradient(model, as_batch(view)(images[:1]), 3, view)

    where = np.unravel_index(np.abs(gradient()).argmax(), (28, 28))
    images[:, *where] = 128, 129, 127
    _, up, down = model(as_batch(view)(images))[0][:, 3]
    slope = (up - down) * 255 / 2
    assert abs(slope) > 1e-3
    assert gradient()[where] == pytest.approx(slope, rel=1e-4)


def test_logits_by_step_are_those_of_shorter_images(demo, pictures):
    model = make_model(1)
    x = as_batch("pixels")(demo.load_embedded().test_images[:1])
    steps, logits = pictures.logits_by_step(model, x)
    assert (steps[0], steps[-1], len(steps)) == (1, 784, pictures.SHOWN_STEPS)
    np.testing.assert_array_equal(logits[7], model(x[:, : steps[7]])[0][0])


def test_an_explanation_names_the_image_and_the_step_since_which_the_answer_leads(demo, pictures):
    model, data = make_model(), demo.load_embedded()
    figure = pictures.explain(model, data, 4, "rows", as_batch("rows"))
    x = as_batch("rows")(data.test_images[4:5])
    answers = [int(model.predict(x[:, :step])[0]) for step in range(1, 29)]
    assert f"Test image 4: a digit {data.test_labels[4]}, read as {answers[-1]}" in titles(figure)
    since = max((t for t in range(28) if answers[t] != answers[-1]), default=-1) + 2
    assert f"{answers[-1]} leads from step {since} on" in titles(figure)
    figure.canvas.draw()
