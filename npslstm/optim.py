"""The optimisers, simplest first.

``Optimizer.step`` changes parameters in place, which nothing else in the package does. How the
learning rate moves is in ``training/learning_rate.py``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .arguments import Array, check_like, check_number
from .clipping import clip_grad_norm
from .parameters import check_writable

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm"]

MAX_STEPS = 2**53  # more than any run takes; up to here a float counts every step


class Optimizer:
    """What the optimisers share: the learning rate, the moments, the checks and the loop.

    A moment is a running average of past gradients. Each parameter has one array of its own shape
    and dtype for each of ``moment_names``, made by the first step and zero before it.

    Attributes
    ----------
    lr : float
        The learning rate of the next step; set it at will.
    steps : int
        How many steps have been taken.
    """

    moment_names: tuple[str, ...] = ()
    setting_names: tuple[str, ...] = ()  # what stays as it is, beside lr, which a schedule moves
    squares: tuple[str, ...] = ()  # moments of squares, which are never negative

    def __init__(self, lr: float) -> None:
        check_number("lr", lr)
        self.lr = lr
        self.steps = 0
        self._moments: dict[str, Array] = {}  # named "moment.parameter"

    def __repr__(self) -> str:
        """Write the call that makes one like this: lr, and what is not as by default."""
        arguments = [f"lr={float(self.lr)!r}"]
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if name in self.setting_names and getattr(self, name) != parameter.default:
                arguments.append(f"{name}={getattr(self, name)!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"

    def step(self, params: dict[str, Array], grads: Mapping[str, Array]) -> None:
        """Update ``params`` in place.

        Raises
        ------
        ValueError, TypeError
            If ``grads``, or the steps before, had other names, shapes or dtypes than ``params``, a
            parameter is read-only, or lr no learning rate; then nothing has changed.
        """
        check_writable(params)
        check_like("grads", grads, params)
        check_number("lr", self.lr)
        moments_like = self._moments_like(params)
        if self.steps == 0:
            self._moments = {name: np.zeros_like(param) for name, param in moments_like.items()}
        check_like("moments of earlier steps", self._moments, moments_like)
        self.steps += 1
        for name, param in params.items():
            moments = [self._moments[f"{moment}.{name}"] for moment in self.moment_names]
            self._update(param, grads[name], *moments)

    def state(self) -> dict[str, Array]:
        """Return a copy of all that the next step depends on, for :meth:`load_state`."""
        moments = {name: moment.copy() for name, moment in self._moments.items()}
        return {
            "steps": np.array(self.steps, np.int64),
            "lr": np.array(self.lr, np.float64),
            "settings": np.array(json.dumps(self._settings())),
            **moments,
        }

    def load_state(self, state: Mapping[str, Array], params: Mapping[str, Array]) -> None:
        """Go on from a state that :meth:`state` returned, with the parameters that it belongs to.

        Raises
        ------
        ValueError, TypeError
            If a name, shape, dtype or number in it cannot be right, or it is that of an optimiser
            with other settings; then nothing has changed.
        """
        state = dict(state)
        settings = state.pop("settings", None)  # 0.1.0 did not write them
        counters = {"steps": np.array(0, np.int64), "lr": np.array(0.0)}
        check_like("optimiser state", {n: state[n] for n in counters if n in state}, counters)
        steps, lr = int(state["steps"]), float(state["lr"])
        _require("steps", steps, 0 <= steps <= MAX_STEPS, f"0 to {MAX_STEPS}")
        check_number("lr", lr)
        moments = {name: array for name, array in state.items() if name not in counters}
        check_like("optimiser state", moments, self._moments_like(params) if steps else {})
        for name, moment in moments.items():
            _require(name, "NaN", not np.isnan(moment).any(), "numbers")
            if name.partition(".")[0] in self.squares:
                least = float(moment.min(initial=0))
                _require(name, least, least >= 0, "no negative number")
        if settings is not None:
            self._check_settings(json.loads(str(settings)))
        self.steps, self.lr = steps, lr
        self._moments = {name: moment.copy() for name, moment in moments.items()}

    def _settings(self) -> dict[str, Any]:
        """Return what another run would do otherwise, as JSON keeps it."""
        settings = {name: np.asarray(getattr(self, name)).tolist() for name in self.setting_names}
        return {"kind": type(self).__name__, **settings}

    def _check_settings(self, then: Any) -> None:
        if not isinstance(then, dict):
            raise TypeError(f"optimiser state: expected settings by name, given {then!r}")
        for name, now in self._settings().items():
            if name not in then or then[name] != now:
                before = json.dumps(then.get(name))
                raise ValueError(
                    f"optimiser state: {name} was {before}, now it is {json.dumps(now)}"
                )

    def _moments_like(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """Pair the name of each moment with the parameter whose shape and dtype it has."""
        return {f"{m}.{name}": param for m in self.moment_names for name, param in params.items()}

    def _update(self, param: Array, grad: Array, *moments: Array) -> None:
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay if asked for.

    With velocity b, as ``torch.optim.SGD``::

        (S1)  b ← momentum b + (dp + weight_decay p)
        (S2)  p ← p - lr b

    Parameters
    ----------
    lr : float
        Learning rate.
    momentum : float
        In [0, 1): how much of the velocity a step keeps.
    weight_decay : float
        Strength of an L2 penalty, at least 0.

    Examples
    --------
    >>> params = {"weight": np.array([1.0, 2.0])}
    >>> SGD(lr=0.1).step(params, {"weight": np.array([1.0, -1.0])})
    >>> params["weight"]
    array([0.9, 2.1])
    """

    setting_names = ("momentum", "weight_decay")

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(lr)
        check_number("momentum", momentum, "a number in [0, 1)", high=1)
        check_number("weight_decay", weight_decay)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.moment_names = ("velocity",) if momentum else ()

    def _update(self, param: Array, grad: Array, *moments: Array) -> None:
        change = np.multiply(param, self.weight_decay, out=np.empty_like(param))
        change += grad
        for velocity in moments:  # one, or none without momentum
            velocity *= self.momentum
            velocity += change  # (S1)
            change[...] = velocity
        change *= self.lr
        param -= change  # (S2)


