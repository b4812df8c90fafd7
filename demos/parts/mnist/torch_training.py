"""A PyTorch model and optimiser that ``npslstm.training`` can train and evaluate.

So the same loop serves both libraries: the same shuffles, batches, learning rates and clipping.
What that costs on a GPU is that gradients and weights visit the CPU at every step. In several
processes each takes its share of every batch, and their gradients are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from npslstm import LSTMModel
from npslstm.optim import SGD, Adam, AdamW, Optimizer
from npslstm.torch_parity import from_torch, import_torch, to_torch


def processes() -> tuple[int, int]:
    """Return the number of this process, and how many train together."""
    distributed = import_torch().distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def add_up(tensors: Iterable[Any]) -> None:
    """Make each tensor the sum of those that the processes have."""
    if processes()[1] > 1:
        for tensor in tensors:
            import_torch().distributed.all_reduce(tensor)


class Twin:
    """An LSTMModel in PyTorch, as something that ``npslstm.training`` trains and evaluates.

    The model reads batches first, has the readout "last" and learns to classify.

    Attributes
    ----------
    params : dict of ndarray
        The weights; on a CPU the tensors' own memory, otherwise a copy that the optimiser renews.
    own_dropout : bool
        Whether PyTorch draws the dropout masks; if not, they are those that our model draws.
    """

    def __init__(self, model: LSTMModel, device: Any) -> None:
        self.model = model
        self.device = import_torch().device(device)
        self.own_dropout = False
        self.module = to_torch(model, device)
        self.params = {name: _array(weight) for name, weight in self.module.named_parameters()}

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """Return logits and the last state, without dropout."""
        self.module.eval()
        with import_torch().no_grad():
            logits, state_n = self.module(self._tensor(x))
        self.module.train()
        return _array(logits), state_n

    def loss_and_grads(
        self, x: np.ndarray, y: np.ndarray, *, loss: Any, rng: np.random.Generator
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the cross-entropy of the batch and its gradients, whoever calculated them.

        ``loss`` is only shown the logits, so that the caller can count the right answers.
        """
        cross_entropy = import_torch().nn.functional.cross_entropy
        rank, count = processes()
        share = slice(rank, None, count)
        masks = [self._tensor(mask[share]) for mask in self._dropout_masks(x, rng)]
        labels = self._tensor(y)

        self.module.zero_grad()
        logits, _ = self.module(self._tensor(x[share]), dropout_masks=masks)
        total = cross_entropy(logits, labels[share], reduction="sum")
        (total / len(x)).backward()  # this share's part of the mean

        whole = logits.new_zeros(len(x), logits.shape[1])
        whole[share] = logits.detach()
        add_up([whole, *(weight.grad for weight in self.module.parameters())])
        loss(_array(whole), y)
        grads = {name: _array(p.grad) for name, p in self.module.named_parameters()}
        return cross_entropy(whole, labels).item(), grads

    def to_numpy(self) -> LSTMModel:
        """Return our model with the weights as they are now."""
        return from_torch(self.module)

    def _dropout_masks(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        if self.own_dropout or not self.model.lstm.dropout:
            return ()
        return self.model.lstm.forward(x, rng=rng)[2].dropout_masks

    def _tensor(self, array: np.ndarray) -> Any:
        return import_torch().tensor(array, device=self.device)


class TwinOptimizer:
    """The ``torch.optim`` counterpart of one of our optimisers, for ``npslstm.training``."""

    def __init__(self, optimizer: Optimizer, twin: Twin) -> None:
        self.twin = twin
        optim, parameters = import_torch().optim, twin.module.parameters()
        match optimizer:
            case SGD():
                self.optimizer = optim.SGD(
                    parameters,
                    optimizer.lr,
                    momentum=optimizer.momentum,
                    weight_decay=optimizer.weight_decay,
                )
            case AdamW():
                self.optimizer = optim.AdamW(
                    parameters,
                    optimizer.lr,
                    optimizer.betas,
                    optimizer.eps,
                    weight_decay=optimizer.weight_decay,
                )
            case Adam():
                self.optimizer = optim.Adam(
                    parameters, optimizer.lr, optimizer.betas, optimizer.eps
                )
            case _:
                raise TypeError(f"optimizer: no counterpart for {type(optimizer).__name__}")

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.optimizer.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        self.optimizer.param_groups[0]["lr"] = value

    def step(self, params: dict[str, np.ndarray], grads: Mapping[str, np.ndarray]) -> None:
        """Update the twin's weights, and ``params``, which are its ``params``."""
        for name, weight in self.twin.module.named_parameters():
            weight.grad = self.twin._tensor(grads[name])
        self.optimizer.step()
        for name, weight in self.twin.module.named_parameters():
            params[name][...] = _array(weight)


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()
