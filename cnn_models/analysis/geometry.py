"""Receptive fields along one axis of an input: exact, in integers, without a framework.

Positions of an axis are numbered from 0. A unit sees an interval of positions, both ends included; the gaps of a
dilated kernel belong to it. Two descriptions are kept side by side:

* `View`, for an **input without borders**. There the fields repeat, so size, stride and offset describe them all. This
  is the receptive field of the literature; it may reach beyond the actual input.
* `Axis.first` and `Axis.last`, for the **actual input** of known length: one interval for each unit, without the
  positions that lie in padding, at any depth of the network.

Where the length n of the input is not known, views and numbers of units depend on n only through its remainder by a
number M, the product of the strides. An axis then has a `Case` for each remainder, and what is equal in all cases is
known for every n.

Source of the arithmetic: Araujo, Norris, Sim 2019, "Computing receptive fields of convolutional neural
networks", Distill, doi:10.23915/distill.00021; the intervals of branches are joined, not maximised.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from cnn_models.analysis.sampling import FAR, Groups, Sampling
from cnn_models.analysis.views import NOTHING, WHOLE, Interval, View, joined, middle, size_of

T = TypeVar("T")
Views = tuple[View, ...]
ALL_SEE_ALL = View((WHOLE,), 0)
UNSEEN = (View((NOTHING,), 0),)
MOST_CASES = 4096
"""With more remainders to tell apart, an axis of unknown length is undefined."""
LARGE = 1 << 24
"""Stands for a length so large that no layer's output is empty."""


@dataclasses.dataclass(frozen=True)
class Case:
    """An axis for all lengths n of the input with one remainder r by M: n = M·q + r, for any q.

    Attributes:
        count: the number of units is `Axis.growth`·q + `count`, before the layers in `Axis.later`.
        views: what the units see of an input without borders. It has several entries if branches of different
            stride have met, and none if the view is undefined.
    """

    count: int
    views: Views

    @property
    def size(self) -> int | None:
        """The largest number of positions that a unit sees; None: undefined, or endless."""
        if len(self.views) != 1 or not self.views[0].bounded:
            return None
        return int(max(map(size_of, self.views[0].fields)))

    @property
    def whole(self) -> bool:
        """Whether every unit sees the whole input."""
        return any(view.whole for view in self.views)

    @property
    def endless(self) -> bool:
        """Whether a unit sees endlessly many positions, so that its field ends where the input ends."""
        return any(not view.bounded for view in self.views)

    @property
    def stride(self) -> Fraction | None:
        """Input positions from one unit to the next; None: undefined."""
        strides = {view.stride for view in self.views}
        return strides.pop() if len(strides) == 1 and not (self.whole and strides == {0}) else None

    @property
    def first(self) -> Interval:
        """The field of the first unit; `WHOLE` if it is undefined."""
        return self.views[0].field(0) if len(self.views) == 1 else WHOLE

    @property
    def centres(self) -> tuple[float, ...]:
        """The centre of the first unit's field; the lowest and highest centre of all paths to it."""
        return tuple(sorted({centre for view in self.views for centre in view.centres}))

    @property
    def aligned(self) -> bool | None:
        """Whether all paths to a unit have the same stride and centre; None: undefined."""
        return len(self.views) == 1 and not self.views[0].paths if self.views else None


