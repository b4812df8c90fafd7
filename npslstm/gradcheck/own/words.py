"""Say in words what is seen when wrong gradients lie beside the right ones.

Each function looks for one thing, and returns a sentence for each place where it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ...arguments import Array

__all__ = ["blocks_seen", "patterns", "steps_seen", "the_rest_is_right"]

EQUAL = 1e-6  # relative: what differs by less was only rounded otherwise
Gradients = Mapping[str, Array]


def patterns(given: Gradients, right: Gradients, wrong: Sequence[str], rows: int) -> list[str]:
    """Say what whole arrays of gradients show.

    Parameters
    ----------
    given, right : dict of ndarray
        The gradients that backward returned, and the right ones.
    wrong : sequence of str
        The names of those that are wrong.
    rows : int
        N, the rows of the batch; 1 if that is not known.
    """
    found = list(_no_influence(right))
    left = [name for name in wrong if not _is_zero(right[name], right)]
    for look in (_nothing, _swapped, _copied, _scaled(rows), _cut, _transposed):
        names = set()
        for sentence, explained in look(given, right, left):
            found.append(sentence)
            names |= set(explained)
        left = [name for name in left if name not in names]
    return found


def steps_seen(given: Array, right: Array, axis: int) -> list[str]:
    """Say at which steps dx is right."""
    good = np.array(
        [_equal(given.take(t, axis), right.take(t, axis)) for t in range(right.shape[axis])]
    )
    steps = len(good)
    if good.all() or not good.any():
        return []
    if good[-1] and not good[:-1].any():
        return [
            "dx is right at the last step and wrong before: what is carried back from step to step "
            "is lost or wrong"
        ]
    if good[1:].all():
        return ["dx is wrong at the first step alone"]
    if not good[-1] and good[:-1].all():
        return ["dx is wrong at the last step alone: look at how the loop over time starts"]
    where = ", ".join(str(t) for t in range(steps) if good[t])
    return [f"dx is right at step {where} of 0 to {steps - 1}, and wrong at the others"]


def the_rest_is_right(
    names: Sequence[str], wrong: Sequence[str], readout: Sequence[str]
) -> list[str]:
    """Say if a readout is right, and all that lies below it wrong."""
    below = [name for name in names if name not in readout]
    if readout and below and not set(readout) & set(wrong) and set(below) <= set(wrong):
        return [f"the readout ({', '.join(readout)}) is right, what lies below it is wrong"]
    return []


def blocks_seen(
    given: Mapping[str, Sequence[Array]],
    right: Mapping[str, Sequence[Array]],
    blocks: Sequence[str],
) -> list[str]:
    """Say which blocks of each array are wrong, a gate's say, where some are right.

    ``blocks`` says what each block is called. Blocks where both sides are 0 say nothing, and
    nothing is said of them.
    """
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for name in given:
        pairs = list(zip(blocks, given[name], right[name], strict=True))
        bad = tuple(block for block, a, b in pairs if not _equal(a, b))
        good = tuple(block for block, a, b in pairs if _equal(a, b) and np.any(b))
        if bad or good:
            alike.setdefault((bad, good), []).append(name)
    if not any(bad for bad, _ in alike) or not any(good for _, good in alike):
        return []
    found = []
    for (bad, good), names in alike.items():
        parts = [
            f"{word} in all blocks" if len(part) == len(blocks) else f"{_are(part)} {word}"
            for word, part in (("wrong", bad), ("right", good))
            if part
        ]
        found.append(f"{_and(names)}: {', '.join(parts)}")
    return found


Seen = Iterator[tuple[str, Sequence[str]]]  # a sentence, and the names that it explains


def _no_influence(right: Gradients) -> Iterator[str]:
    for name, array in right.items():
        if array.size and _is_zero(array, right):
            yield f"outputs do not depend on {name}: its gradient is 0"


def _nothing(given: Gradients, right: Gradients, names: Sequence[str]) -> Seen:
    for name in names:
        if not np.any(given[name]):
            yield f"the gradient of {name} is 0 throughout", [name]


def _swapped(given: Gradients, right: Gradients, names: Sequence[str]) -> Seen:
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            if _equal(given[one], right[other]) and _equal(given[other], right[one]):
                yield f"the gradients of {one} and {other} are swapped", [one, other]


def _copied(given: Gradients, right: Gradients, names: Sequence[str]) -> Seen:
    groups: dict[str, list[str]] = {}
    for name in names:
        for other in sorted(given, key=lambda other: not _equal(given[other], right[other])):
            equal = other != name and _equal(given[name], given[other])
            if equal and not _equal(right[name], right[other]) and name not in groups:
                groups.setdefault(other, []).append(name)
                break
    for other, copies in groups.items():
        verb = "gradients of" if len(copies) > 1 else "gradient of"
        yield (
            f"the {verb} {_and(copies)} equal{'s' * (len(copies) == 1)} that of {other}",
            copies,
        )


def _scaled(rows: int) -> Callable[[Gradients, Gradients, Sequence[str]], Seen]:
    def look(given: Gradients, right: Gradients, names: Sequence[str]) -> Seen:
        groups: dict[float, list[str]] = {}
        for name in names:
            a, b = given[name].ravel(), right[name].ravel()
            size = float(b @ b)
            ratio = float(a @ b) / size if size else 0.0
            if abs(ratio - 1) <= EQUAL:  # not seen in what is printed, and not what is wrong
                continue
            if b.size > 1 and ratio and np.linalg.norm(a - ratio * b) <= EQUAL * np.linalg.norm(a):
                near = next((r for r in groups if abs(r - ratio) <= EQUAL * abs(r)), ratio)
                groups.setdefault(near, []).append(name)
        for ratio, alike in groups.items():
            whose = (
                f"{alike[0]}'s gradient is"
                if len(alike) == 1
                else (f"the gradients of {_and(alike)} are")
            )
            ones = "one" if len(alike) == 1 else "ones"
            if abs(ratio + 1) <= EQUAL:
                yield f"{whose} minus the right {ones}: a wrong sign", alike
                continue
            why = "clipped or scaled"
            if rows > 1 and abs(ratio * rows - 1) <= EQUAL:
                why += f", as by a mean over the {rows} rows of the batch"
            yield f"{whose} {ratio:.2f} of the right {ones}, cosine 1: {why}", alike

    return look


def _cut(given: Gradients, right: Gradients, names: Sequence[str]) -> Seen:
    for name in names:
        limit = float(np.max(np.abs(given[name]), initial=0.0))
        if np.any(np.abs(right[name]) > limit) and _equal(
            given[name], np.clip(right[name], -limit, limit)
        ):
            yield f"{name}'s gradient is right but for entries beyond ±{limit:.3g}: clipped", [name]


def _transposed(given: Gradients, right: Gradients, names: Sequence[str]) -> Seen:
    for name in names:
        if right[name].ndim == 2 and _equal(given[name], right[name].T):
            yield f"{name}'s gradient is the right one transposed", [name]


def _equal(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    size = max(np.linalg.norm(one), np.linalg.norm(other))
    return bool(np.linalg.norm(one - other) <= EQUAL * size)


def _is_zero(array: Array, all_of_them: Gradients) -> bool:
    largest = max(float(np.max(np.abs(a), initial=0.0)) for a in all_of_them.values())
    return bool(np.max(np.abs(array), initial=0.0) <= 1e-9 * largest)


def _are(names: Sequence[str]) -> str:
    return f"{_and(names)} {'are' if len(names) > 1 else 'is'}"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
