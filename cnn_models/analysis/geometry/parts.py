"""Parts of a receptive field: what units see through different paths, put together where that loses nothing."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cnn_models.analysis.geometry import axis_changes
from cnn_models.analysis.geometry.axis import Axis
from cnn_models.analysis.geometry.line import Line
from cnn_models.analysis.geometry.sampling import FAR

Part = tuple[Line, ...]
"""Units whose fields are rectangles: one `Line` for each spatial axis of the input."""
Positions = tuple[int | tuple[int, ...] | None, ...]
MOST_UNITS = 1 << 22
"""Of tensors with more units, a size that is not the same for all units is not computed."""


def united(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Joins parts whose units are in the same places, and of which the same read nothing.

    Parts in which no unit reads anything are dropped.
    """
    parts = _seeing(parts)
    if len(parts) == 1:
        return parts
    models = [max(column, key=lambda line: line.fineness) for column in zip(*parts, strict=True)]
    groups: dict[object, list[Part]] = {}
    for part in parts:
        wide = tuple(line.spread(model) for line, model in zip(part, models, strict=True))
        key = tuple((line.layout, line.axis.rearranged, line.axis.blind) for line in wide)
        groups.setdefault(key, []).append(wide)
    return tuple(_overlaid(group) for group in groups.values())


def _overlaid(parts: Sequence[Part]) -> Part:
    """One part in place of several whose units are in the same places."""
    done: dict[tuple[int, ...], Axis] = {}  # equal axes are computed once
    lines = []
    for column in zip(*parts, strict=True):
        key = tuple(id(line.axis) for line in column)
        if key not in done:
            done[key] = axis_changes.merged([line.axis for line in column])
        lines.append(Line(done[key], column[0].layout))
    return tuple(lines)


def _seeing(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts in which some unit reads something; all parts if there are none."""
    if len(parts) == 1:
        return tuple(parts)
    return tuple(part for part in parts if not any(line.axis.nothing for line in part)) or tuple(parts)


def axes_of_input(parts: Sequence[Part]) -> tuple[Axis, ...]:
    """Each spatial axis of the input as all parts together see it."""
    return tuple(map(_together, zip(*_seeing(parts), strict=True)))


def _together(lines: Sequence[Line]) -> Axis:
    """One axis of the input as all paths together see it."""
    if len(lines) == 1:
        return lines[0].axis
    finest = max(lines, key=lambda line: line.fineness)
    wide = [line.spread(finest) for line in lines]
    if len({line.layout for line in wide}) == 1:
        return axis_changes.merged([line.axis for line in wide])
    axes = [axis_changes.shuffled(line.axis) for line in lines]
    union = axis_changes.merged(axes)
    all_see = any(line.axis.whole and axis.units == union.units for line, axis in zip(lines, axes, strict=True))
    return axis_changes.collapsed(union) if all_see else union


def positions_of(parts: Sequence[Part]) -> Positions:
    """For each spatial axis of the input, the axes of the tensor along which units see different positions of it."""
    return tuple(map(_position, zip(*_seeing(parts), strict=True)))


def _position(lines: Sequence[Line]) -> int | tuple[int, ...] | None:
    """The axes of the tensor along which units see different positions of one axis of the input."""
    places = sorted({place for line in lines for place in line.places})
    return None if not places else places[0] if len(places) == 1 else tuple(places)


def most_read(parts: Sequence[Part], k: int) -> int | None:
    """The largest number of positions that a unit reads along axis k of the actual input; None if not known."""
    lines = [line for part in parts for line in part]
    blind = any(line.axis.blind for line in lines)  # then a part counts where no line of it is blind
    counted = lines if blind else [part[k] for part in parts]
    totals = {digit.place: digit.total for line in counted for digit in line.layout.digits}
    sizes = [total for _, total in sorted(totals.items()) if total is not None]
    if not all(line.known for line in counted) or len(sizes) < len(totals) or math.prod(sizes) > MOST_UNITS:
        return None
    grid = dict(zip(sorted(totals), np.ogrid[tuple(map(slice, sizes))], strict=True))
    lowest, highest = np.full(sizes, FAR, np.int32), np.full(sizes, -1, np.int32)
    for part in parts:
        first, last = _ends(part[k], grid)
        for low, high in [_ends(line, grid) for line in part] if blind else []:
            first, last = np.where(low > high, FAR, first), np.where(low > high, -1, last)
        lowest, highest = np.minimum(lowest, first), np.maximum(highest, last)
    return int((highest - lowest).max(initial=-1)) + 1


def _ends(line: Line, grid: Mapping[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """First and last position that the units at some places read; both broadcast with the places."""
    assert line.axis.intervals is not None
    numbers = line.layout.numbers(grid)
    return line.axis.intervals.first[numbers], line.axis.intervals.last[numbers]