@dataclasses.dataclass(frozen=True, eq=False)
class Axis:
    """What the units along one axis of a tensor see of one axis of the input.

    Attributes:
        length: number of positions of the input axis; None if not known.
        first: first position of the actual input that each unit reads, int32 `(units,)`; `FAR` if it reads none.
            None if `length` is not known.
        last: last position that each unit reads; -1 if it reads none.
        growth: units by which the tensor grows when the input grows by M positions; 0 if `length` is known.
        cases: one for each remainder of the length by M; one alone if `length` is known.
        rearranged: the order of the units has been lost; `first` and `last` then have one entry, for all units.
        later: layers that have changed the number of units since `growth` and the counts were computed. No field has
            depended on it yet.
    """

    length: int | None
    first: np.ndarray | None
    last: np.ndarray | None
    growth: int
    cases: tuple[Case, ...]
    rearranged: bool = False
    later: tuple[Sampling, ...] = ()
    _done: dict[object, "Axis"] = dataclasses.field(init=False, repr=False, default_factory=dict)

    @classmethod
    def of_input(cls, length: int | None) -> "Axis":
        """The axis of the input itself: each position sees itself."""
        if length is None:
            return cls(None, None, None, 1, (Case(0, (View(),)),))
        return cls._known(length, np.arange(length, dtype=np.int32), np.arange(length, dtype=np.int32), (View(),))

    @classmethod
    def unseen(cls, length: int | None) -> "Axis":
        """The axis of a tensor that does not depend on this input."""
        if length is None:
            return cls(None, None, None, 0, (Case(1, UNSEEN),))
        return cls._known(length, np.array([FAR], np.int32), np.array([-1], np.int32), UNSEEN)

    @classmethod
    def _known(cls, length: int, first: np.ndarray, last: np.ndarray, views: Views, rearranged: bool = False) -> "Axis":
        return cls(length, first, last, 0, (Case(len(first), views),), rearranged)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        return (self.length, self.growth, self.cases, self.rearranged, self.units) == (
            *(other.length, other.growth, other.cases, other.rearranged),
            other.units,
        )

    __hash__ = None  # type: ignore[assignment]

    @functools.cached_property
    def units(self) -> tuple[Interval, ...] | None:
        """The interval of the actual input that each unit reads; None if `length` is not known."""
        if self.first is None or self.last is None:
            return None
        ends = zip(self.first.tolist(), self.last.tolist(), strict=True)
        return tuple((first, last) if first <= last else NOTHING for first, last in ends)

    @property
    def count(self) -> int | None:
        """The number of units; None if it depends on an unknown length."""
        return self.cases[0].count if self.growth == 0 and len({case.count for case in self.cases}) == 1 else None

    @property
    def views(self) -> Views:
        """What the units see of an input without borders, if it is the same in all cases; otherwise empty."""
        return _agreed(case.views for case in self.cases) or ()

    # How layers change an axis.

    def through(self, sampling: Sampling) -> "Axis":
        """The axis of a layer that reads these units through a sampling."""
        if self.rearranged:
            return self
        if self.first is None or self.last is None:
            return self._once(sampling, lambda: self._through_unknown(sampling))
        first, last, exact = self.first, self.last, sampling.resolved(len(self.first))
        return self._once(exact, lambda: self._with(*exact.read(first, last), _sampled(self.cases[0].views, exact)))

    def _once(self, change: object, compute: Callable[[], "Axis"]) -> "Axis":
        """The result of a change; it is computed once, because the axes of a picture are often equal."""
        if change not in self._done:
            self._done[change] = compute()
        return self._done[change]

    def _through_unknown(self, sampling: Sampling) -> "Axis":
        """As `through`, where the number of units is known only by its remainder."""
        if not self.growth:
            exact = sampling.resolved(self.cases[0].count)
            cases = [Case(exact.length(case.count), _through(exact)(case.views)) for case in self.cases]
            return dataclasses.replace(self, cases=tuple(cases))
        if sampling.steps[0] < 0 or not sampling.endless:
            return self.undefined()
        if not sampling.varies:
            change = _through(sampling.resolved(LARGE))
            later = self.later if sampling.length(LARGE) == LARGE else (*self.later, sampling)
            cases = [Case(case.count, change(case.views)) for case in self.cases]
            return dataclasses.replace(self, cases=tuple(cases), later=later)
        try:
            axis = functools.reduce(Axis._counted, self.later, dataclasses.replace(self, later=()))
            axis = axis._refined(sampling.modulus // math.gcd(axis.growth, sampling.modulus))
        except OverflowError:
            return self.undefined()
        windows = [sampling.resolved(case.count + LARGE * axis.growth) for case in axis.cases]
        changes = {window: _through(window) for window in windows}
        cases = [
            dataclasses.replace(case, views=changes[window](case.views))
            for case, window in zip(axis.cases, windows, strict=True)
        ]
        return dataclasses.replace(axis, cases=tuple(cases))._counted(sampling)

    def _counted(self, layer: Sampling) -> "Axis":
        """The axis with the numbers of units behind a layer, but unchanged views."""
        axis = self._refined(layer.modulus // math.gcd(self.growth, layer.modulus))
        inward, outward = layer.steps
        growth = axis.growth * outward // inward
        counts = [layer.length(case.count + LARGE * axis.growth) - LARGE * growth for case in axis.cases]
        cases = [dataclasses.replace(case, count=count) for case, count in zip(axis.cases, counts, strict=True)]
        return dataclasses.replace(axis, growth=growth, cases=tuple(cases))

    def _refined(self, factor: int) -> "Axis":
        """The same axis with `factor` times as many remainders told apart."""
        if factor == 1:
            return self
        if factor * len(self.cases) > MOST_CASES:
            raise OverflowError("An axis of unknown length has too many cases.")
        cases = [
            dataclasses.replace(case, count=case.count + turn * self.growth)
            for turn in range(factor)
            for case in self.cases
        ]
        return dataclasses.replace(self, growth=self.growth * factor, cases=tuple(cases))

    def undefined(self) -> "Axis":
        """Units of which nothing is known but that they see a part of the input."""
        return dataclasses.replace(self, cases=(Case(self.cases[0].count, ()),))

    def mixed(self) -> "Axis":
        """The same number of units, each of which sees what all of them saw."""

        def compute() -> Axis:
            ends = [None if end is None else np.repeat(end, self.cases[0].count) for end in self._hulls()]
            return self._viewed(ends[0], ends[1], lambda views: joined([*views, ALL_SEE_ALL]))

        return self._once("mixed", compute)

    def collapsed(self) -> "Axis":
        """One unit, which sees what all of these saw."""
        views = UNSEEN if self.views == UNSEEN else (ALL_SEE_ALL,)
        return self._once("collapsed", lambda: Axis(self.length, *self._hulls(), 0, (Case(1, views),)))

    def pooled(self, sizes: Sequence[int], dims: Sequence[int], keep: bool) -> "Axis":
        """Each unit sees what all units along some dimensions saw, if the units have the shape `sizes`.

        Args:
            sizes: the shape; the last dimension is the fastest.
            dims: the dimensions, not all of them.
            keep: whether the number of units stays; otherwise these dimensions have one unit.
        """
        assert self.first is not None
        assert self.last is not None
        shape = [1 if dim in dims and not keep else size for dim, size in enumerate(sizes)]
        ends = [
            np.broadcast_to(end, shape).reshape(-1)
            for end in (
                self.first.reshape(sizes).min(axis=tuple(dims), keepdims=True),
                self.last.reshape(sizes).max(axis=tuple(dims), keepdims=True),
            )
        ]
        members = math.prod(sizes[dim] for dim in dims)
        neighbours = all(sizes[dim] == 1 or dim in dims for dim in range(min(dims), len(sizes)))
        views = _sampled(self.cases[0].views, Groups(members, members if keep else 1)) if neighbours else ()
        return self._with(ends[0], ends[1], views)

    def taken(self, numbers: np.ndarray) -> "Axis":
        """Units in another order and number: those with these numbers, an array of any shape."""
        assert self.first is not None
        assert self.last is not None
        flat = numbers.reshape(-1)
        return self._with(self.first[flat], self.last[flat], ())

    def sampled(self, sizes: Sequence[int], sampling: Sampling) -> "Axis":
        """As `through`, along the last dimension of units that have the shape `sizes`."""
        assert self.first is not None
        assert self.last is not None
        first, last = sampling.resolved(sizes[-1]).read(self.first.reshape(sizes), self.last.reshape(sizes))
        return self._with(first.reshape(-1), last.reshape(-1), ())

    def spread(self, like: "Axis | int | None") -> "Axis":
        """As many units as another axis has (or this number), each of which sees what the first unit sees."""
        constant: Callable[[Views], Views] = lambda views: tuple(view.constant() for view in views)  # noqa: E731
        if not isinstance(like, Axis):
            like = dataclasses.replace(self, growth=0, cases=(Case(like or 0, UNSEEN),), later=())
        if self.first is not None and self.last is not None:
            count = like.cases[0].count
            return self._with(np.repeat(self.first[:1], count), np.repeat(self.last[:1], count), constant(self.views))
        if any(not case.views for case in like.cases):
            return like.undefined()
        mine, other = _alike([self, like])
        pairs = zip(mine.cases, other.cases, strict=True)
        cases = tuple(Case(there.count, constant(here.views)) for here, there in pairs)
        return dataclasses.replace(mine, growth=other.growth, cases=cases, later=other.later)

    def shuffled(self) -> "Axis":
        """The same units in an unknown order."""
        return dataclasses.replace(self._viewed(*self._hulls(), lambda views: ()), rearranged=True)

    def _hulls(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.first is None or self.last is None or not len(self.first):
            return self.first, self.last
        return self.first.min(keepdims=True), self.last.max(keepdims=True)

    def _viewed(self, first: np.ndarray | None, last: np.ndarray | None, change: Callable[[Views], Views]) -> "Axis":
        if first is not None and last is not None:
            return self._with(first, last, change(self.cases[0].views))
        return dataclasses.replace(self, cases=tuple(Case(case.count, change(case.views)) for case in self.cases))

    def _with(self, first: np.ndarray, last: np.ndarray, views: Views) -> "Axis":
        assert self.length is not None
        return Axis._known(self.length, first, last, views, self.rearranged)

    # What is known of the units.

    @functools.cached_property
    def whole(self) -> bool:
        """Whether every unit sees the whole input, as after a global layer."""
        return all(case.whole for case in self.cases)

    @functools.cached_property
    def size(self) -> int | None:
        """Number of positions a unit sees of an input without borders; None: undefined.

        It is the largest if units differ, and may exceed the length of the input. If a unit sees endlessly many
        positions (all, or all before it), it is the number of positions that are read of the actual input.
        """
        if all(case.endless for case in self.cases):
            return None if self.first is None else int((self.last - self.first).max(initial=-1)) + 1
        return _agreed(case.size for case in self.cases)

    @functools.cached_property
    def stride(self) -> int | Fraction | None:
        """Input positions from one unit to the next; None: undefined, or there is only one unit.

        If every unit sees the whole input, the field does not move, but the units may still have a stride.
        """
        stride = _agreed(case.stride for case in self.cases)
        return stride.numerator if stride is not None and stride.denominator == 1 else stride

    @functools.cached_property
    def padding(self) -> int | None:
        """How far the first unit's field begins before the input (negative: inside it); None: undefined."""
        first = self._span[0] if self.whole else _agreed(case.first[0] for case in self.cases)
        return -int(first) if first is not None and math.isfinite(first) else None

    @functools.cached_property
    def centres(self) -> tuple[float, ...]:
        """The centre of the first unit's field, in positions.

        If branches with different centres have met: the lowest and the highest centre of all paths to the unit. Empty
        if a centre is undefined, as when it depends on an unknown size.
        """
        if self.whole:
            centre = middle(self._span)
            return () if centre is None else (centre,)
        return _agreed(case.centres for case in self.cases) or ()

    @property
    def centre(self) -> float | None:
        """The centre of the first unit's field; None if it is undefined or branches disagree."""
        return self.centres[0] if self.aligned and self.centres else None

    @functools.cached_property
    def aligned(self) -> bool | None:
        """Whether all paths to a unit have the same stride and centre; None: undefined."""
        return _agreed(case.aligned for case in self.cases)

    @functools.cached_property
    def blind(self) -> bytes:
        """Which units read only padding: a mask, empty if there are none."""
        if self.last is None or not len(self.last) or self.last.min() >= 0:
            return b""
        return np.packbits(self.last < 0).tobytes()

    @functools.cached_property
    def nothing(self) -> bool:
        """Whether all units read only padding."""
        return self.last is not None and (not len(self.last) or bool(self.last.max() < 0))

    @property
    def _span(self) -> Interval:
        """What the first unit reads of the actual input; `WHOLE` if it is not known."""
        if not self.count or self.first is None or self.last is None:
            return WHOLE
        return int(self.first[0]), int(self.last[0])


def _agreed(values: Iterable[T]) -> T | None:
    """The value that all of these are; None if they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _sampled(views: Views, sampling: Sampling) -> Views:
    """What a sampling makes of views."""
    seen = [view.through(sampling) for view in views]
    return joined(view for view in seen if view) if views and all(seen) else ()


def _through(sampling: Sampling) -> Callable[[Views], Views]:
    """As `_sampled`, computed once for the same views; many cases of an axis have the same."""
    return functools.cache(lambda views: _sampled(views, sampling))


def _alike(axes: Sequence[Axis]) -> list[Axis]:
    """The axes with equal numbers of cases."""
    count = math.lcm(*(len(axis.cases) for axis in axes))
    if count > MOST_CASES:
        axes = [dataclasses.replace(axis.undefined(), cases=axis.undefined().cases[:1]) for axis in axes]
        count = 1
    return [axis._refined(count // len(axis.cases)) for axis in axes]


def _overlaid(cases: Sequence[Case]) -> Views:
    """The views of branches together. A branch that sees the whole input hides what is not known of the others."""
    if not all(case.views for case in cases):
        cases = [case for case in cases if case.whole]
    return joined(itertools.chain(*(case.views for case in cases))) if cases else ()


def merged(axes: Sequence[Axis]) -> Axis:
    """The axis of a layer that reads the same index of several branches (addition, concatenation of maps)."""
    if all(axis is axes[0] for axis in axes):
        return axes[0]
    if any(axis.rearranged for axis in axes):
        axes = [axis.shuffled() for axis in axes]
    axes = _alike(axes)
    columns = zip(*(axis.cases for axis in axes), strict=True)
    cases = tuple(Case(column[0].count, _overlaid(column)) for column in columns)
    firsts = [axis.first for axis in axes if axis.first is not None]
    lasts = [axis.last for axis in axes if axis.last is not None]
    known = len(firsts) == len(axes)
    first = functools.reduce(np.minimum, firsts) if known else None
    last = functools.reduce(np.maximum, lasts) if known else None
    return dataclasses.replace(axes[0], first=first, last=last, cases=cases)
