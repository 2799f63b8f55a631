"""How units look at one axis of an input: exact receptive fields, in integers, without a framework.

Positions of an axis are numbered from 0. What a unit sees is an interval of positions, both ends
included: the extent, so a dilated kernel's gaps belong to it. Two answers are kept side by side:

* in an **endless input** the fields repeat: `View`, a closed form with size, stride and offset. This
  is the receptive field of the literature, and it may reach beyond the actual input;
* in the **actual input**, of known length, each unit reads what is left at the borders, where it meets
  padding at some depth: `Axis.units`, one interval for every unit.

Source of the arithmetic: Araujo, Norris, Sim 2019, "Computing receptive fields of convolutional neural
networks", Distill, doi:10.23915/distill.00021; the intervals of branches are joined, not maximised.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from cnn_models.sampling import Sampling

Interval = tuple[float, float]
"""First and last position, both included; integers, or ±infinity."""

WHOLE: Interval = (-math.inf, math.inf)
NOTHING: Interval = (math.inf, -math.inf)


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that contains all of `intervals`; `NOTHING` if there are none."""
    low, high = NOTHING
    for first, last in intervals:
        low, high = min(low, first), max(high, last)
    return low, high


def middle(interval: Interval) -> float | None:
    """The centre of an interval, exact as a multiple of one half; None if it has none."""
    first, last = interval
    return (first + last) / 2 if math.isfinite(first) and math.isfinite(last) else None


def size_of(interval: Interval) -> float:
    """The number of positions in an interval."""
    return max(interval[1] - interval[0] + 1, 0)


