"""What units see along an axis of an input without borders: repeating intervals, in integers."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from cnn_models.analysis.geometry.sampling import Prefix, Sampling

Interval = tuple[float, float]
"""First and last position, both included: integers, or ±infinity."""

WHOLE: Interval = (-math.inf, math.inf)
NOTHING: Interval = (math.inf, -math.inf)


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that contains all `intervals`; `NOTHING` if there are none."""
    low, high = NOTHING
    for first, last in intervals:
        low, high = min(low, first), max(high, last)
    return low, high


def middle(interval: Interval) -> float | None:
    """The centre of an interval, a multiple of one half; None if the interval is infinite or empty."""
    first, last = interval
    return (first + last) / 2 if math.isfinite(first) and math.isfinite(last) else None


def size_of(interval: Interval) -> float:
    """The number of positions in an interval."""
    return max(interval[1] - interval[0] + 1, 0)


@dataclasses.dataclass(frozen=True)
class View:
    """What units see of an input without borders: unit i + P sees the field of unit i, moved by `advance`.

    Attributes:
        fields: the intervals of units 0 to P - 1. P is 1 unless something was upsampled.
        advance: positions by which the field moves every P units.
        paths: empty if all paths from the input to a unit have the same centre; otherwise the views along the
            paths with the lowest and with the highest centre.
    """

    fields: tuple[Interval, ...] = ((0, 0),)
    advance: int = 1
    paths: tuple["View", ...] = ()

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
        """Whether a unit sees the whole input."""
        return WHOLE in self.fields

    @property
    def bounded(self) -> bool:
        """Whether no unit sees endlessly many positions."""
        return not any(last >= first and math.isinf(last - first) for first, last in self.fields)

    def field(self, unit: int) -> Interval:
        """The interval of a unit; it may lie beyond the actual input."""
        turns, phase = divmod(unit, self.period)
        first, last = self.fields[phase]
        return first + turns * self.advance, last + turns * self.advance

    def _around(self, units: Sequence[int]) -> Interval:
        """What some units see together."""
        if self.period == 1 and len(units) > 1:  # then the outermost units see the outermost positions
            units = (min(units), max(units))
        return hull(map(self.field, units))

    @property
    def centres(self) -> tuple[float, ...]:
        """The centre of unit 0, or the lowest and highest centre of its paths; empty if undefined."""
        centres = (middle(path.field(0)) for path in self.paths or (self,))
        return tuple(sorted({centre for centre in centres if centre is not None}))

    def constant(self) -> "View":
        """The view in which every unit sees what unit 0 sees."""
        return View((self.field(0),), 0, tuple(path.constant() for path in self.paths))

    def repeated(self, period: int) -> "View":
        """The same view with a longer period, a multiple of the present one."""
        fields = tuple(self.field(unit) for unit in range(period))
        return View(fields, self.advance * period // self.period, self.paths)

    def reduced(self) -> "View":
        """The same view with its shortest period."""
        for period in range(1, self.period):
            if self.period % period == 0 and self.advance * period % self.period == 0:
                short = View(self.fields[:period], self.advance * period // self.period, self.paths)
                if short.repeated(self.period) == self:
                    return short
        return self

    def through(self, sampling: Sampling) -> "View | None":
        """The view of a layer that reads these units through a sampling; None if it is undefined."""
        if not sampling.endless:
            return None
        inward, outward = sampling.steps
        turns = self.period // math.gcd(self.period, inward)
        fields = tuple(self._around(sampling.taps(unit)) for unit in range(turns * outward))
        if isinstance(sampling, Prefix):
            fields = tuple((-math.inf, last) if first <= last else NOTHING for first, last in fields)
        paths = tuple(path for each in self.paths if (path := each.through(sampling)))
        return View(fields, turns * inward * self.advance // self.period, paths).reduced()


def joined(views: Iterable[View]) -> tuple[View, ...]:
    """Joins the views of branches that are merged, into one view for each stride.

    If one branch sees the whole input, the result sees it too.
    """
    distinct = [view for view in dict.fromkeys(views) if view.fields != (NOTHING,)] or [View((NOTHING,), 0)]
    if any(view.whole for view in distinct):
        moving = [view for view in distinct if view.advance] or distinct[:1]
        distinct = [View((WHOLE,) * view.period, view.advance) for view in moving]
    if len(distinct) == 1:
        return tuple(distinct)
    groups: dict[object, list[View]] = {}
    for view in distinct:
        groups.setdefault(view.stride, []).append(view)
    return tuple(_overlaid(group) for group in groups.values())


def _overlaid(views: Sequence[View]) -> View:
    """Joins views of the same stride; keeps the lowest and the highest centre if the centres differ.

    Only these two are kept, because a chain of n branches can have 2ⁿ paths with different centres.
    """
    if len(views) == 1:
        return views[0]
    period = math.lcm(*(view.period for view in views))
    branches: dict[tuple[float, ...], list[View]] = {}
    for path in itertools.chain(*(view.paths or (view,) for view in views)):
        long = path.repeated(math.lcm(period, path.period))
        centres = tuple(-math.inf if (centre := middle(field)) is None else centre for field in long.fields)
        branches.setdefault(centres, []).append(long)
    together = _around(views)
    if len(branches) == 1:
        return together
    return dataclasses.replace(together, paths=(_around(branches[min(branches)]), _around(branches[max(branches)])))


def _around(views: Sequence[View]) -> View:
    """The view with the smallest fields that contain those of several views of the same stride."""
    period = math.lcm(*(view.period for view in views))
    fields = zip(*(view.repeated(period).fields for view in views), strict=True)
    advance = views[0].repeated(period).advance
    return View(tuple(map(hull, fields)), advance).reduced()
