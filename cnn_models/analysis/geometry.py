"""Receptive fields along one axis of an input: exact, in integers, without a framework.

Positions of an axis are numbered from 0. A unit sees an interval of positions, both ends included; the gaps of a
dilated kernel belong to it. Two descriptions are kept side by side:

* `View`, for an **input without borders**. There the fields repeat, so size, stride and offset describe them all. This
  is the receptive field of the literature; it may reach beyond the actual input.
* `Axis.units`, for the **actual input** of known length: one interval for each unit, without the positions that lie in
  padding, at any depth of the network.

Source of the arithmetic: Araujo, Norris, Sim 2019, "Computing receptive fields of convolutional neural
networks", Distill, doi:10.23915/distill.00021; the intervals of branches are joined, not maximised.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

from cnn_models.analysis.sampling import Sampling
from cnn_models.analysis.views import NOTHING, WHOLE, Interval, View, hull, joined, middle, size_of

ALL_SEE_ALL = View((WHOLE,), 0)
UNSEEN = (View((NOTHING,), 0),)


@dataclasses.dataclass(frozen=True)
class Axis:
    """What the units along one axis of a tensor see of one axis of the input.

    Attributes:
        length: number of positions of the input axis; None if not known.
        units: the interval of the actual input that each unit reads; None if `length` is not known.
        views: what the units see of an input without borders. It has several entries if branches of
            different stride or unknown shift have met, and none if the view is undefined.
        rearranged: a reshape has lost the order of the units; `units` then holds one interval, which
            contains those of all units.
    """

    length: int | None
    units: tuple[Interval, ...] | None
    views: tuple[View, ...] = (View(),)
    rearranged: bool = False

    @classmethod
    def of_input(cls, length: int | None) -> "Axis":
        """The axis of the input itself: each position sees itself."""
        return cls(length, None if length is None else tuple((i, i) for i in range(length)))

    @classmethod
    def unseen(cls, length: int | None) -> "Axis":
        """The axis of a tensor that does not depend on this input."""
        return cls(length, None if length is None else (NOTHING,), UNSEEN)

    def through(self, sampling: Sampling) -> "Axis":
        """The axis of a layer that reads these units through a sampling."""
        if self.rearranged:
            return self
        units = self.units
        if units is not None:
            size = len(units)
            units = tuple(
                hull([units[tap] for tap in sampling.reads(unit, size)]) for unit in range(sampling.length(size))
            )
        token = object()
        views = [view.through(sampling, token) for view in self.views]
        return Axis(self.length, units, joined(view for view in views if view) if all(views) and views else ())

    def mixed(self) -> "Axis":
        """The same number of units, each of which sees what all of them saw."""
        units = None if self.units is None else (hull(self.units),) * len(self.units)
        return Axis(self.length, units, joined([*self.views, ALL_SEE_ALL]))

    def collapsed(self) -> "Axis":
        """One unit, which sees what all of these saw."""
        if self.views == UNSEEN:
            return self
        return Axis(self.length, None if self.units is None else (hull(self.units),), (ALL_SEE_ALL,))

    def spread(self, count: int | None) -> "Axis":
        """`count` units, each of which sees what the first unit sees (broadcasting)."""
        units = None if self.units is None or count is None else self.units[:1] * count
        return Axis(self.length, units, tuple(view.constant() for view in self.views))

    def shuffled(self) -> "Axis":
        """The same units in an unknown order."""
        return Axis(self.length, None if self.units is None else (hull(self.units),), (), rearranged=True)

    @property
    def whole(self) -> bool:
        """Whether every unit sees the whole input, as after a global layer."""
        return any(view.whole for view in self.views)

    @functools.cached_property
    def size(self) -> int | None:
        """Number of positions a unit sees of an input without borders; None: undefined.

        It is the largest if units differ, and may exceed the length of the input. If every unit sees the whole
        input, it is the number of positions that are read of the actual input.
        """
        if self.whole:
            return None if self.units is None else int(max(map(size_of, self.units)))
        return int(max(map(size_of, self.views[0].fields))) if len(self.views) == 1 else None

    @property
    def stride(self) -> int | Fraction | None:
        """Input positions from one unit to the next; None: undefined, or there is only one unit.

        If every unit sees the whole input, the field does not move, but the units may still have a stride.
        """
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
        """The centre of the first unit's field, in positions.

        If branches with different centres have met: the lowest and the highest centre of all paths to the unit. Empty
        if a centre is undefined, as when it depends on an unknown size.
        """
        if self.whole:
            centre = middle(self._first)
            return () if centre is None else (centre,)
        if any(view.anchor is not None for view in self.views):  # One of them may be the lowest, or the highest.
            return ()
        return tuple(sorted({centre for view in self.views for centre in view.centres}))

    @property
    def centre(self) -> float | None:
        """The centre of the first unit's field; None if it is undefined or branches disagree."""
        return self.centres[0] if self.aligned and self.centres else None

    @property
    def aligned(self) -> bool | None:
        """Whether all paths to a unit have the same stride and centre; None: undefined."""
        if any(view.paths for view in self.views) or len({view.stride for view in self.views}) > 1:
            return False
        return True if len(self.views) == 1 else None  # Several views differ by a shift that is not known.

    @functools.cached_property
    def blind(self) -> frozenset[int]:
        """The indices of the units that read only padding."""
        return frozenset(i for i, unit in enumerate(self.units or ()) if unit == NOTHING)

    @property
    def nothing(self) -> bool:
        """Whether all units read only padding."""
        return self.units is not None and len(self.blind) == len(self.units)

    @property
    def beyond(self) -> bool | None:
        """Whether a unit sees more positions than the input has; None: undefined."""
        return None if self.size is None or self.length is None else self.size > self.length

    @property
    def _first(self) -> Interval:
        """The first unit's field; `WHOLE` if it is undefined."""
        if self.whole:
            return self.units[0] if self.units else WHOLE
        defined = len(self.views) == 1 and self.views[0].anchor is None
        return self.views[0].field(0) if defined else WHOLE


def merged(axes: Sequence[Axis]) -> Axis:
    """The axis of a layer that reads the same index of several branches (addition, concatenation of maps)."""
    if all(axis is axes[0] for axis in axes):
        return axes[0]
    if any(axis.rearranged for axis in axes):
        axes = [axis.shuffled() for axis in axes]
    tracks = [axis.units for axis in axes if axis.units is not None]
    units = tuple(map(hull, zip(*tracks, strict=True))) if len(tracks) == len(axes) else None
    views = joined(itertools.chain(*(axis.views for axis in axes))) if all(axis.views for axis in axes) else ()
    return Axis(axes[0].length, units, views, axes[0].rearranged)


def together(axes: Sequence[Axis], owners: Sequence[int]) -> list[Axis]:
    """The axes of branches that are concatenated along this axis. In each, the units of other branches read nothing.

    Args:
        axes: the axis of each part of each branch.
        owners: the number of the branch of each axis. Axes of one branch describe the same units.
    """
    counts = {owner: len(axis.units or ()) for axis, owner in zip(axes, owners, strict=True)}
    result = []
    for axis, owner in zip(axes, owners, strict=True):
        before = sum(count for other, count in counts.items() if other < owner)
        after = sum(counts.values()) - before - counts[owner]
        units = axis.units and (NOTHING,) * before + axis.units + (NOTHING,) * after
        result.append(Axis(axis.length, units, ()))
    return result
