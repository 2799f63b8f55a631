"""What the units of a tensor see of an input: a receptive field, axis by axis, without a framework."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction

from cnn_models.geometry import Axis, concatenated, merged
from cnn_models.sampling import Sampling


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """What the units of one tensor see of the input: one `Axis` for each spatial axis of the input.

    In two dimensions a field is a rectangle, the product of one interval along each axis. The
    properties give one number an axis, in positions (pixels) of the input; None means undefined.

    Attributes:
        axes: what is seen of each spatial axis of the input, without batch and channels.
        positions: for each of them, the axis of the tensor along which the units differ in it; None
            if all units see the same of it.
    """

    axes: tuple[Axis, ...]
    positions: tuple[int | None, ...]

    @property
    def size(self) -> tuple[int | None, ...]:
        """Extent of a unit's field in an endless input, so it may exceed the input (see `Axis.size`)."""
        return tuple(axis.size for axis in self.axes)

    @property
    def stride(self) -> tuple[int | Fraction | None, ...]:
        """Distance between the fields of neighbouring units; a fraction after upsampling."""
        return tuple(axis.stride for axis in self.axes)

    @property
    def padding(self) -> tuple[int | None, ...]:
        """How far the first unit's field begins before the input."""
        return tuple(axis.padding for axis in self.axes)

    @property
    def centre(self) -> tuple[float | None, ...]:
        """Centre of the first unit's field; None where it is undefined or branches disagree."""
        return tuple(axis.centre for axis in self.axes)

    @property
    def centres(self) -> tuple[tuple[float, ...], ...]:
        """All centres of the first unit's field: several where branches that do not align have met."""
        return tuple(axis.centres for axis in self.axes)

    @property
    def aligned(self) -> bool:
        """Whether all paths to a unit have the same stride and centre, along every axis."""
        return all(len(axis.views) <= 1 for axis in self.axes)

    @property
    def beyond(self) -> bool | None:
        """Whether a unit sees beyond the input along every axis; None: undefined."""
        return every(axis.beyond for axis in self.axes) if self.axes else False

    def unit(self, index: Sequence[int]) -> tuple[tuple[int, int], ...] | None:
        """The part of the actual input that one unit reads.

        Args:
            index: the unit's index along each spatial axis of the input (`positions` says which axis
                of the tensor that is); it plays no part where all units see the same.

        Returns:
            First and last position along each axis, both included; None if the unit reads nothing
            of the input, only padding.

        Raises:
            ValueError: the size of the input is not known, or the units have been rearranged.
            IndexError: there is no such unit.
        """
        if len(index) != len(self.axes):
            raise ValueError(f"Expected {len(self.axes)} indices, one a spatial axis of the input; got {len(index)}.")
        result = []
        for axis, position, i in zip(self.axes, self.positions, index, strict=True):
            if axis.units is None:
                raise ValueError("What a unit reads depends on the size of the input, which is not known.")
            if axis.rearranged:
                raise ValueError("A reshape has rearranged the units: what one of them reads is not known.")
            first, last = axis.units[0 if position is None else i]
            if first > last:
                return None
            result.append((int(first), int(last)))
        return tuple(result)

    # What layers do to a field: the vocabulary of the rules. "Axes" below are axes of the tensor.

    def through(self, samplings: Mapping[int, Sampling]) -> "ReceptiveField":
        """The units of a layer that reads these units through a sampling along each of some axes."""
        return _field(
            (axis, position)
            if position is None or position not in samplings
            else (axis.through(samplings[position]), position)
            for axis, position in self._pairs
        )

    def mixed(self, positions: Collection[int]) -> "ReceptiveField":
        """Every unit sees what all units along these axes saw (as after a normalisation along them)."""
        lost = [position for axis, position in self._pairs if axis.rearranged and position in positions]
        mixed = [(axis.mixed() if position in positions else axis, position) for axis, position in self._pairs]
        return _field(mixed).collapsed(lost)

    def collapsed(self, positions: Collection[int | None]) -> "ReceptiveField":
        """As `mixed`, and the units no longer differ along these axes (as after a dense layer)."""
        return _field(
            (axis.collapsed(), None) if position in positions else (axis, position) for axis, position in self._pairs
        )

    def moved(self, places: Mapping[int, int | None], shuffled: Collection[int] = ()) -> "ReceptiveField":
        """The axes are renumbered by `places`; the order of the units along `shuffled` is lost."""
        return _field(
            (axis.shuffled() if position in shuffled else axis, None if position is None else places.get(position))
            for axis, position in self._pairs
        )

    @property
    def _pairs(self) -> list[tuple[Axis, int | None]]:
        return list(zip(self.axes, self.positions, strict=True))


def every(answers: Iterable[bool | None]) -> bool | None:
    """Whether all are true, where None is an answer that is not known."""
    known = set(answers)
    return False if False in known else None if None in known else True


def meet(
    fields: Sequence[ReceptiveField], along: int | None = None, counts: Sequence[int | None] = ()
) -> ReceptiveField:
    """The field of units that read several tensors, index by index, those of one unit being broadcast.

    Args:
        fields: one for each tensor, of the same rank.
        along: the axis of the tensors along which they are concatenated; None: they are combined
            element by element.
        counts: for a concatenation, the size of each tensor along that axis.
    """
    pairs: list[tuple[Axis, int | None]] = []
    for branches in zip(*(field._pairs for field in fields), strict=True):
        axes = [axis for axis, _ in branches]
        places = {position for _, position in branches if position is not None}
        if len(places) > 1:
            pairs.append((merged([axis.shuffled() for axis in axes]), None))
        elif not places:
            pairs.append((merged(axes), None))
        elif along in places:
            sizes = zip(branches, counts, strict=True)
            pairs.append((concatenated([a if p is not None else a.spread(n) for (a, p), n in sizes]), along))
        else:
            count = max(len(axis.units or ()) for axis in axes)
            alone = [position is None or len(axis.units or ()) == 1 < count for axis, position in branches]
            pairs.append((merged([a.spread(count) if one else a for a, one in zip(axes, alone, strict=True)]), *places))
    return _field(pairs)


def _field(pairs: Iterable[tuple[Axis, int | None]]) -> ReceptiveField:
    axes, positions = zip(*pairs, strict=True)
    return ReceptiveField(axes, positions)
