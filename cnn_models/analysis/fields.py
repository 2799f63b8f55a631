"""Receptive fields of tensors: what their units see of an input, axis by axis, without a framework."""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from cnn_models.analysis.geometry import UNSEEN, Axis, merged
from cnn_models.analysis.layout import Line, plain
from cnn_models.analysis.sampling import FAR, Sampling, Window
from cnn_models.analysis.views import NOTHING, hull

Part = tuple[Line, ...]
"""Units whose fields are rectangles: one `Line` for each spatial axis of the input."""
MOST_UNITS = 1 << 22
"""Of tensors with more units, a size that is not the same for all units is not computed."""
Positions = tuple[int | tuple[int, ...] | None, ...]


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """What the units of one tensor see of the input.

    The properties give one number for each spatial axis of the input, in positions (pixels) of the
    input; None means undefined. They describe an input without borders; `unit` and `box` describe the actual
    input.

    Attributes:
        parts: the fields through different paths; a unit's field is the smallest rectangle that contains
            them. Two parts are kept apart if they differ in which units read nothing but padding,
            since such a unit has no rectangle, or in the axes of the tensor along which their units differ.
        unknown: what is not known of the layers before this tensor; then nothing is known of its field.
    """

    parts: tuple[Part, ...]
    unknown: tuple[object, ...] = ()

    @classmethod
    def of_input(cls, lengths: Mapping[int, int | None]) -> "ReceptiveField":
        """The field of the input itself; `lengths` maps its spatial axes to their sizes."""
        equal: dict[int | None, Axis] = {length: Axis.of_input(length) for length in lengths.values()}
        return cls((tuple(Line(equal[length], plain(place, length)) for place, length in lengths.items()),))

    @classmethod
    def unseen(cls, lengths: Iterable[int | None]) -> "ReceptiveField":
        """The field of a tensor that does not depend on an input of these sizes."""
        return cls((tuple(Line(Axis.unseen(length), ()) for length in lengths),))

    def forgotten(self, reasons: Iterable[object]) -> "ReceptiveField":
        """The field of a tensor behind layers of which it is not known what they see."""
        axes = (dataclasses.replace(axis, first=None, last=None).undefined() for axis in self.axes)
        return ReceptiveField((tuple(Line(axis, ()) for axis in axes),), tuple(dict.fromkeys(reasons)))

    @property
    def depends(self) -> bool:
        """Whether a unit sees anything of the input, as far as is known."""
        return bool(self.unknown) or any(axis.views != UNSEEN for axis in self.axes)

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The field along each spatial axis of the input, over all paths together.

        Where paths lead to different axes of the tensor, the order of the units is not described.
        """
        return tuple(map(_together, zip(*_seeing(self.parts), strict=True)))

    @functools.cached_property
    def positions(self) -> Positions:
        """For each spatial axis of the input, the axis of the tensor along which units see different positions of it.

        None if all units see the same; several axes after a reshape that splits the axis.
        """
        return tuple(map(_position, zip(*_seeing(self.parts), strict=True)))

    @functools.cached_property
    def size(self) -> tuple[int | None, ...]:
        """Size of a unit's field in an input without borders; it may exceed the actual input (see `Axis.size`).

        Where fields do not repeat along the units, as after attention among every second position, it is the largest
        number of positions that a unit reads of the actual input.
        """
        return tuple(self._read(k) if axis.size is None else axis.size for k, axis in enumerate(self.axes))

    def _read(self, k: int) -> int | None:
        """The largest number of positions that a unit reads along an axis of the actual input; None if not known."""
        if any(axis.nothing for axis in self.axes):
            return 0
        lines = [line for part in self.parts for line in part]
        blind = any(line.axis.blind for line in lines)  # then a part counts where no line of it is blind
        counted = lines if blind else [part[k] for part in self.parts]
        totals = {digit.place: digit.total for line in counted for digit in line.layout}
        sizes = [total for _, total in sorted(totals.items()) if total is not None]
        if not all(line.known for line in counted) or len(sizes) < len(totals) or math.prod(sizes) > MOST_UNITS:
            return None
        grid = dict(zip(sorted(totals), np.ogrid[tuple(map(slice, sizes))], strict=True))
        lowest, highest = np.full(sizes, FAR, np.int32), np.full(sizes, -1, np.int32)
        for part in self.parts:
            first, last = part[k].ends(grid)
            for low, high in [line.ends(grid) for line in part] if blind else []:
                first, last = np.where(low > high, FAR, first), np.where(low > high, -1, last)
            lowest, highest = np.minimum(lowest, first), np.maximum(highest, last)
        return int((highest - lowest).max(initial=-1)) + 1

    @functools.cached_property
    def stride(self) -> tuple[int | Fraction | None, ...]:
        """Input positions by which the field moves from one unit to the next; a fraction after upsampling."""
        return tuple(axis.stride for axis in self.axes)

    @functools.cached_property
    def padding(self) -> tuple[int | None, ...]:
        """Number of positions by which the first unit's field begins before the input."""
        return tuple(axis.padding for axis in self.axes)

    @property
    def centre(self) -> tuple[float | None, ...]:
        """Centre of the first unit's field; None if it is undefined or branches disagree."""
        return tuple(axis.centre for axis in self.axes)

    @functools.cached_property
    def centres(self) -> tuple[tuple[float, ...], ...]:
        """Centre of the first unit's field; lowest and highest centre if branches with different centres have met."""
        return tuple(axis.centres for axis in self.axes)

    @functools.cached_property
    def whole(self) -> tuple[bool, ...]:
        """Whether every unit sees the whole input, as after a global layer."""
        return tuple(axis.whole for axis in self.axes)

    @functools.cached_property
    def aligned(self) -> bool | None:
        """Whether all paths to a unit have the same stride and centre, along every axis; None: undefined."""
        return every(axis.aligned for axis in self.axes)

    @functools.cached_property
    def beyond(self) -> bool | None:
        """Whether a unit sees beyond the input along every axis; None: undefined."""
        lengths = [axis.length for axis in self.axes]
        pairs = zip(self.size, lengths, strict=True)
        return every(None if size is None or n is None else size > n for size, n in pairs) if lengths else False

    def unit(self, index: Sequence[int]) -> tuple[tuple[int, int], ...] | None:
        """The part of the actual input that one unit reads.

        Args:
            index: the unit's index for each spatial axis of the input (`positions` gives the tensor's axis).
                It is ignored if all units see the same.

        Returns:
            First and last position along each axis, both included; None if the unit reads only padding.

        Raises:
            ValueError: the size of the input is not known, or the units are no longer in the order of the input: ask
                for a unit by its place in the tensor, with `box`.
            IndexError: the tensor has no such unit.
        """
        positions = self.positions
        if len(index) != len(positions):
            raise ValueError(f"Expected {len(positions)} indices, one a spatial axis of the input; got {len(index)}.")
        if any(isinstance(place, tuple) for place in positions):
            raise ValueError("A reshape has rearranged the units along several axes: use `box`.")
        places: dict[int, int] = {}
        for place, i in zip(positions, index, strict=True):
            if isinstance(place, int) and places.setdefault(place, i) != i:
                raise ValueError(f"Axis {place} of the tensor has one index, not both {places[place]} and {i}.")
        return self.box(places)

    def box(self, index: Mapping[int, int]) -> tuple[tuple[int, int], ...] | None:
        """The part of the actual input that the unit at some place of the tensor reads.

        Args:
            index: the unit's index along the axes of the tensor; of axes that make no difference it may be missing.

        Returns:
            First and last position along each axis of the input, both included; None if the unit reads only padding.

        Raises:
            ValueError: the size of the input or the order of the units is not known.
            IndexError: the tensor has no such unit.
        """
        if self.unknown:
            raise ValueError("What a unit reads is not known: there is no rule for a layer before it.")
        boxes = [box for part in self.parts if (box := [line.interval(index) for line in part]) and NOTHING not in box]
        if not boxes:
            return None
        return tuple((int(first), int(last)) for first, last in map(hull, zip(*boxes, strict=True)))

    def seeing(self, position: Sequence[int]) -> tuple[np.ndarray, ...]:
        """The units that read one position of the actual input.

        Args:
            position: its index along each spatial axis of the input.

        Returns:
            For each spatial axis of the input the indices of the units, in order, along the axis of the tensor that
            `positions` gives; index 0 stands for all units if they see the same.

        Raises:
            ValueError: the size of the input is not known, or the units are no longer in the order of the input.
            IndexError: the input has no such position.
        """
        if self.unknown:
            raise ValueError("What a unit reads is not known: there is no rule for a layer before it.")
        if len(position) != len(self.axes):
            raise ValueError(f"Expected {len(self.axes)} indices, one for each axis of the input; got {len(position)}.")
        found = []
        for axis, at in zip(self.axes, position, strict=True):
            if axis.first is None or axis.last is None or axis.rearranged:
                raise ValueError("The size of the input is not known, or a reshape has rearranged the units.")
            if not 0 <= at < (axis.length or 0):
                raise IndexError(f"The input has {axis.length} positions along this axis, none with the index {at}.")
            found.append(np.flatnonzero((axis.first <= at) & (at <= axis.last)))
        return tuple(found)

    # How layers change a field. Rules are composed of these methods. "Axes" below are axes of the tensor.

    def through(self, samplings: Mapping[int, Sampling]) -> "ReceptiveField":
        """The field of a layer that reads these units through a sampling along some axes (as a convolution does)."""
        return self._each(
            lambda line: functools.reduce(lambda seen, each: seen.through(*each), samplings.items(), line)
        )

    def mixed(self, positions: Collection[int]) -> "ReceptiveField":
        """Each unit now sees what all units along these axes saw (as after a normalisation along them)."""
        return self._each(lambda line: line.pooled(positions, keep=True))

    def collapsed(self, positions: Collection[int]) -> "ReceptiveField":
        """Like `mixed`, and these axes no longer distinguish units (as after a dense layer)."""
        return self._each(lambda line: line.pooled(positions, keep=False))

    def moved(self, places: Mapping[int, int | None], shuffled: Collection[int] = ()) -> "ReceptiveField":
        """Renumbers the axes by `places`; the order of the units along the axes in `shuffled` is lost."""
        return self._each(lambda line: line.moved(places, shuffled))

    def reshaped(self, before: Sequence[int | None], after: Sequence[int | None]) -> "ReceptiveField":
        """The field of the same units in a tensor of another shape.

        Args:
            before: the shape, with the batch.
            after: the new shape, with the batch.
        """
        return self._each(lambda line: line.reshaped(before, after))

    def _each(self, change: Callable[[Line], Line]) -> "ReceptiveField":
        parts = [tuple(map(change, part)) for part in self.parts]
        if all(new is old for pair in zip(parts, self.parts, strict=True) for new, old in zip(*pair, strict=True)):
            return self
        return dataclasses.replace(self, parts=_united(parts))


