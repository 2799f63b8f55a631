"""What the units of a tensor see of one axis of the input, and where in the tensor they are; without a framework."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from cnn_models.analysis.geometry import axis_changes
from cnn_models.analysis.geometry.axis import Axis
from cnn_models.analysis.geometry.layout import Layout
from cnn_models.analysis.geometry.sampling import Resampling, Sampling
from cnn_models.analysis.geometry.views import Interval


@dataclasses.dataclass(frozen=True)
class Line:
    """The units of a tensor along one axis of the input.

    Attributes:
        axis: what the units see.
        layout: the number of a unit from its place in the tensor. If the axis is `rearranged`: the axes of the
            tensor along which the units differ, in an order that is not known.
    """

    axis: Axis
    layout: Layout

    @property
    def places(self) -> frozenset[int]:
        """The axes of the tensor along which units see different positions."""
        return self.layout.places

    @property
    def known(self) -> bool:
        """Whether it is known what each unit reads, and there are units."""
        return self._units > 0

    @property
    def fineness(self) -> tuple[bool, int]:
        """Orders lines by the number of their units; those in the order of the input come last."""
        return bool(self.layout.digits), self._units

    @property
    def _units(self) -> int:
        """The number of units; 0 if it is not known what each reads."""
        return 0 if self.axis.intervals is None or self.axis.rearranged else self.axis.intervals.count

    def through(self, place: int, sampling: Sampling) -> "Line":
        """The line of a layer that reads these units through a sampling along an axis of the tensor."""
        if self.axis.rearranged or place not in self.places:
            return self
        if self.layout.is_plain(place):
            axis = axis_changes.through(self.axis, sampling)
            return Line(axis, Layout.plain(place, axis.cases.count))
        if not self.known:
            return self.shuffled()
        if self.layout.repeats:
            single = axis_changes.through(self.axis, Resampling(self.layout.digits[0].block))
            axis = axis_changes.through(single, sampling)
            return Line(axis, Layout.plain(place, axis.cases.count))
        axis, sizes = self.separated(place)
        count = sampling.length(sizes[-1])
        return Line(axis_changes.sampled(axis, sizes, sampling), self.layout.without({place}).followed_by(place, count))

    def separated(self, place: int, total: int | None = None) -> tuple[Axis, list[int]]:
        """The units with one dimension for each digit of the other axes of the tensor and, the last, one for an axis.

        Args:
            place: the axis.
            total: its size, if the units do not differ along it.

        Returns:
            The axis of the units, and the sizes of the dimensions.
        """
        length = self.layout.length(place) if place in self.places else total
        assert length is not None
        if self.layout.is_plain(place):
            return self.axis, [length]
        numbers = self.layout.numbers_along(place, length)
        return axis_changes.taken(self.axis, numbers), list(numbers.shape)

    def pooled(self, places: Collection[int], keep: bool) -> "Line":
        """Each unit sees what all units along some axes of the tensor saw; if not `keep`, they are one unit then."""
        dims = [dim for dim, digit in enumerate(self.layout.digits) if digit.place in places]
        if not dims:
            return self
        rest = self.layout.without(places)
        if not rest.digits:
            if keep and not self.axis.rearranged:
                return Line(axis_changes.mixed(self.axis), self.layout)
            return Line(axis_changes.collapsed(self.axis), Layout())
        layout = self.layout if keep else rest
        if not self.known:
            return Line(axis_changes.shuffled(self.axis), layout)
        return Line(axis_changes.pooled(self.axis, self.layout.sizes, dims, keep), layout)

    def moved(self, places: Mapping[int, int | None], shuffled: Collection[int] = ()) -> "Line":
        """Renumbers the axes of the tensor; the order of the units along the axes in `shuffled` is lost."""
        dropped = any(digit.size != 1 and places.get(digit.place) is None for digit in self.layout.digits)
        line = Line(self.axis, self.layout.moved(places))
        return line.shuffled() if dropped or not self.places.isdisjoint(shuffled) else line

    def shuffled(self) -> "Line":
        """The same units in an unknown order."""
        return Line(axis_changes.shuffled(self.axis), Layout.unordered(self.places))

    def broadcast(self, shape: Sequence[int | None]) -> "Line":
        """The line in a tensor of a larger shape, along whose other axes one unit is repeated."""
        places = [digit.place for digit in self.layout.digits if digit.total == 1]
        single = {place for place in places if place < len(shape) and shape[place] != 1}
        if not single:
            return self
        rest = self.layout.without(single)
        return Line(self.axis if rest.digits else axis_changes.spread(self.axis, 1), rest)

    def spread(self, like: "Line") -> "Line":
        """The line with units where another line has them, if that only repeats units; otherwise the same line."""
        if self.layout == like.layout or not like.layout.digits or self.axis.rearranged:
            return self
        if self.layout.digits:
            copies = self.layout.copies(like.layout) if self.known and like.known else None
            return Line(axis_changes.through(self.axis, Resampling(copies)), like.layout) if copies else self
        axis = axis_changes.spread(self.axis, like.axis)
        return Line(dataclasses.replace(axis, rearranged=like.axis.rearranged), like.layout)

    def interval(self, index: Mapping[int, int]) -> Interval:
        """The positions that the unit at some place of the tensor reads.

        Raises:
            ValueError: the size of the input or the order of the units is not known, or the index lacks an axis.
            IndexError: the tensor has no such unit.
        """
        if self.axis.rearranged:
            raise ValueError("A reshape has rearranged the units: what one of them reads is not known.")
        if self.axis.intervals is None:
            raise ValueError("What a unit reads depends on the size of the input, which is not known.")
        return self.axis.intervals.unit(self.layout.number(index))
