"""Parameters by name, and what all that has parameters shares: loading, another dtype, a repr."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, check_array, check_dtype, check_like

__all__ = [
    "JoinedParameters",
    "Layer",
    "Parameters",
    "check_writable",
    "draw",
    "ending",
    "joined",
    "part_of",
]


class Parameters(MutableMapping[str, Array]):
    """Arrays by name: each may be changed in place or replaced by another of its shape and dtype.

    No name can be added or removed.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Held as they are, not copied.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays: dict[str, Array] = dict(arrays)

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __setitem__(self, name: str, array: Array) -> None:
        if name not in self:
            raise KeyError(f"params: expected one of {', '.join(self)}, given {name!r}")
        check_array(f"params[{name!r}]", array, self[name].shape, self[name].dtype)
        self._put(name, array)

    def _put(self, name: str, array: Array) -> None:
        self._arrays[name] = array

    def __delitem__(self, name: str) -> None:
        raise TypeError("params: a parameter can be replaced, but not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __or__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**other, **self}

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the first, as of all."""
        return next(iter(self._arrays.values())).dtype

    def copy(self) -> dict[str, Array]:
        """Return a dictionary of the same arrays."""
        return dict(self)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.items())
        return f"<Parameters: {shapes}>"


class JoinedParameters(Parameters):
    """A view of other parameters under longer names: what is replaced here is replaced there.

    Parameters
    ----------
    **parts : Layer
        Under ``lstm.name``, say, is ``name`` of the part ``lstm``, whatever its params are then.
    """

    def __init__(self, **parts: Layer) -> None:
        super().__init__(joined({name: part.params for name, part in parts.items()}))
        self._parts = parts

    def __getitem__(self, name: str) -> Array:
        part, _, own = name.partition(".")
        if name not in self._arrays:
            raise KeyError(name)
        return self._parts[part].params[own]

    def _put(self, name: str, array: Array) -> None:
        part, _, own = name.partition(".")
        self._parts[part].params[own] = array


class Layer:
    """Something that owns parameters, and nothing else."""

    _params: Parameters

    @property
    def params(self) -> Parameters:
        """The parameters by name."""
        return self._params

    @params.setter
    def params(self, arrays: Mapping[str, Array]) -> None:
        if hasattr(self, "_params"):  # else the layer is being made
            if not isinstance(arrays, Mapping) or arrays.keys() != self._params.keys():
                check_like("params", arrays, self._params)  # says what does not fit
            for name, param in self._params.items():
                check_array(f"params[{name!r}]", arrays[name], param.shape, param.dtype)
        self._params = Parameters(arrays)

    def with_params(self, arrays: Mapping[str, Array]) -> Self:
        """Return a copy that has these parameters, unchecked, as of another dtype."""
        twin = copy.copy(self)
        twin._params = Parameters(arrays)
        return twin

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters."""
        return self.params.dtype

    def load_params(self, mapping: Mapping[str, Array]) -> None:
        """Copy parameters in, once every name, shape and dtype has been found right.

        Raises
        ------
        ValueError, TypeError
            If one is not, or one of ours is read-only; then nothing has changed.
        """
        check_like("params", mapping, self.params)
        check_writable(self.params)
        copies = {name: np.array(mapping[name]) for name in self.params}  # it may hold our own
        for name, param in self.params.items():
            param[...] = copies[name]

    def astype(self, dtype: DTypeLike) -> Self:
        """Return a copy with parameters of this dtype (complex128 for the complex-step check).

        Raises
        ------
        TypeError
            For another dtype than float32, float64 and complex128.
        """
        if np.dtype(dtype) != np.complex128:
            check_dtype(dtype)
        return self.with_params({name: p.astype(dtype) for name, p in self.params.items()})

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that make a layer like this one; the weights say the rest."""
        names = inspect.signature(type(self).__init__).parameters
        config = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return config | {"dtype": str(self.dtype)}

    def __repr__(self) -> str:
        """Write the call that makes one like this: the sizes, and what is not as by default."""
        parameters, arguments = inspect.signature(type(self).__init__).parameters, []
        for name, value in self.config.items():
            default = parameters[name].default
            if default is inspect.Parameter.empty:
                arguments.append(repr(value))
            elif value != (default if name != "dtype" else "float32"):
                arguments.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(arguments)})"


def check_writable(params: Mapping[str, Array]) -> None:
    """Demand arrays that can be changed in place, before any of them is."""
    for name, param in params.items():
        if not param.flags.writeable:
            raise ValueError(
                f"params[{name!r}]: expected an array to write to, given a read-only one; "
                f"replace it: params[{name!r}] = params[{name!r}].copy()"
            )


def draw(
    shapes: Mapping[str, tuple[int, ...]],
    fan_in: int,
    dtype: DTypeLike,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw each array from U(-1/√fan_in, 1/√fan_in), in this order, as PyTorch does."""
    dtype, bound = check_dtype(dtype), fan_in**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def joined(parts: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Name arrays as a model does: ``name`` of the part ``lstm`` becomes ``lstm.name``."""
    return {f"{p}.{n}": array for p, part in parts.items() for n, array in part.items()}


def part_of(arrays: Mapping[str, Array], part: str) -> dict[str, Array]:
    """Undo :func:`joined` for one part."""
    prefix = f"{part}."
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def ending(layer: int, direction: int) -> str:
    """Return PyTorch's ending for the names of a layer's parameters in a direction."""
    return f"_l{layer}" + ("_reverse" if direction else "")