def every(answers: Iterable[bool | None]) -> bool | None:
    """Whether all answers are true, in three-valued logic: None means unknown."""
    known = set(answers)
    return False if False in known else None if None in known else True


def meet(
    fields: Sequence[ReceptiveField],
    along: int | None = None,
    counts: Sequence[int | None] = (),
    shape: Sequence[int | None] = (),
    apart: bool = False,
) -> ReceptiveField:
    """The field of a layer that combines several tensors element by element, or concatenates them.

    Args:
        fields: the fields of tensors of the same rank. An axis with one unit is broadcast.
        along: the axis along which the tensors are concatenated; None: they are combined element by element.
        counts: for a concatenation, the size of each tensor along that axis.
        shape: the shape of the result; by default, as large as the largest tensor along each axis.
        apart: for a concatenation along an axis along which no units differ so far: whether units of different tensors
            are told apart. The channels of a picture are not.
    """
    if all(field is fields[0] for field in fields) and along is None:
        return fields[0]
    unknown = tuple(dict.fromkeys(reason for field in fields for reason in field.unknown))
    if along is not None:
        return ReceptiveField(_united(_concatenated(fields, along, counts, apart)), unknown)
    parts = [part for field in fields for part in field.parts]
    shape = shape or _largest(parts)
    return ReceptiveField(_united([tuple(line.broadcast(shape) for line in part) for part in parts]), unknown)


