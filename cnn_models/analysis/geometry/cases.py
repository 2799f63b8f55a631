"""What the units along an axis see of an input without borders, whether or not its length is known.

There the fields repeat (`cnn_models.analysis.geometry.views`). Where the length n of the input is not known, views and
numbers of units depend on n only through its remainder by a number M, the product of the strides. There is a `Case` for
each remainder, and what is equal in all cases is known for every n.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from cnn_models.analysis.geometry.sampling import Sampling
from cnn_models.analysis.geometry.views import NOTHING, WHOLE, Interval, View, joined, size_of

T = TypeVar("T")
Views = tuple[View, ...]
UNSEEN = (View((NOTHING,), 0),)
MOST_CASES = 4096
"""With more remainders to tell apart, an axis of unknown length is undefined."""
LARGE = 1 << 24
"""Stands for a length so large that no layer's output is empty."""


@dataclasses.dataclass(frozen=True)
class Case:
    """An axis for all lengths n of the input with one remainder r by M: n = M·q + r, for any q.

    Attributes:
        count: the number of units is `Cases.growth`·q + `count`, before the layers in `Cases.later`.
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


@dataclasses.dataclass(frozen=True)
class Cases:
    """The cases of an axis.

    Attributes:
        each: one for each remainder of the length by M; one alone if the length is known.
        growth: units by which the tensor grows when the input grows by M positions; 0 if the length is known.
        later: layers that have changed the number of units since `growth` and the counts were computed. No field has
            depended on it yet, so equal cases may have different ones.
    """

    each: tuple[Case, ...]
    growth: int = 0
    later: tuple[Sampling, ...] = dataclasses.field(default=(), compare=False)

    @classmethod
    def of_known(cls, count: int, views: Views) -> "Cases":
        """Those of a known number of units: one case."""
        return cls((Case(count, views),))

    @property
    def count(self) -> int | None:
        """The number of units; None if it depends on an unknown length."""
        return None if self.growth else self.agreed(lambda case: case.count)

    def agreed(self, question: Callable[[Case], T]) -> T | None:
        """The answer that all cases give to a question; None if they differ."""
        answers = set(map(question, self.each))
        return answers.pop() if len(answers) == 1 else None

    def undefined(self) -> "Cases":
        """Those of units of which nothing is known but that they see a part of the input."""
        return dataclasses.replace(self, each=(Case(self.each[0].count, ()),))

    def viewed(self, change: Callable[[Views], Views]) -> "Cases":
        """The same numbers of units with changed views."""
        return dataclasses.replace(self, each=tuple(Case(case.count, change(case.views)) for case in self.each))

    def through(self, sampling: Sampling) -> "Cases":
        """Those of a layer that reads these units through a sampling."""
        if not self.growth:
            exact = sampling.resolved(self.each[0].count)
            change = _sampler(exact)
            each = (Case(exact.length(case.count), change(case.views)) for case in self.each)
            return dataclasses.replace(self, each=tuple(each))
        if sampling.steps[0] < 0 or not sampling.endless:
            return self.undefined()
        if sampling.varies:
            return self._through_varying(sampling)
        later = self.later if sampling.length(LARGE) == LARGE else (*self.later, sampling)
        return dataclasses.replace(self.viewed(_sampler(sampling.resolved(LARGE))), later=later)

    def _through_varying(self, sampling: Sampling) -> "Cases":
        """As `through`, where the positions that a unit reads depend on their number."""
        try:
            cases = functools.reduce(Cases._counted, self.later, dataclasses.replace(self, later=()))
            cases = cases._of_modulus(sampling.modulus)
        except OverflowError:
            return self.undefined()
        windows = [sampling.resolved(case.count + LARGE * cases.growth) for case in cases.each]
        changes = {window: _sampler(window) for window in windows}
        each = [Case(case.count, changes[window](case.views)) for case, window in zip(cases.each, windows, strict=True)]
        return dataclasses.replace(cases, each=tuple(each))._counted(sampling)

    def _counted(self, layer: Sampling) -> "Cases":
        """The cases with the numbers of units behind a layer, but unchanged views."""
        cases = self._of_modulus(layer.modulus)
        inward, outward = layer.steps
        growth = cases.growth * outward // inward
        counts = [layer.length(case.count + LARGE * cases.growth) - LARGE * growth for case in cases.each]
        each = [Case(count, case.views) for case, count in zip(cases.each, counts, strict=True)]
        return dataclasses.replace(cases, each=tuple(each), growth=growth)

    def _of_modulus(self, modulus: int) -> "Cases":
        """The same cases, so many that in each the number of units has one remainder by `modulus`."""
        return self.refined(modulus // math.gcd(self.growth, modulus))

    def refined(self, factor: int) -> "Cases":
        """The same cases with `factor` times as many remainders told apart.

        Raises:
            OverflowError: these are more than `MOST_CASES`.
        """
        if factor == 1:
            return self
        if factor * len(self.each) > MOST_CASES:
            raise OverflowError("An axis of unknown length has too many cases.")
        each = [Case(case.count + turn * self.growth, case.views) for turn in range(factor) for case in self.each]
        return dataclasses.replace(self, each=tuple(each), growth=self.growth * factor)

    def spread(self, like: "Cases") -> "Cases":
        """As many units as others have, each of which sees what the first unit sees here."""
        if any(not case.views for case in like.each):
            return like.undefined()
        mine, other = _alike([self, like])
        pairs = zip(mine.each, other.each, strict=True)
        return dataclasses.replace(other, each=tuple(Case(there.count, constant(here.views)) for here, there in pairs))


def overlaid(branches: Sequence[Cases]) -> Cases:
    """The cases of a layer that reads the same index of several branches."""
    branches = _alike(branches)
    columns = zip(*(branch.each for branch in branches), strict=True)
    return dataclasses.replace(branches[0], each=tuple(Case(column[0].count, _together(column)) for column in columns))


def sampled(views: Views, sampling: Sampling) -> Views:
    """What a sampling makes of views."""
    seen = [view.through(sampling) for view in views]
    return joined(view for view in seen if view) if views and all(seen) else ()


def constant(views: Views) -> Views:
    """The views in which every unit sees what the first unit sees."""
    return tuple(view.constant() for view in views)


def _sampler(sampling: Sampling) -> Callable[[Views], Views]:
    """As `sampled`, computed once for the same views; many cases of an axis have the same."""
    return functools.cache(lambda views: sampled(views, sampling))


def _alike(branches: Sequence[Cases]) -> list[Cases]:
    """The cases of several branches with equal numbers of cases."""
    count = math.lcm(*(len(branch.each) for branch in branches))
    if count > MOST_CASES:
        return [branch.undefined() for branch in branches]
    return [branch.refined(count // len(branch.each)) for branch in branches]


def _together(cases: Sequence[Case]) -> Views:
    """The views of branches together. A branch that sees the whole input hides what is not known of the others."""
    if not all(case.views for case in cases):
        cases = [case for case in cases if case.whole]
    return joined(itertools.chain(*(case.views for case in cases))) if cases else ()
