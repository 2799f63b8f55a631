"""Receptive fields along one axis of an input: exact, in integers, without a framework.

Positions of an axis are numbered from 0. A unit sees an interval of positions, both ends included; the gaps of a
dilated kernel belong to it. Two descriptions are kept side by side:

* `Cases`, for an **input without borders**. There the fields repeat, so size, stride and offset describe them all. This
  is the receptive field of the literature; it may reach beyond the actual input.
* `Intervals`, for the **actual input** of known length: one interval for each unit, without the positions that lie in
  padding, at any depth of the network.

How layers change them is in `cnn_models.analysis.geometry.axis_changes`.

Source of the arithmetic: Araujo, Norris, Sim 2019, "Computing receptive fields of convolutional neural
networks", Distill, doi:10.23915/distill.00021; the intervals of branches are joined, not maximised.
"""

import dataclasses
import functools
import math
from fractions import Fraction

from cnn_models.analysis.geometry.cases import UNSEEN, Case, Cases, Views
from cnn_models.analysis.geometry.intervals import Intervals
from cnn_models.analysis.geometry.views import WHOLE, Interval, View, middle


@dataclasses.dataclass(frozen=True)
class Axis:
    """What the units along one axis of a tensor see of one axis of the input.

    Attributes:
        length: number of positions of the input axis; None if not known.
        intervals: what each unit reads of the actual input; None if `length` is not known.
        cases: what the units see of an input without borders.
        rearranged: the order of the units has been lost; `intervals` then has one entry, for all units.
        changed: axes that layers have made of this one, by the change: the axes of a picture are often equal.
    """

    length: int | None
    intervals: Intervals | None
    cases: Cases
    rearranged: bool = False
    changed: dict[object, "Axis"] = dataclasses.field(init=False, repr=False, compare=False, default_factory=dict)

    @classmethod
    def of_input(cls, length: int | None) -> "Axis":
        """The axis of the input itself: each position sees itself."""
        if length is None:
            return cls(None, None, Cases((Case(0, (View(),)),), growth=1))
        return cls(length, Intervals.of_input(length), Cases.of_known(length, (View(),)))

    @classmethod
    def unseen(cls, length: int | None) -> "Axis":
        """The axis of a tensor that does not depend on this input."""
        return cls(length, None if length is None else Intervals.unseen(), Cases.of_known(1, UNSEEN))

    @property
    def units(self) -> tuple[Interval, ...] | None:
        """The interval of the actual input that each unit reads; None if `length` is not known."""
        return None if self.intervals is None else self.intervals.units

    @property
    def views(self) -> Views:
        """What the units see of an input without borders, if it is the same in all cases; otherwise empty."""
        return self.cases.agreed(lambda case: case.views) or ()

    @property
    def blind(self) -> bytes:
        """Which units read only padding: a mask, empty if there are none."""
        return b"" if self.intervals is None else self.intervals.blind

    @property
    def nothing(self) -> bool:
        """Whether all units read only padding."""
        return self.intervals is not None and self.intervals.nothing

    @functools.cached_property
    def whole(self) -> bool:
        """Whether every unit sees the whole input, as after a global layer."""
        return all(case.whole for case in self.cases.each)

    @functools.cached_property
    def size(self) -> int | None:
        """Number of positions a unit sees of an input without borders; None: undefined.

        It is the largest if units differ, and may exceed the length of the input. If a unit sees endlessly many
        positions (all, or all before it), it is the number of positions that are read of the actual input.
        """
        if all(case.endless for case in self.cases.each):
            return None if self.intervals is None else self.intervals.largest
        return self.cases.agreed(lambda case: case.size)

    @functools.cached_property
    def stride(self) -> int | Fraction | None:
        """Input positions from one unit to the next; None: undefined, or there is only one unit.

        If every unit sees the whole input, the field does not move, but the units may still have a stride.
        """
        stride = self.cases.agreed(lambda case: case.stride)
        return stride.numerator if stride is not None and stride.denominator == 1 else stride

    @functools.cached_property
    def padding(self) -> int | None:
        """How far the first unit's field begins before the input (negative: inside it); None: undefined."""
        first = self._start[0] if self.whole else self.cases.agreed(lambda case: case.first[0])
        return -int(first) if first is not None and math.isfinite(first) else None

    @functools.cached_property
    def centres(self) -> tuple[float, ...]:
        """The centre of the first unit's field, in positions.

        If branches with different centres have met: the lowest and the highest centre of all paths to the unit. Empty
        if a centre is undefined, as when it depends on an unknown size.
        """
        if self.whole:
            centre = middle(self._start)
            return () if centre is None else (centre,)
        return self.cases.agreed(lambda case: case.centres) or ()

    @property
    def centre(self) -> float | None:
        """The centre of the first unit's field; None if it is undefined or branches disagree."""
        return self.centres[0] if self.aligned and self.centres else None

    @functools.cached_property
    def aligned(self) -> bool | None:
        """Whether all paths to a unit have the same stride and centre; None: undefined."""
        return self.cases.agreed(lambda case: case.aligned)

    @property
    def _start(self) -> Interval:
        """What the first unit reads of the actual input; `WHOLE` if it is not known."""
        return WHOLE if self.intervals is None else self.intervals.start