@dataclasses.dataclass(frozen=True)
class View:
    """What units see of an endless input, in closed form: unit i + P sees what unit i sees, moved on.

    Attributes:
        fields: the intervals of units 0 to P - 1. P is 1 unless something was upsampled.
        advance: positions by which the field moves every P units.
        anchor: None, or a token for the unknown shift that all these intervals share.
    """

    fields: tuple[Interval, ...] = ((0, 0),)
    advance: int = 1
    anchor: object = None

    @property
    def period(self) -> int:
        """P, the number of units after which the pattern repeats."""
        return len(self.fields)

    @functools.cached_property
    def stride(self) -> Fraction:
        """Input positions between neighbouring units; 0 if all units see the same."""
        return Fraction(self.advance, self.period)

    @property
    def whole(self) -> bool:
        """Whether a unit sees everything."""
        return WHOLE in self.fields

    def field(self, unit: int) -> Interval:
        """The interval of a unit, which may lie beyond the actual input."""
        turns, phase = divmod(unit, self.period)
        first, last = self.fields[phase]
        return first + turns * self.advance, last + turns * self.advance

    def repeated(self, period: int) -> "View":
        """The same view, written with a longer period (a multiple of the present one)."""
        fields = tuple(self.field(unit) for unit in range(period))
        return View(fields, self.advance * period // self.period, self.anchor)

    def reduced(self) -> "View":
        """The same view, written with its shortest period."""
        for period in range(1, self.period):
            if self.period % period == 0 and self.advance * period % self.period == 0:
                short = View(self.fields[:period], self.advance * period // self.period, self.anchor)
                if short.repeated(self.period) == self:
                    return short
        return self

    def through(self, sampling: Sampling, anchor: object = None) -> "View | None":
        """What the units of a layer see when they read these units; None if it is undefined."""
        inward, outward = sampling.steps
        if not sampling.anchored and self.period > 1:
            return None
        turns = self.period // math.gcd(self.period, inward)
        fields = tuple(hull(map(self.field, sampling.taps(unit))) for unit in range(turns * outward))
        shift = self.anchor if sampling.anchored else (self.anchor, anchor)
        return View(fields, turns * inward * self.advance // self.period, shift).reduced()


def joined(views: Iterable[View]) -> tuple[View, ...]:
    """The views of the paths that meet in a merge, those with the same stride and centres as one.

    Equal centres make the larger field contain the smaller. Paths with other centres stay apart, so
    that each centre can be reported. A path that sees the whole input makes its partners see it too.
    """
    distinct = [view for view in dict.fromkeys(views) if view.fields != (NOTHING,)] or [View((NOTHING,), 0)]
    if any(view.whole for view in distinct):
        moving = [view for view in distinct if view.advance] or distinct[:1]
        distinct = [View((WHOLE,) * view.period, view.advance) for view in moving]
    result: dict[object, View] = {}
    for view in distinct:
        period = math.lcm(*(other.period for other in distinct if other.stride == view.stride))
        view = view.repeated(period)
        key = (view.stride, view.anchor, tuple(map(middle, view.fields)))
        twin = result.get(key, view)
        fields = tuple(hull(pair) for pair in zip(view.fields, twin.fields, strict=True))
        result[key] = dataclasses.replace(view, fields=fields)
    return tuple(view.reduced() for view in result.values())


ALL_SEE_ALL = View((WHOLE,), 0)
UNSEEN = (View((NOTHING,), 0),)


@dataclasses.dataclass(frozen=True)
class Axis:
    """What the units along one axis of a tensor see of one axis of the input.

    Attributes:
        length: positions of the input axis; None if it is not known.
        units: what each unit reads of the actual input; None if `length` is not known.
        views: what units see of an endless input, one view for each centre that the paths to them
            have; empty if that is undefined.
        rearranged: the order of the units has been lost in a reshape; `units` then holds one
            interval, what all of them read together.
    """

    length: int | None
    units: tuple[Interval, ...] | None
    views: tuple[View, ...] = (View(),)
    rearranged: bool = False

    @classmethod
    def of_input(cls, length: int | None) -> "Axis":
        """The input itself: every position sees itself."""
        return cls(length, None if length is None else tuple((i, i) for i in range(length)))

    @classmethod
    def unseen(cls, length: int | None) -> "Axis":
        """A unit that reads nothing of this input."""
        return cls(length, None if length is None else (NOTHING,), UNSEEN)

    def through(self, sampling: Sampling) -> "Axis":
        """The units of a layer that reads these units."""
        if self.rearranged:
            return self
        units = self.units
        if units is not None:
            size = len(units)
            units = tuple(
                hull([units[tap] for tap in sampling.taps(unit) if 0 <= tap < size])
                for unit in range(sampling.length(size))
            )
        token = object()
        views = [view.through(sampling, token) for view in self.views]
        return Axis(self.length, units, joined(view for view in views if view) if all(views) and views else ())

    def mixed(self) -> "Axis":
        """As many units, each of which sees what any of them saw."""
        units = None if self.units is None else (hull(self.units),) * len(self.units)
        return Axis(self.length, units, joined([*self.views, ALL_SEE_ALL]))

    def collapsed(self) -> "Axis":
        """One unit, which sees what any of these saw."""
        if self.views == UNSEEN:
            return self
        return Axis(self.length, None if self.units is None else (hull(self.units),), (ALL_SEE_ALL,))

    def spread(self, count: int | None) -> "Axis":
        """`count` units, each of which sees what the first of these sees (broadcasting)."""
        units = None if self.units is None or count is None else self.units[:1] * count
        return Axis(self.length, units, tuple(View((view.field(0),), 0, view.anchor) for view in self.views))

    def shuffled(self) -> "Axis":
        """The same units in an order that is not known."""
        return Axis(self.length, None if self.units is None else (hull(self.units),), (), rearranged=True)

    @property
    def whole(self) -> bool:
        """Whether every unit sees all that is read of the input: a global layer has been passed."""
        return any(view.whole for view in self.views)

    @functools.cached_property
    def size(self) -> int | None:
        """Positions a unit sees in an endless input (the largest, if units differ); None: undefined.

        It may exceed the length of the input. Where every unit sees the whole input, it is the
        extent of what is read of the actual input.
        """
        if self.whole:
            return None if self.units is None else int(max(map(size_of, self.units)))
        view = self._view
        return None if view is None else int(max(map(size_of, view.fields)))

    @property
    def stride(self) -> int | Fraction | None:
        """Input positions between neighbouring units; None: undefined, or there is one unit only."""
        strides = {view.stride for view in self.views}
        if len(strides) != 1 or (self.whole and strides == {0}):
            return None
        (stride,) = strides
        return stride.numerator if stride.denominator == 1 else stride

    @property
    def padding(self) -> int | None:
        """How far the first unit's field begins before the input (negative: inside it); None: undefined."""
        first, _ = self._first
        return -int(first) if math.isfinite(first) else None

    @property
    def centres(self) -> tuple[float, ...]:
        """Centres of the first unit's field, in positions: one for each set of paths that agree.

        More than one: branches that do not align have met. Empty: undefined.
        """
        anchored = [view.field(0) for view in self.views if view.anchor is None]
        centres = map(middle, [self._first] if self.whole else anchored)
        return tuple(sorted({centre for centre in centres if centre is not None}))

    @property
    def centre(self) -> float | None:
        """The centre of the first unit's field; None if it is undefined or branches disagree."""
        return self.centres[0] if len(self.centres) == len(self.views) == 1 else None

    @property
    def beyond(self) -> bool | None:
        """Whether a unit sees more positions than the input has; None: undefined."""
        return None if self.size is None or self.length is None else self.size > self.length

    @functools.cached_property
    def _view(self) -> View | None:
        """All views as one; None if they do not move together."""
        if len({(view.stride, view.anchor) for view in self.views}) != 1:
            return None
        period = math.lcm(*(view.period for view in self.views))
        long = [view.repeated(period) for view in self.views]
        fields = zip(*(view.fields for view in long), strict=True)
        return dataclasses.replace(long[0], fields=tuple(map(hull, fields)))

    @property
    def _first(self) -> Interval:
        """The first unit's field; `WHOLE` if it is undefined."""
        if self.whole:
            return self.units[0] if self.units else WHOLE
        view = self._view
        return view.field(0) if view and view.anchor is None else WHOLE


def merged(axes: Sequence[Axis]) -> Axis:
    """Units that read the units of the same index of several branches (addition, concatenation of maps)."""
    if all(axis is axes[0] for axis in axes):
        return axes[0]
    if any(axis.rearranged for axis in axes):
        axes = [axis.shuffled() for axis in axes]
    tracks = [axis.units for axis in axes if axis.units is not None]
    units = tuple(map(hull, zip(*tracks, strict=True))) if len(tracks) == len(axes) else None
    views = joined(itertools.chain(*(axis.views for axis in axes))) if all(axis.views for axis in axes) else ()
    return Axis(axes[0].length, units, views, axes[0].rearranged)


def concatenated(axes: Sequence[Axis]) -> Axis:
    """The units of several branches one after the other, which has no meaning in an endless input."""
    tracks = [axis.units for axis in axes if axis.units is not None]
    units = tuple(itertools.chain(*tracks)) if len(tracks) == len(axes) else None
    return Axis(axes[0].length, units, ())