def _largest(parts: Iterable[Part]) -> list[int | None]:
    """The largest size along each axis of a tensor along which units differ; 1 elsewhere."""
    digits = [digit for part in parts for line in part for digit in line.layout]
    rank = max((digit.place for digit in digits), default=-1) + 1
    sizes = [{digit.total for digit in digits if digit.place == place} for place in range(rank)]
    return [None if None in size else max((n for n in size if n is not None), default=1) for size in sizes]


def _concatenated(
    fields: Sequence[ReceptiveField], along: int, counts: Sequence[int | None], apart: bool
) -> list[Part]:
    """The parts of tensors that are concatenated along an axis. Through each, the units of the others read nothing."""
    distinct = [k for k in range(len(fields[0].axes)) if any(along in p[k].places for f in fields for p in f.parts)]
    if apart and not distinct and any(field is not fields[0] for field in fields):
        distinct = [0]
    parts = []
    empty = [field.axes and all(axis.nothing for axis in field.axes) for field in fields]
    for number, field in enumerate(fields):
        for part in field.parts if not empty[number] or all(empty) else ():
            own = [k for k in distinct if along in part[k].places] or distinct[:1]
            parts.append(
                tuple(_beside(line, along, counts, number) if k in own else line for k, line in enumerate(part))
            )
    return parts


