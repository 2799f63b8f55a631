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
        length: positions of the input axis; None if it is not known.
        units: what each unit reads of the actual input; None if `length` is not known.
        views: what units see of an endless input: one view, or several if branches of different
            stride or unknown shift have met; empty if that is undefined.
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
                hull([units[tap] for tap in sampling.reads(unit, size)]) for unit in range(sampling.length(size))
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
        return Axis(self.length, units, tuple(view.constant() for view in self.views))

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
        return int(max(map(size_of, self.views[0].fields))) if len(self.views) == 1 else None

    @property
    def stride(self) -> int | Fraction | None:
        """Input positions from one unit to the next; None: undefined, or there is one unit only.

        Where every unit sees the whole input, the field does not move, but the units still have a stride.
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
        """The centre of the first unit's field, in positions; several where branches do not align.

        Then the lowest and the highest centre of the paths to the unit: of two branches, both. Empty:
        undefined, as where one of them depends on a size that is not known.
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
        """The units that read nothing of the actual input, only padding."""
        return frozenset(i for i, unit in enumerate(self.units or ()) if unit == NOTHING)

    @property
    def nothing(self) -> bool:
        """Whether no unit reads anything."""
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
    """Units that read the units of the same index of several branches (addition, concatenation of maps)."""
    if all(axis is axes[0] for axis in axes):
        return axes[0]
    if any(axis.rearranged for axis in axes):
        axes = [axis.shuffled() for axis in axes]
    tracks = [axis.units for axis in axes if axis.units is not None]
    units = tuple(map(hull, zip(*tracks, strict=True))) if len(tracks) == len(axes) else None
    views = joined(itertools.chain(*(axis.views for axis in axes))) if all(axis.views for axis in axes) else ()
    return Axis(axes[0].length, units, views, axes[0].rearranged)


def together(axes: Sequence[Axis], owners: Sequence[int]) -> list[Axis]:
    """Branches laid one after the other: in each, the units of the others read nothing.

    Args:
        axes: what the units of each branch see.
        owners: to which branch each of them belongs; those of one branch lie over each other.
    """
    counts = {owner: len(axis.units or ()) for axis, owner in zip(axes, owners, strict=True)}
    result = []
    for axis, owner in zip(axes, owners, strict=True):
        before = sum(count for other, count in counts.items() if other < owner)
        after = sum(counts.values()) - before - counts[owner]
        units = axis.units and (NOTHING,) * before + axis.units + (NOTHING,) * after
        result.append(Axis(axis.length, units, ()))
    return result
