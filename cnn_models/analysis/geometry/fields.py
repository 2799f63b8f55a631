"""The receptive field of a tensor: what its units see of an input, axis by axis, without a framework."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from cnn_models.analysis.geometry.composed_field import ComposedField
from cnn_models.analysis.geometry.parts import most_read
from cnn_models.analysis.geometry.views import NOTHING, hull


@dataclasses.dataclass(frozen=True)
class ReceptiveField(ComposedField):
    """A field with the questions that one can ask about it.

    The properties give one number for each spatial axis of the input, in positions (pixels) of the
    input; None means undefined. They describe an input without borders; `unit`, `box` and `seeing` describe the actual
    input.
    """

    @functools.cached_property
    def size(self) -> tuple[int | None, ...]:
        """Size of a unit's field in an input without borders; it may exceed the actual input (see `Axis.size`).

        Where fields do not repeat along the units, as after attention among every second position, it is the largest
        number of positions that a unit reads of the actual input.
        """
        sizes = tuple(axis.size for axis in self.axes)
        if None not in sizes:
            return sizes
        if any(axis.nothing for axis in self.axes):
            return tuple(size or 0 for size in sizes)
        return tuple(most_read(self.parts, k) if size is None else size for k, size in enumerate(sizes))

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
            if axis.intervals is None or axis.rearranged:
                raise ValueError("The size of the input is not known, or a reshape has rearranged the units.")
            if not 0 <= at < (axis.length or 0):
                raise IndexError(f"The input has {axis.length} positions along this axis, none with the index {at}.")
            found.append(axis.intervals.reading(at))
        return tuple(found)


def every(answers: Iterable[bool | None]) -> bool | None:
    """Whether all answers are true, in three-valued logic: None means unknown."""
    known = set(answers)
    return False if False in known else None if None in known else True
