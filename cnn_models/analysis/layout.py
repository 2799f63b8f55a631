"""Where the units of an axis are in a tensor, through reshapes, splits and windows; without a framework."""

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cnn_models.analysis.geometry import Axis
from cnn_models.analysis.sampling import Resampling, Sampling
from cnn_models.analysis.views import NOTHING, Interval

Shape = Sequence[int | None]
MOST_ELEMENTS = 1 << 22
"""Of tensors with more elements, the order of units is lost where a reshape cuts axes across."""


class Digit(NamedTuple):
    """An axis of a tensor as one digit of a unit's number: index i has the digit (i // block) % size.

    Attributes:
        place: the axis of the tensor.
        size: number of values; None if not known.
        block: neighbouring indices with the same value. It is 1, and `size` is `total`, unless a reshape has merged
            the axis with another.
        total: size of the tensor's axis; None if not known.
    """

    place: int
    size: int | None
    block: int
    total: int | None


Layout = tuple[Digit, ...]
"""The digits of a unit's number, the slowest first. Without digits, all units are one."""


def plain(place: int, count: int | None) -> Layout:
    """The layout of units that are numbered along one axis of the tensor."""
    return (Digit(place, count, 1, count),)


@dataclasses.dataclass(frozen=True)
class Line:
    """What the units of a tensor see of one axis of the input, and where in the tensor they are.

    Attributes:
        axis: what the units see.
        layout: the number of a unit from its place in the tensor. If the axis is `rearranged`: the axes of the
            tensor along which the units differ, in an order that is not known.
    """

    axis: Axis
    layout: Layout

    @property
    def places(self) -> set[int]:
        """The axes of the tensor along which units see different positions."""
        return {digit.place for digit in self.layout}

    @property
    def fineness(self) -> tuple[bool, int]:
        """Orders lines by the number of their units; those in the order of the input come last."""
        return (bool(self.layout), 0 if self.axis.first is None or self.axis.rearranged else len(self.axis.first))

    @property
    def known(self) -> bool:
        """Whether it is known what each unit reads, and there are units."""
        return self.axis.first is not None and not self.axis.rearranged and len(self.axis.first) > 0

    def through(self, place: int, sampling: Sampling) -> "Line":
        """The line of a layer that reads these units through a sampling along an axis of the tensor."""
        if self.axis.rearranged or not any(digit.place == place for digit in self.layout):
            return self
        if self.is_plain(place):
            axis = self.axis.through(sampling)
            return Line(axis, plain(place, axis.count))
        if not self.known:
            return self.shuffled()
        if self._repeats:
            axis = self.axis.through(Resampling(self.layout[0].block)).through(sampling)
            return Line(axis, plain(place, axis.count))
        axis, sizes, rest = self.separated(place)
        count = sampling.length(sizes[-1])
        return Line(axis.sampled(sizes, sampling), rest + plain(place, count))

    def separated(self, place: int, total: int | None = None) -> tuple[Axis, list[int], Layout]:
        """The units with one dimension for an axis of the tensor, the last one, and others for the other axes.

        Args:
            place: the axis.
            total: its size, if the units do not differ along it.

        Returns:
            The axis, the sizes of its dimensions, and the layout of the others.
        """
        rest = tuple(digit for digit in self.layout if digit.place != place)
        length = next((digit.total for digit in self.layout if digit.place == place), total)
        assert length is not None
        if self.is_plain(place):
            return self.axis, [length], rest
        sizes = [digit.size or 1 for digit in rest] + [length]
        opened = iter(np.ogrid[tuple(map(slice, sizes))])
        along = np.arange(length).reshape([1] * len(rest) + [length])
        index = [along // d.block % (d.size or 1) if d.place == place else next(opened) for d in self.layout]
        shape = [digit.size or 1 for digit in self.layout] or [1]
        selected = np.broadcast_arrays(*(index or [np.zeros(sizes, int)]), np.empty(sizes))[:-1]
        return self.axis.taken(shape, selected), sizes, rest

    def pooled(self, places: Collection[int], keep: bool) -> "Line":
        """Each unit sees what all units along some axes of the tensor saw; if not `keep`, they are one unit then."""
        dims = [dim for dim, digit in enumerate(self.layout) if digit.place in places]
        rest = tuple(digit for digit in self.layout if digit.place not in places)
        if not dims:
            return self
        if not rest:
            if keep and not self.axis.rearranged:
                return Line(self.axis.mixed(), self.layout)
            return Line(self.axis.collapsed(), ())
        if not self.known:
            return Line(self.axis.shuffled(), self.layout if keep else rest)
        sizes = [digit.size or 1 for digit in self.layout]
        return Line(self.axis.pooled(sizes, dims, keep), self.layout if keep else rest)

    def moved(self, places: Mapping[int, int | None], shuffled: Collection[int] = ()) -> "Line":
        """Renumbers the axes of the tensor; the order of the units along the axes in `shuffled` is lost."""
        found = [(digit, places.get(digit.place)) for digit in self.layout]
        kept = tuple(digit._replace(place=place) for digit, place in found if place is not None)
        dropped = [digit for digit, place in found if place is None and digit.size != 1]
        line = Line(self.axis, kept)
        return line.shuffled() if dropped or self.places & set(shuffled) else line

    def shuffled(self) -> "Line":
        """The same units in an unknown order."""
        return Line(self.axis.shuffled(), tuple(Digit(place, None, 1, None) for place in sorted(self.places)))

    def broadcast(self, shape: Shape) -> "Line":
        """The line in a tensor of a larger shape, along whose other axes one unit is repeated."""
        single = {d.place for d in self.layout if d.total == 1 and d.place < len(shape) and shape[d.place] != 1}
        if not single:
            return self
        rest = tuple(digit for digit in self.layout if digit.place not in single)
        return Line(self.axis if rest else self.axis.spread(1), rest)

    def spread(self, like: "Line") -> "Line":
        """The line with units where another line has them, if that only repeats units; otherwise the same line."""
        if self.layout == like.layout or not like.layout or self.axis.rearranged:
            return self
        if self.layout:
            times = self._times(like)
            return Line(self.axis.through(Resampling(times)), like.layout) if times else self
        return Line(dataclasses.replace(self.axis.spread(like.axis), rearranged=like.axis.rearranged), like.layout)

    def _times(self, like: "Line") -> int | None:
        """How many neighbouring units of another line are in the place of one of these; None: it is not a number."""
        if not (self.known and like.known):
            return None
        rest = like.layout[len(self.layout) :]
        if self.layout + rest == like.layout:
            return math.prod(digit.size or 1 for digit in rest)
        if len(self.layout) == 1 and self._repeats and like.is_plain(self.layout[0].place):
            return self.layout[0].block
        return None

    @property
    def _repeats(self) -> bool:
        """Whether the units are along one axis of the tensor, in order, each several times."""
        return len(self.layout) == 1 and self.layout[0].block * (self.layout[0].size or 0) == self.layout[0].total

    def reshaped(self, before: Shape, after: Shape) -> "Line":
        """The same units in a tensor of another shape; both shapes begin with the batch."""
        if not self.layout:
            return self
        sizes = _sizes(before, after)
        if sizes is None or self.axis.rearranged or not self.known:
            return self._reshaped_partly(before, after)
        digits: list[Digit] = []
        for digit in self.layout:
            split = _split(digit, *sizes)
            if split is None:
                return self._reshaped_by_element(*sizes) or self._reshaped_partly(before, after)
            digits += split
        return Line(self.axis, _joined(digits))

    def _reshaped_by_element(self, before: Sequence[int], after: Sequence[int]) -> "Line | None":
        """The line with one unit for each element along the axes that change; None if there are too many elements.

        An example is the shift of relative positions, which reads rows of 9 numbers as rows of 10.
        """
        head, tail = _common(before, after), _common(before[::-1], after[::-1])
        end, shift = len(before) - tail, len(after) - len(before)
        kept = sorted(place for place in self.places if not head <= place < end)
        places = [*(place for place in kept if place < head), *range(head, end), *(p for p in kept if p >= end)]
        sizes = [before[place] for place in places]
        if tail + head > min(len(before), len(after)) or math.prod(sizes) > MOST_ELEMENTS:
            return None
        index = dict(zip(places, np.ogrid[tuple(map(slice, sizes))], strict=True))
        selected = np.broadcast_arrays(
            *(index[d.place] // d.block % (d.size or 1) for d in self.layout), np.empty(sizes)
        )
        axis = self.axis.taken([digit.size or 1 for digit in self.layout], selected[:-1])
        new = [place for place in kept if place < head] + list(range(head, end + shift))
        new += [place + shift for place in kept if place >= end]
        return Line(axis, tuple(Digit(place, after[place], 1, after[place]) for place in new))

    def _reshaped_partly(self, before: Shape, after: Shape) -> "Line":
        """Axes at either end that keep their length stay; the order of the units along the others is lost."""
        head = tail = 0
        if _comparable(before[1:], after[1:]):
            head = _common(before[1:], after[1:])
            tail = _common(before[head + 1 :][::-1], after[head + 1 :][::-1])
        rows = 0 in self.places and before[0] != after[0]  # the batch holds windows of the picture
        stay = {} if rows else {axis: axis for axis in range(head + 1)}
        stay |= {len(before) - 1 - i: len(after) - 1 - i for i in range(tail)}
        if self.places <= stay.keys():
            return self.moved(stay)
        middle = [axis for axis in range(0 if rows else head + 1, len(after) - tail) if after[axis] != 1]
        new = sorted({stay[place] for place in self.places if place in stay} | set(middle))
        return Line(self.axis.shuffled(), tuple(Digit(place, None, 1, None) for place in new))

    def interval(self, index: Mapping[int, int]) -> Interval:
        """The positions that the unit at some place of the tensor reads."""
        if self.axis.rearranged:
            raise ValueError("A reshape has rearranged the units: what one of them reads is not known.")
        if self.axis.first is None or self.axis.last is None:
            raise ValueError("What a unit reads depends on the size of the input, which is not known.")
        number = 0
        for place, size, block, total in self.layout:
            if place not in index:
                raise ValueError(f"The units differ along axis {place} of the tensor: give an index for it.")
            if not 0 <= index[place] < (total or 0):
                raise IndexError(f"Axis {place} of the tensor has {total} units, none with the index {index[place]}.")
            number = number * (size or 1) + index[place] // block % (size or 1)
        first, last = int(self.axis.first[number]), int(self.axis.last[number])
        return (first, last) if first <= last else NOTHING

    def ends(self, grid: Mapping[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """First and last position that the units at some places read; both broadcast with the places.

        Args:
            grid: the index along each axis of the tensor that makes a difference.
        """
        assert self.axis.first is not None
        assert self.axis.last is not None
        number: np.ndarray | int = 0
        for place, size, block, _ in self.layout:
            number = number * (size or 1) + grid[place] // block % (size or 1)
        return self.axis.first[number], self.axis.last[number]

    def is_plain(self, place: int) -> bool:
        """Whether the units are numbered along one axis of the tensor, this one."""
        if len(self.layout) != 1:
            return False
        (digit,) = self.layout
        return digit.place == place and digit.block == 1 and digit.size == digit.total


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
    return tuple(result)


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