class Adam(Optimizer):
    """Adam: steps as large for small gradients as for large ones.

    With first moment m, second moment v and t the number of this step, as ``torch.optim.Adam``
    (Kingma & Ba 2015, algorithm 1)::

        (A1)  m ← β1 m + (1 - β1) dp
        (A2)  v ← β2 v + (1 - β2) dp²
        (A3)  p ← p - lr m̂ / (√v̂ + eps)     with m̂ = m / (1 - β1ᵗ),  v̂ = v / (1 - β2ᵗ)

    Parameters
    ----------
    lr : float
        Learning rate.
    betas : (float, float)
        β1 and β2, each in [0, 1).
    eps : float
        Above 0.
    """

    moment_names = ("m", "v")
    setting_names: tuple[str, ...] = ("betas", "eps")
    squares = ("v",)

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(lr)
        _require("betas", betas, np.shape(betas) == (2,), "two numbers in [0, 1)")
        for beta in betas:
            check_number("betas", beta, "two numbers in [0, 1)", high=1)
        check_number("eps", eps, "above 0 and finite", low=math.ulp(0.0))
        self.betas = betas
        self.eps = eps

    def _update(self, param: Array, grad: Array, *moments: Array) -> None:
        (m, v), (beta1, beta2) = moments, self.betas
        scratch = np.multiply(grad, 1 - beta1, out=np.empty_like(param))
        m *= beta1
        m += scratch  # (A1)
        np.square(grad, out=scratch)
        scratch *= 1 - beta2
        v *= beta2
        v += scratch  # (A2)
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - beta2**self.steps)
        scratch += self.eps
        np.divide(m, scratch, out=scratch)
        scratch *= self.lr / (1 - beta1**self.steps)
        param -= scratch  # (A3)


class AdamW(Adam):
    """Adam with weight decay that does not pass through the moments.

    As ``torch.optim.AdamW`` (Loshchilov & Hutter 2019, algorithm 2, with the decay scaled by lr)::

        (W1)  p ← (1 - lr weight_decay) p     and then (A1)-(A3)

    Parameters
    ----------
    lr, betas, eps
        As in :class:`Adam`.
    weight_decay : float
        At least 0.
    """

    setting_names = ("betas", "eps", "weight_decay")

    def __init__(
        self,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(lr, betas, eps)
        check_number("weight_decay", weight_decay)
        self.weight_decay = weight_decay

    def _update(self, param: Array, grad: Array, *moments: Array) -> None:
        param *= 1 - self.lr * self.weight_decay  # (W1)
        super()._update(param, grad, *moments)


def _require(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name}: expected {expected}, given {value}")


def __getattr__(name: str) -> Any:
    """Give the schedules, which 0.1.0 offered here too."""
    if name in ("Schedule", "constant", "cosine", "one_cycle"):
        return getattr(importlib.import_module(".training.learning_rate", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
