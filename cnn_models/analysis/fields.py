"""Receptive fields of tensors: what their units see of an input, axis by axis, without a framework."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction

from cnn_models.analysis.geometry import Axis, merged, together
from cnn_models.analysis.sampling import Sampling
from cnn_models.analysis.views import NOTHING, Interval, hull

Part = tuple[Axis, ...]
"""Units whose fields are rectangles: one `Axis` for each spatial axis of the input."""


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """What the units of one tensor see of the input.

    The properties give one number for each spatial axis of the input, in positions (pixels) of the
    input; None means undefined. They describe an input without borders; `unit` describes the actual
    input.

    Attributes:
        parts: the fields through different paths; a unit's field is the smallest rectangle that contains
            them. Two parts are kept apart only if they differ in which units read nothing but padding,
            since such a unit has no rectangle.
        positions: for each spatial axis of the input, the axis of the tensor along which the units see
            different positions of it; None if all units see the same.
    """

    parts: tuple[Part, ...]
    positions: tuple[int | None, ...]

    @classmethod
    def of_input(cls, lengths: Mapping[int, int | None]) -> "ReceptiveField":
        """The field of the input itself; `lengths` maps its spatial axes to their sizes."""
        return cls((tuple(map(Axis.of_input, lengths.values())),), tuple(lengths))

    @classmethod
    def unseen(cls, lengths: Mapping[int, int | None]) -> "ReceptiveField":
        """The field of a tensor that does not depend on an input of these sizes."""
        return cls((tuple(map(Axis.unseen, lengths.values())),), (None,) * len(lengths))

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The field along each spatial axis of the input, over all paths together."""
        return tuple(merged(column) for column in zip(*_seeing(self.parts), strict=True))

    @property
    def size(self) -> tuple[int | None, ...]:
        """Size of a unit's field in an input without borders; it may exceed the actual input (see `Axis.size`)."""
        return tuple(axis.size for axis in self.axes)

    @property
    def stride(self) -> tuple[int | Fraction | None, ...]:
        """Input positions by which the field moves from one unit to the next; a fraction after upsampling."""
        return tuple(axis.stride for axis in self.axes)

    @property
    def padding(self) -> tuple[int | None, ...]:
        """Number of positions by which the first unit's field begins before the input."""
        return tuple(axis.padding for axis in self.axes)

    @property
    def centre(self) -> tuple[float | None, ...]:
        """Centre of the first unit's field; None if it is undefined or branches disagree."""
        return tuple(axis.centre for axis in self.axes)

    @property
    def centres(self) -> tuple[tuple[float, ...], ...]:
        """Centre of the first unit's field; lowest and highest centre if branches with different centres have met."""
        return tuple(axis.centres for axis in self.axes)

    @property
    def whole(self) -> tuple[bool, ...]:
        """Whether every unit sees the whole input, as after a global layer."""
        return tuple(axis.whole for axis in self.axes)

    @property
    def aligned(self) -> bool | None:
        """Whether all paths to a unit have the same stride and centre, along every axis; None: undefined."""
        return every(axis.aligned for axis in self.axes)

    @property
    def beyond(self) -> bool | None:
        """Whether a unit sees beyond the input along every axis; None: undefined."""
        return every(axis.beyond for axis in self.axes) if self.axes else False

    def unit(self, index: Sequence[int]) -> tuple[tuple[int, int], ...] | None:
        """The part of the actual input that one unit reads.

        Args:
            index: the unit's index for each spatial axis of the input (`positions` gives the tensor's axis).
                It is ignored if all units see the same.

        Returns:
            First and last position along each axis, both included; None if the unit reads only padding.

        Raises:
            ValueError: the size of the input is not known, or the units have been rearranged.
            IndexError: the tensor has no such unit.
        """
        if len(index) != len(self.positions):
            raise ValueError(
                f"Expected {len(self.positions)} indices, one a spatial axis of the input; got {len(index)}."
            )
        boxes = [box for part in self.parts if (box := _box(part, self.positions, index))]
        if not boxes:
            return None
        return tuple((int(first), int(last)) for first, last in map(hull, zip(*boxes, strict=True)))

    # How layers change a field. Rules are composed of these methods. "Axes" below are axes of the tensor.

    def through(self, samplings: Mapping[int, Sampling]) -> "ReceptiveField":
        """The field of a layer that reads these units through a sampling along some axes (as a convolution does)."""
        chosen = {position: sampling for position, sampling in samplings.items() if position in self.positions}
        return self._each(lambda axis, position: axis.through(chosen[position]) if position in chosen else axis)

    def mixed(self, positions: Collection[int]) -> "ReceptiveField":
        """Each unit now sees what all units along these axes saw (as after a normalisation along them)."""
        pairs = zip(self.axes, self.positions, strict=True)
        lost = [position for axis, position in pairs if axis.rearranged and position in positions]
        return self._each(lambda axis, position: axis.mixed() if position in positions else axis).collapsed(lost)

    def collapsed(self, positions: Collection[int | None]) -> "ReceptiveField":
        """Like `mixed`, and these axes no longer distinguish units (as after a dense layer)."""
        field = self._each(lambda axis, position: axis.collapsed() if position in positions else axis)
        return ReceptiveField(field.parts, tuple(None if p in positions else p for p in self.positions))

    def moved(self, places: Mapping[int, int | None], shuffled: Collection[int] = ()) -> "ReceptiveField":
        """Renumbers the axes by `places`; the order of the units along the axes in `shuffled` is lost."""
        field = self._each(lambda axis, position: axis.shuffled() if position in shuffled else axis)
        return ReceptiveField(field.parts, tuple(None if p is None else places.get(p) for p in self.positions))

    def _each(self, change: Callable[[Axis, int | None], Axis]) -> "ReceptiveField":
        parts = tuple(tuple(map(change, part, self.positions)) for part in self.parts)
        return dataclasses.replace(self, parts=parts)


