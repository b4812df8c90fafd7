"""Parameters by name, and what all that has parameters shares: loading, another dtype, a repr."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from .arguments import Array, check_array, check_dtype, check_like

__all__ = ["Layer", "Parameters", "draw", "ending"]


class Parameters(MutableMapping[str, Array]):
    """Arrays by name: each may be changed in place or replaced by another of its shape and dtype.

    No name can be added or removed. With ``parts``, a view of other parameters under longer names:
    what is replaced here is replaced there, so that there is one truth.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Held as they are, not copied.
    parts : mapping of str to Parameters, optional
        Others to show here, by the prefix of their names.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array] | None = None,
        parts: Mapping[str, Parameters] | None = None,
    ) -> None:
        self._own: dict[str, Array] = dict(arrays or {})
        # Where the array of each name lies, and what it is called there.
        self._place = {name: (self._own, name) for name in self._own}
        for prefix, part in (parts or {}).items():
            self._place |= {prefix + name: place for name, place in part._place.items()}

    def __getitem__(self, name: str) -> Array:
        owner, own_name = self._place[name]
        return owner[own_name]

    def __setitem__(self, name: str, array: Array) -> None:
        if name not in self._place:
            raise KeyError(f"params: expected one of {', '.join(self)}, given {name!r}")
        check_array(f"params[{name!r}]", array, self[name].shape, self[name].dtype)
        owner, own_name = self._place[name]
        owner[own_name] = array

    def __delitem__(self, name: str) -> None:
        raise TypeError("params: a parameter can be replaced, but not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)

    def __or__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**other, **self}

    def copy(self) -> dict[str, Array]:
        """Return a dictionary of the same arrays."""
        return dict(self)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.items())
        return f"<Parameters: {shapes}>"


class Layer:
    """Something that owns parameters, and nothing else."""

    @property
    def params(self) -> Parameters:
        """The parameters by name."""
        return self._params

    @params.setter
    def params(self, arrays: Mapping[str, Array]) -> None:
        self._params = arrays if isinstance(arrays, Parameters) else Parameters(arrays)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters."""
        return next(iter(self.params.values())).dtype

    def load_params(self, mapping: Mapping[str, Array]) -> None:
        """Copy parameters in, once every name, shape and dtype has been found right.

        Raises
        ------
        ValueError, TypeError
            If one is not; then nothing has changed.
        """
        check_like("params", mapping, self.params)
        for name, param in self.params.items():
            param[...] = mapping[name]

    def astype(self, dtype: DTypeLike) -> Self:
        """Return a copy with parameters of this dtype (complex128 for the complex-step check)."""
        twin = copy.copy(self)
        twin.params = Parameters({name: param.astype(dtype) for name, param in self.params.items()})
        return twin

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


def draw(
    shapes: Mapping[str, tuple[int, ...]],
    fan_in: int,
    dtype: DTypeLike,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw each array from U(-1/√fan_in, 1/√fan_in), in this order, as PyTorch does."""
    dtype, bound = check_dtype(dtype), fan_in**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def ending(layer: int, direction: int) -> str:
    """Return PyTorch's ending for the names of a layer's parameters in a direction."""
    return f"_l{layer}" + ("_reverse" if direction else "")
