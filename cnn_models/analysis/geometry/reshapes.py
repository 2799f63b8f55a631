"""How a reshape changes where units are in a tensor: axes that are split, merged, or cut across."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from cnn_models.analysis.geometry import axis_changes
from cnn_models.analysis.geometry.layout import Digit, Layout
from cnn_models.analysis.geometry.line import Line

Shape = Sequence[int | None]
MOST_ELEMENTS = 1 << 22
"""Of tensors with more elements, the order of units is lost where a reshape cuts axes across."""


def reshaped(line: Line, before: Shape, after: Shape) -> Line:
    """The same units in a tensor of another shape; both shapes begin with the batch."""
    if not line.layout.digits:
        return line
    sizes = _sizes(before, after)
    if sizes is None or not line.known:
        return _partly(line, before, after)
    digits: list[Digit] = []
    for digit in line.layout.digits:
        split = _split(digit, *sizes)
        if split is None:
            return _by_element(line, *sizes) or _partly(line, before, after)
        digits += split
    return Line(line.axis, _joined(digits))


def _by_element(line: Line, before: Sequence[int], after: Sequence[int]) -> Line | None:
    """The line with one unit for each element along the axes that change; None if there are too many elements.

    An example is the shift of relative positions, which reads rows of 9 numbers as rows of 10.
    """
    head, tail = _common(before, after), _common(before[::-1], after[::-1])
    end, shift = len(before) - tail, len(after) - len(before)
    kept = sorted(place for place in line.places if not head <= place < end)
    places = [*(place for place in kept if place < head), *range(head, end), *(p for p in kept if p >= end)]
    sizes = [before[place] for place in places]
    if tail + head > min(len(before), len(after)) or math.prod(sizes) > MOST_ELEMENTS:
        return None
    grid = dict(zip(places, np.ogrid[tuple(map(slice, sizes))], strict=True))
    axis = axis_changes.taken(line.axis, np.broadcast_to(line.layout.numbers(grid), sizes))
    new = [place for place in kept if place < head] + list(range(head, end + shift))
    new += [place + shift for place in kept if place >= end]
    return Line(axis, Layout(tuple(Digit(place, after[place], 1, after[place]) for place in new)))


def _partly(line: Line, before: Shape, after: Shape) -> Line:
    """Axes at either end that keep their length stay; the order of the units along the others is lost."""
    head = tail = 0
    if _comparable(before[1:], after[1:]):
        head = _common(before[1:], after[1:])
        tail = _common(before[head + 1 :][::-1], after[head + 1 :][::-1])
    rows = 0 in line.places and before[0] != after[0]  # the batch holds windows of the picture
    stay = {} if rows else {axis: axis for axis in range(head + 1)}
    stay |= {len(before) - 1 - i: len(after) - 1 - i for i in range(tail)}
    if line.places <= stay.keys():
        return line.moved(stay)
    middle = [axis for axis in range(0 if rows else head + 1, len(after) - tail) if after[axis] != 1]
    new = {stay[place] for place in line.places if place in stay} | set(middle)
    return Line(axis_changes.shuffled(line.axis), Layout.unordered(new))


def _split(digit: Digit, before: Sequence[int], after: Sequence[int]) -> list[Digit] | None:
    """The digits of a new shape that together are this digit; None if its units do not fill whole axes."""
    low = digit.block * math.prod(before[digit.place + 1 :])
    high = low * (digit.size or 1)
    digits = []
    for place, total in enumerate(after):
        step = math.prod(after[place + 1 :])
        start, stop = max(low, step), min(high, step * total)
        if start >= stop:
            continue
        if start % low or high % stop or stop % start or start % step or (step * total) % stop:
            return None
        digits.append(Digit(place, stop // start, start // step, total))
    return digits if math.prod(each.size or 1 for each in digits) == digit.size else None


def _joined(digits: Sequence[Digit]) -> Layout:
    """The same digits, with neighbours of one axis made one."""
    result: list[Digit] = []
    for digit in digits:
        last = result[-1] if result else None
        size = digit.size or 1
        if last and last.place == digit.place and last.block == digit.block * size:
            result[-1] = Digit(digit.place, (last.size or 1) * size, digit.block, digit.total)
        else:
            result.append(digit)
    return Layout(tuple(result))


def _sizes(before: Shape, after: Shape) -> tuple[list[int], list[int]] | None:
    """Both shapes for a batch of one; None if another size is not known.

    A reshape may move axes of the picture into the batch (as windows), and back.
    """
    old = [size for size in before[1:] if size is not None]
    new = [size for size in after[1:] if size is not None]
    if len(old) < len(before) - 1 or len(new) < len(after) - 1:
        return None
    if not math.prod(old):
        return None
    first = before[0] or max(math.prod(new) // math.prod(old), 1)
    total = first * math.prod(old)
    if math.prod(new) == 0 or total % math.prod(new):
        return None
    return [first, *old], [after[0] or total // math.prod(new), *new]


def _common(before: Shape, after: Shape) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _comparable(before: Shape, after: Shape) -> bool:
    """Whether equal entries of two shapes mean equal lengths: at most one is unknown, and the known sizes agree."""
    known = [[n for n in shape if n is not None] for shape in (before, after)]
    return all(len(n) >= len(s) - 1 for n, s in zip(known, (before, after), strict=True)) and (
        math.prod(known[0]) == math.prod(known[1])
    )
