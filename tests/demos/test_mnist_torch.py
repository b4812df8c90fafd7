"""The demo's PyTorch half: the same training in both libraries, and what it says of itself."""

import argparse
import itertools
import re
import sys

import mnist
import numpy as np
import pytest
from parts.mnist import torch as mnist_torch
from parts.mnist.torch_training import Twin, TwinOptimizer

from npslstm import LSTMModel
from npslstm.datasets import as_sequences, load_embedded
from npslstm.optim import SGD, Adam, AdamW, Optimizer, one_cycle
from npslstm.torch_parity import Difference
from npslstm.training import Progress, evaluate, training_steps

IMAGES = 400


def problem(**options):
    """A model, some of the embedded images with their labels, and settings for training."""
    model = LSTMModel(28, 24, 10, batch_first=True, dtype=np.float64, rng=0, **options)
    data = load_embedded()
    settings = {
        "epochs": 8,
        "batch_size": 30,  # an epoch's last batch is smaller
        "max_norm": 1.0,
        "schedule": one_cycle(1e-2, 8 * 14),
        "transform": lambda images: as_sequences(images, dtype=np.float64),
        "start": Progress(seed=3),
    }
    return model, data.train_images[:IMAGES], data.train_labels[:IMAGES], settings


def side_by_side(optimizer, steps, device, **options):
    """Train a model and its twin; return both and the pairs of their records."""
    model, images, labels, settings = problem(**options)
    twin = Twin(model, device)
    ours = training_steps(model, images, labels, optimizer=optimizer, **settings)
    twins = TwinOptimizer(optimizer, twin)
    theirs = training_steps(twin, images, labels, optimizer=twins, **settings)
    return model, twin, list(itertools.islice(zip(ours, theirs, strict=True), steps))


def largest_drift(model, twin):
    return max(Difference.between(p, twin.params[n]).largest for n, p in model.params.items())


@pytest.mark.torch
def test_after_a_hundred_adam_steps_every_weight_is_within_1e_9(device):
    model, twin, pairs = side_by_side(Adam(1e-2), 100, device)
    before, _, _, _ = problem()
    assert len(pairs) == 100
    assert pairs[-1][0].loss < 0.7 * pairs[0][0].loss  # it did learn
    assert all(np.abs(p - before.params[n]).max() > 0.01 for n, p in model.params.items())
    assert largest_drift(model, twin) <= 1e-9
    for ours, theirs in pairs:
        assert (ours.epoch, ours.step, ours.lr) == (theirs.epoch, theirs.step, theirs.lr)
        assert ours.accuracy == theirs.accuracy
        assert theirs.loss == pytest.approx(ours.loss, abs=1e-9)
        assert theirs.grad_norm == pytest.approx(ours.grad_norm, abs=1e-9)


@pytest.mark.torch
@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1),
        SGD(0.1, momentum=0.9, weight_decay=0.1),
        Adam(1e-2, betas=(0.8, 0.9), eps=1e-3),
        AdamW(1e-2, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.3),
    ],
    ids=lambda optimizer: f"{type(optimizer).__name__} {vars(optimizer)}",
)
def test_every_optimiser_has_its_counterpart(device, optimizer):
    model, twin, _ = side_by_side(optimizer, 20, device)
    assert largest_drift(model, twin) <= 1e-12


@pytest.mark.torch
def test_an_optimiser_without_a_counterpart_is_refused(torch):
    model, *_ = problem()
    with pytest.raises(TypeError, match="no counterpart for Optimizer"):
        TwinOptimizer(Optimizer(0.1), Twin(model, "cpu"))


@pytest.mark.torch
def test_dropout_has_our_masks_side_by_side_and_its_own_alone(device):
    options = {"num_layers": 3, "bidirectional": True, "dropout": 0.5}
    model, twin, _ = side_by_side(Adam(1e-2), 20, device, **options)
    assert largest_drift(model, twin) <= 1e-12

    x = as_sequences(load_embedded().test_images[:50], dtype=np.float64)
    labels = load_embedded().test_labels[:50]

    def loss():
        return twin.loss_and_grads(
            x, labels, loss=lambda logits, y: None, rng=np.random.default_rng(0)
        )[0]

    assert loss() == loss()
    twin.own_dropout = True
    assert loss() != loss()
    assert Difference.between(model(x)[0], twin(x)[0]).relative <= 1e-12  # none to evaluate


@pytest.mark.torch
def test_the_twin_evaluates_and_converts_like_the_model(device):
    model, twin, _ = side_by_side(Adam(1e-2), 5, device)
    _, images, labels, settings = problem()
    ours, theirs = (
        evaluate(m, images, labels, transform=settings["transform"]) for m in (model, twin)
    )
    assert theirs.accuracy == ours.accuracy
    assert theirs.loss == pytest.approx(ours.loss, rel=1e-12)
    for name, param in twin.to_numpy().params.items():
        np.testing.assert_array_equal(param, twin.params[name])


