"""The summary's figure: test error against parameters, each network with its name and what it sees."""

import itertools
from collections.abc import Sequence

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from cnn_models.zoo import MODELS
from lab.report.draw import drawing

WHOLE, PART = (
    "fully connected: each unit sees the whole picture",
    "convolutional: side of its receptive field beside the name",
)
KINDS = {WHOLE: (drawing.MARKERS[1], drawing.COLOURS[1]), PART: (drawing.MARKERS[0], drawing.COLOURS[0])}
LETTERS = 14  # points: readable on a telephone, too
MARK = 9
STEPS = (9, 20, 32, 46, 62)  # points from a network's mark to its name
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))  # right, up
TRIES = tuple(itertools.product(STEPS, DIRECTIONS))  # best first
LINE = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 4}
ROUND = {step * 10**power for power in range(-2, 3) for step in (1, 2, 5)}


def draw(title: str, rows: pd.DataFrame) -> Figure:
    """Test error against parameters, both on logarithmic axes, with 95 % intervals over seeds.

    Args:
        title: what the networks learned from.
        rows: of the summary, see `lab.report.summary.frame`.
    """
    with matplotlib.rc_context(drawing.STYLE):
        figure = drawing.sheet(8.2, f"Test error and parameters of networks, {title}")
        axes = figure.subplots()
        kinds = rows["model"].map(_kind)
        for kind, (marker, colour) in KINDS.items():
            if len(shown := rows[kinds == kind]):
                mean, bars = drawing.interval(shown, "test_error_percent")
                x = shown["params"].to_numpy(dtype=float)
                axes.errorbar(x, mean, yerr=bars, fmt=marker, color=colour, ms=MARK, capsize=4, label=kind)
        axes.set(xscale="log", yscale="log")
        axes.margins(0.17, 0.12)
        axes.set_xlabel("parameters", size=LETTERS)
        axes.set_ylabel(f"test error, %; {drawing.seeds(rows)}", size=LETTERS)
        axes.tick_params(labelsize=LETTERS)
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        drawing.round_ticks(axes.xaxis, *(10.0**power for power in range(10) if left <= 10**power <= right))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        drawing.round_ticks(axes.yaxis, *(tick for tick in sorted(ROUND) if low <= tick <= high))
        axes.grid()
        figure.legend(loc="outside lower left", frameon=False, handletextpad=0.3, fontsize=LETTERS)
        figure.draw_without_rendering()  # where things are is known only then
        _name(axes, rows)
        return figure


def _kind(model: str) -> str:
    field = MODELS[model].field
    return WHOLE if field and field.layer is None else PART


def _name(axes: Axes, rows: pd.DataFrame) -> None:
    """Writes each network's name where it covers no other name and no mark, with a line to a mark that is far."""
    pixels = axes.figure.dpi / drawing.POINTS_PER_INCH
    places = axes.transData.transform(rows[["params", "test_error_percent_mean"]].to_numpy(dtype=float))
    reach = 0.7 * MARK * pixels
    taken = [Bbox.from_bounds(x - reach, y - reach, 2 * reach, 2 * reach) for x, y in places]
    inside = axes.get_window_extent()
    for place, (_, row) in zip(places, rows.iterrows(), strict=True):
        kind = _kind(row["model"])
        words = row["model"] if kind == WHOLE else f"{row['model']}, {row['receptive_field_px']:.0f} px"
        text = axes.annotate(words, place, xycoords="figure pixels", size=LETTERS, color=KINDS[kind][1])
        size = text.get_window_extent()
        boxes = [_box(place, size, step * pixels, *direction) for step, direction in TRIES]
        costs = [sum(map(box.overlaps, taken)) + (100 if _beyond(box, inside) else 0) for box in boxes]
        best = costs.index(min(costs))
        step, (right, up) = TRIES[best]
        text.remove()
        axes.annotate(
            words,
            (row["params"], row["test_error_percent_mean"]),
            (right * step, up * step),
            textcoords="offset points",
            ha={1: "left", -1: "right", 0: "center"}[right],
            va={1: "bottom", -1: "top", 0: "center"}[up],
            size=LETTERS,
            color=KINDS[kind][1],
            arrowprops=LINE if step > STEPS[0] else None,
        )
        taken.append(boxes[best])


def _box(place: Sequence[float], size: Bbox, far: float, right: int, up: int) -> Bbox:
    """Where a text of this size is that begins so far from a place, to the right (1), left (-1) or its middle (0)."""
    x, y = place[0] + right * far, place[1] + up * far
    return Bbox.from_bounds(x + size.width * (right - 1) / 2, y + size.height * (up - 1) / 2, size.width, size.height)


def _beyond(box: Bbox, inside: Bbox) -> bool:
    return box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1