def every(answers: Iterable[bool | None]) -> bool | None:
    """Whether all answers are true, in three-valued logic: None means unknown."""
    known = set(answers)
    return False if False in known else None if None in known else True


def meet(
    fields: Sequence[ReceptiveField], along: int | None = None, counts: Sequence[int | None] = ()
) -> ReceptiveField:
    """The field of a layer that combines several tensors element by element, or concatenates them.

    Args:
        fields: the fields of tensors of the same rank. An axis with one unit is broadcast.
        along: the axis along which the tensors are concatenated; None: they are combined element by element.
        counts: for a concatenation, the size of each tensor along that axis.
    """
    if all(field is fields[0] for field in fields) and along is None:
        return fields[0]
    owners = [i for i, field in enumerate(fields) for _ in field.parts]
    columns: list[list[Axis]] = []
    positions: list[int | None] = []
    for k, places in enumerate(zip(*(field.positions for field in fields), strict=True)):
        branches = [part[k] for field in fields for part in field.parts]
        carried = {place for place in places if place is not None}
        position = carried.pop() if len(carried) == 1 else None
        if carried:  # The branches use two axes of the tensor, so the order of the units is lost.
            branches = [axis.shuffled() for axis in branches]
        elif position is not None and position == along:
            alone = [
                axis.spread(counts[i]) if places[i] is None else axis for axis, i in zip(branches, owners, strict=True)
            ]
            branches = together(alone, owners)
        elif position is not None:
            count = max(len(axis.units or ()) for axis in branches)
            single = [
                places[i] is None or len(axis.units or ()) == 1 < count
                for axis, i in zip(branches, owners, strict=True)
            ]
            branches = [axis.spread(count) if one else axis for axis, one in zip(branches, single, strict=True)]
        columns.append(branches)
        positions.append(position)
    return ReceptiveField(_united(zip(*columns, strict=True)), tuple(positions))


def _united(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Joins parts in which the same units read nothing; drops parts in which no unit reads anything."""
    groups: dict[object, list[Part]] = {}
    for part in parts:
        groups.setdefault(tuple(axis.blind for axis in part), []).append(part)
    return _seeing([tuple(merged(column) for column in zip(*group, strict=True)) for group in groups.values()])


def _seeing(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts in which some unit reads something; all parts if there are none."""
    return tuple(part for part in parts if not any(axis.nothing for axis in part)) or tuple(parts)


def _box(part: Part, positions: Sequence[int | None], index: Sequence[int]) -> list[Interval] | None:
    """The rectangle that one unit reads through one part; None if it reads nothing."""
    box = []
    for axis, position, i in zip(part, positions, index, strict=True):
        if axis.units is None:
            raise ValueError("What a unit reads depends on the size of the input, which is not known.")
        if axis.rearranged:
            raise ValueError("A reshape has rearranged the units: what one of them reads is not known.")
        box.append(axis.units[0 if position is None else i])
    return None if NOTHING in box else box