def _beside(line: Line, along: int, counts: Sequence[int | None], number: int) -> Line:
    """The line of one of several concatenated tensors."""
    sizes = [count for count in counts if count is not None]
    if not line.known or len(sizes) < len(counts):
        return Line(line.axis.undefined(), line.layout or plain(along, None)).shuffled()
    axis, dims, rest = line.separated(along, counts[number])
    window = Window(before=sum(sizes[:number]), after=sum(sizes[number + 1 :]))
    return Line(axis.sampled(dims, window), rest + plain(along, sum(sizes)))


def _united(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Joins parts whose units are in the same places, and of which the same read nothing.

    Parts in which no unit reads anything are dropped.
    """
    parts = _seeing(parts)
    if len(parts) == 1:
        return parts
    models = [max(column, key=lambda line: line.fineness) for column in zip(*parts, strict=True)]
    groups: dict[object, list[Part]] = {}
    for part in parts:
        wide = tuple(line.spread(model) for line, model in zip(part, models, strict=True))
        key = tuple((line.layout, line.axis.rearranged, line.axis.blind) for line in wide)
        groups.setdefault(key, []).append(wide)
    return tuple(_overlaid(group) for group in groups.values())


def _overlaid(parts: Sequence[Part]) -> Part:
    """One part in place of several whose units are in the same places."""
    done: dict[tuple[int, ...], Axis] = {}  # equal axes are computed once
    lines = []
    for column in zip(*parts, strict=True):
        key = tuple(id(line.axis) for line in column)
        if key not in done:
            done[key] = merged([line.axis for line in column])
        lines.append(Line(done[key], column[0].layout))
    return tuple(lines)


def _seeing(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts in which some unit reads something; all parts if there are none."""
    if len(parts) == 1:
        return tuple(parts)
    return tuple(part for part in parts if not any(line.axis.nothing for line in part)) or tuple(parts)


def _together(lines: Sequence[Line]) -> Axis:
    """One axis of the input as all paths together see it."""
    if len(lines) == 1:
        return lines[0].axis
    finest = max(lines, key=lambda line: line.fineness)
    wide = [line.spread(finest) for line in lines]
    if len({line.layout for line in wide}) == 1:
        return merged([line.axis for line in wide])
    axes = [line.axis.shuffled() for line in lines]
    union = merged(axes)
    all_see = any(line.axis.whole and axis.units == union.units for line, axis in zip(lines, axes, strict=True))
    return union.collapsed() if all_see else union


def _position(lines: Sequence[Line]) -> int | tuple[int, ...] | None:
    """The axes of the tensor along which units see different positions of one axis of the input."""
    places = sorted({place for line in lines for place in line.places})
    return None if not places else places[0] if len(places) == 1 else tuple(places)
