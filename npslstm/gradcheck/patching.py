"""Put one function in another's place for a while, to see a calculation go wrong."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Given", "Make", "Patch", "after", "arguments", "before", "instead", "patched", "within"]

Make = Callable[[Any], Any]  # from the right function to the wrong one
Given = dict[str, Any]  # a call's arguments by name


class Patch(NamedTuple):
    """A wrong version of ``owner.name``, made from the right one."""

    owner: ModuleType | type
    name: str
    make: Make

    def apply(self) -> AbstractContextManager[None]:
        """Put it in place: a method in its class, a function wherever it was imported to."""
        right = getattr(self.owner, self.name)
        if isinstance(self.owner, ModuleType):
            return _patched_everywhere(right, self.make(right))
        return patched(self.owner, self.name, self.make(right))


def instead(value: Any) -> Make:
    """Something else altogether."""
    return lambda right: value


def before(**changes: Callable[[Any], Any]) -> Make:
    """Change arguments, by name, on their way in."""

    def make(right: Any) -> Any:
        @functools.wraps(right)
        def wrong(*args: Any, **options: Any) -> Any:
            given = arguments(right, args, options)
            return right(**given | {name: change(given[name]) for name, change in changes.items()})

        return wrong

    return make


def after(change: Callable[[Any, Given], Any]) -> Make:
    """Change the result: ``change(result, given)`` returns another, or None and works in place."""

    def make(right: Any) -> Any:
        @functools.wraps(right)
        def wrong(*args: Any, **options: Any) -> Any:
            given = arguments(right, args, options)
            result = right(**given)
            changed = change(result, given)
            return result if changed is None else changed

        return wrong

    return make


def within(owner: type, name: str, value: Any) -> Make:
    """Let ``owner.name`` be ``value`` while the function runs."""

    def make(right: Any) -> Any:
        @functools.wraps(right)
        def wrong(*args: Any, **options: Any) -> Any:
            with patched(owner, name, value):
                return right(*args, **options)

        return wrong

    return make


def arguments(function: Any, args: tuple[Any, ...], options: Given) -> Given:
    """Return the arguments of a call by name, with defaults."""
    bound = inspect.signature(function).bind(*args, **options)
    bound.apply_defaults()
    return bound.arguments


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let ``owner.name`` be ``value`` inside the ``with`` block; what was inherited is so again."""
    own, original = name in vars(owner), getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)


@contextmanager
def _patched_everywhere(function: Callable[..., Any], value: Any) -> Iterator[None]:
    """Replace a module's function under every name that a module of the package knows it by."""
    package = __name__.partition(".")[0]
    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").partition(".")[0] == package:
                for name in [n for n, bound in vars(module).items() if bound is function]:
                    stack.enter_context(patched(module, name, value))
        yield
