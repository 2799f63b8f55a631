"""How layers change an axis: each function here gives the axis of a layer's output."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from cnn_models.analysis.geometry import cases, intervals
from cnn_models.analysis.geometry.axis import Axis
from cnn_models.analysis.geometry.cases import UNSEEN, Cases, Views
from cnn_models.analysis.geometry.intervals import Intervals
from cnn_models.analysis.geometry.sampling import Groups, Sampling
from cnn_models.analysis.geometry.views import WHOLE, View, joined

ALL_SEE_ALL = View((WHOLE,), 0)


def through(axis: Axis, sampling: Sampling) -> Axis:
    """The axis of a layer that reads these units through a sampling."""
    if axis.rearranged:
        return axis
    read = axis.intervals
    if read is None:
        return _once(axis, sampling, lambda: dataclasses.replace(axis, cases=axis.cases.through(sampling)))
    exact = sampling.resolved(read.count)
    views = axis.cases.each[0].views
    return _once(axis, exact, lambda: _known(axis, read.through(exact, [read.count]), cases.sampled(views, exact)))


def sampled(axis: Axis, sizes: Sequence[int], sampling: Sampling) -> Axis:
    """As `through`, along the last dimension of units that have the shape `sizes`; their length is known."""
    assert axis.intervals is not None
    return _known(axis, axis.intervals.through(sampling, sizes), ())


def taken(axis: Axis, numbers: np.ndarray) -> Axis:
    """Units in another order and number: those with these numbers, an array of any shape; their length is known."""
    assert axis.intervals is not None
    return _known(axis, axis.intervals.taken(numbers), ())


def pooled(axis: Axis, sizes: Sequence[int], dims: Sequence[int], keep: bool) -> Axis:
    """Each unit sees what all units along some dimensions saw, if the units have the shape `sizes`.

    Args:
        axis: the axis, of known length.
        sizes: the shape; the last dimension is the fastest.
        dims: the dimensions, not all of them.
        keep: whether the number of units stays; otherwise these dimensions have one unit.
    """
    assert axis.intervals is not None
    members = math.prod(sizes[dim] for dim in dims)
    neighbours = all(sizes[dim] == 1 or dim in dims for dim in range(min(dims), len(sizes)))
    groups = Groups(members, members if keep else 1)
    views = cases.sampled(axis.cases.each[0].views, groups) if neighbours else ()
    return _known(axis, axis.intervals.pooled(sizes, dims, keep), views)


def mixed(axis: Axis) -> Axis:
    """The same number of units, each of which sees what all of them saw."""

    def compute() -> Axis:
        read = None if axis.intervals is None else axis.intervals.hull().spread(axis.cases.each[0].count)
        return _viewed(axis, read, lambda views: joined([*views, ALL_SEE_ALL]))

    return _once(axis, "mixed", compute)


def collapsed(axis: Axis) -> Axis:
    """One unit, which sees what all of these saw."""
    views = UNSEEN if axis.views == UNSEEN else (ALL_SEE_ALL,)
    return _once(axis, "collapsed", lambda: Axis(axis.length, _hull(axis), Cases.of_known(1, views)))


def spread(axis: Axis, like: Axis | int) -> Axis:
    """As many units as another axis has (or this number), each of which sees what the first unit sees."""
    other = Cases.of_known(like, UNSEEN) if isinstance(like, int) else like.cases
    if axis.intervals is not None:
        return _known(axis, axis.intervals.spread(other.each[0].count), cases.constant(axis.views))
    return dataclasses.replace(axis, cases=axis.cases.spread(other))


def shuffled(axis: Axis) -> Axis:
    """The same units in an unknown order."""
    return dataclasses.replace(_viewed(axis, _hull(axis), lambda views: ()), rearranged=True)


def undefined(axis: Axis) -> Axis:
    """Units of which nothing is known but that they see a part of the input."""
    return dataclasses.replace(axis, cases=axis.cases.undefined())


def merged(axes: Sequence[Axis]) -> Axis:
    """The axis of a layer that reads the same index of several branches (addition, concatenation of maps)."""
    if all(axis is axes[0] for axis in axes):
        return axes[0]
    if any(axis.rearranged for axis in axes):
        axes = [shuffled(axis) for axis in axes]
    read = [axis.intervals for axis in axes if axis.intervals is not None]
    together = intervals.overlaid(read) if len(read) == len(axes) else None
    return dataclasses.replace(axes[0], intervals=together, cases=cases.overlaid([axis.cases for axis in axes]))


def _once(axis: Axis, change: object, compute: Callable[[], Axis]) -> Axis:
    """The result of a change, computed once."""
    if change not in axis.changed:
        axis.changed[change] = compute()
    return axis.changed[change]


def _known(axis: Axis, read: Intervals, views: Views) -> Axis:
    """An axis of the same input, of known length, with other units."""
    return Axis(axis.length, read, Cases.of_known(read.count, views), axis.rearranged)


def _hull(axis: Axis) -> Intervals | None:
    return None if axis.intervals is None else axis.intervals.hull()


def _viewed(axis: Axis, read: Intervals | None, change: Callable[[Views], Views]) -> Axis:
    """The axis with changed views; `read` is what its units then read of the actual input, if that is known."""
    if read is None:
        return dataclasses.replace(axis, cases=axis.cases.viewed(change))
    return _known(axis, read, change(axis.cases.each[0].views))