@pytest.mark.torch
def test_weights_that_are_elsewhere_are_brought_back_after_a_step(torch):
    """As on a GPU, where ``params`` cannot be the tensors' own memory."""
    model, *_ = problem()
    twin = Twin(model, "cpu")
    twin.params = {name: param.copy() for name, param in twin.params.items()}
    grads = {name: np.ones_like(param) for name, param in twin.params.items()}
    TwinOptimizer(SGD(0.5), twin).step(twin.params, grads)
    for name, param in model.params.items():
        np.testing.assert_array_equal(twin.params[name], param - 0.5)


@pytest.mark.torch
def test_training_goes_on_in_pytorch_from_where_both_stood(torch, capsys):
    """Report, drift and all of PyTorch's records, as if it had been alone from the start."""
    model, images, labels, settings = problem()
    settings |= {"epochs": 2}
    optimizer, device = Adam(1e-2), torch.device("cpu")
    twin, records = mnist_torch.train(
        model, images, labels, optimizer=optimizer, device=device, parity_steps=5, **settings
    )
    assert optimizer.steps == 5
    out = capsys.readouterr().out
    assert f"PyTorch {torch.__version__} on cpu; NumPy {np.__version__}" in out
    report, drift = out.split("Drift, after 5 steps")
    for name in ("logits", "loss", "dx", "dh_0", "dc_0", *model.params):
        [numbers] = re.findall(rf"^{re.escape(name)} +(.*)$", report, re.M)
        _, float64, _, float32 = map(float, numbers.split())
        assert float64 <= 1e-12
        assert float32 <= 1e-5
    for name in ("loss at every step", *model.params):
        [numbers] = re.findall(rf"^{re.escape(name)} +(.*)$", drift, re.M)
        assert max(map(float, numbers.split())) <= 1e-12

    steps = [record.step for record in records]
    assert steps == list(range(1, 29))
    assert re.search(r"^PyTorch alone: 23 steps in .* s, .* s an epoch$", capsys.readouterr().out)
    alone, *_ = problem()
    for _ in training_steps(alone, images, labels, optimizer=Adam(1e-2), **settings):
        pass
    assert largest_drift(alone, twin) <= 1e-9


@pytest.mark.torch
@pytest.mark.parametrize("steps", [["--max-steps", "3"], []])
def test_every_process_but_the_first_ends_with_training(torch, steps, monkeypatch, capsys):
    monkeypatch.setattr(mnist_torch, "is_first", lambda: False)
    arguments = "--torch --device cpu --hidden 8 --epochs 1 --batch-size 500 --parity-steps 2"
    assert mnist.main([*arguments.split(), *steps]) == 0
    assert "Test accuracy" not in capsys.readouterr().out


@pytest.mark.torch
def test_without_steps_side_by_side_only_one_step_is_compared(torch, capsys):
    model, images, labels, settings = problem()
    before = {name: param.copy() for name, param in model.params.items()}
    mnist_torch.train(
        model,
        images,
        labels,
        optimizer=SGD(0.1),
        device=torch.device("cpu"),
        parity_steps=0,
        **settings,
    )
    assert "Drift" not in capsys.readouterr().out
    for name, param in model.params.items():
        np.testing.assert_array_equal(param, before[name])


@pytest.mark.torch
def test_the_demo_with_torch(torch, capsys):
    arguments = "--torch --device cpu --hidden 8 --epochs 1 --batch-size 500 --parity-steps 2"
    assert mnist.main(arguments.split()) == 0
    out = capsys.readouterr().out
    order = "Model:", "on cpu", "Parity", "logits", "Drift", "epoch  1/1", "alone: 6", "Test acc"
    assert [out.index(text) for text in order] == sorted(out.index(text) for text in order)


@pytest.mark.torch
@pytest.mark.parametrize("device", ["cuda:99", "no-such-device", "meta"])
def test_a_device_that_is_not_there_ends_the_demo_with_one_line(torch, device):
    with pytest.raises(SystemExit) as ended:
        mnist_torch.start(device, 0)
    assert re.fullmatch(rf"--device {device}: .+", ended.value.code)


def test_without_torch_the_demo_ends_with_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit) as ended:
        mnist.main(["--torch"])
    assert re.fullmatch(r"PyTorch is not installed: .*pip install torch.*CPU.*", ended.value.code)
    assert capsys.readouterr() == ("", "")


def test_parity_steps_are_a_count(capsys):
    parser = argparse.ArgumentParser()
    mnist_torch.add_options(parser)
    options = parser.parse_args(["--parity-steps", "0"])
    assert (options.parity_steps, options.torch, options.device) == (0, False, None)
    assert parser.parse_args(["--torch"]).parity_steps == 100
    with pytest.raises(SystemExit):
        parser.parse_args(["--parity-steps", "-1"])
    assert "expected a whole number from 0 on, given" in capsys.readouterr().err
