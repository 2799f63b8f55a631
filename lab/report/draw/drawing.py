"""What figures are made of: the common sheet, dots and curves with their intervals, pictures, grids of numbers."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle

STYLE: Any = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "svg.fonttype": "none",  # text stays text: it can be searched, and read out
    "svg.hashsalt": "cnn-experiments",  # equal tables give equal files
}
# Okabe and Ito's colours, told apart by most eyes, each with a marker and a line of its own: grey tells them apart too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
WIDTH = 8.0  # inches of every figure: at 800 pixels a point is 1.4 pixels
ROW = 0.34  # inches of height that a row of dots takes
TITLE, SIZE, SMALL = 13, 10, 9  # points of a figure's title, of most text, and of the smallest
LETTERS, NAME = 66, 34  # letters that fit one line of the title, and that a row's name has in one
POINTS_PER_INCH = 72


def sheet(height: float, title: str) -> Figure:
    """An empty figure of the common width.

    Args:
        height: inches.
        title: what is plotted, in one plain sentence; it is broken where a line is full.
    """
    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.06))
    head(figure, textwrap.fill(title, LETTERS), TITLE, weight="bold")
    return figure


def head(part: Figure | SubFigure, text: str, size: float = 11, **style: Any) -> None:
    """A heading at the left over a figure or a part of one."""
    part.suptitle(text, x=0.01, ha="left", size=size, **style)


def interval(rows: pd.DataFrame, stem: str, scale: float = 1.0) -> tuple[pd.Series, np.ndarray]:
    """A measure's means, and how far its 95 % interval reaches below and above, `(2, rows)`; 0 of a single seed."""
    mean, low, high = (scale * rows[f"{stem}_{part}"].astype(float) for part in ("mean", "ci95_low", "ci95_high"))
    return mean, np.nan_to_num(np.array([mean - low, high - mean]))


def seeds(rows: pd.DataFrame) -> str:
    """What the bars of these rows are, in words."""
    least, most = int(rows["seeds"].min()), int(rows["seeds"].max())
    if most == 1:
        return "one seed"
    return f"bars: 95 % interval of the mean over {most if least == most else f'{least} to {most}'} seeds"


def dots(
    panels: Sequence[Axes],
    rows: pd.DataFrame,
    measures: Mapping[str, str],
    labels: Sequence[str],
    scale: float = 1.0,
    start: float = 0.0,
) -> None:
    """Means with intervals and their numbers: a line a row, first on top, a panel a measure.

    Args:
        panels: one for each measure, side by side, with one y axis (`sharey`).
        rows: of the table.
        measures: the panel's title by the stem of its columns (`<stem>_mean`, `<stem>_ci95_low`, …).
        labels: what each row is called.
        scale: what values are multiplied by, as 100 for per cent.
        start: where the x axes begin.
    """
    places = range(len(rows))
    for axes, (stem, title) in zip(panels, measures.items(), strict=True):
        mean, bars = interval(rows, stem, scale)
        axes.errorbar(mean, places, xerr=bars, fmt=MARKERS[0], color=COLOURS[0], capsize=3, ms=6)
        for place, value in zip(places, mean, strict=True):
            if not np.isnan(value):
                at_the_right(axes, place, f"{value:.2f}" if value < 10 else f"{value:.1f}")
        _reach(axes, mean + bars[1], start)
        axes.set_title(title)
        axes.grid()
        axes.tick_params(axis="y", length=0)
    name_rows(panels[0], labels)


def published(axes: Axes, values: pd.Series, words: str) -> None:
    """Published numbers as hollow diamonds among `dots`, the first one named."""
    axes.plot(values, range(len(values)), "D", mfc="none", mec="black", ms=6)
    known = values.reset_index(drop=True).dropna()
    if len(known):
        _reach(axes, [*known, *axes.dataLim.intervalx], axes.get_xlim()[0])
        beside(axes, words, (known.iloc[0], known.index[0]), 0, 11, ha="center", size=SMALL)


def _reach(axes: Axes, values: Any, start: float = 0.0) -> None:
    """Makes the x axis reach from a start to these values, with room for a number at the right of a narrow panel."""
    room = 0.04 + 0.07 * axes.get_gridspec().ncols  # type: ignore[union-attr]
    axes.set_xlim(start, start + max(float(np.nanmax([*values, start + 1e-9])) - start, 0) / (1 - room))


def at_the_right(axes: Axes, row: float, text: str, **style: Any) -> None:
    """Text of a row at the right edge of the axes."""
    axes.annotate(text, (1, row), xycoords=("axes fraction", "data"), ha="right", va="center", size=10, **style)


def height(labels: Sequence[str]) -> float:
    """The inches of height that rows of these names take: all alike, more where one takes several lines."""
    most = max((len(_lines(label)) for label in labels), default=1)
    return ROW * len(labels) * max(1, 0.6 * most)


def _lines(label: str) -> list[str]:
    return textwrap.wrap(label, NAME)


def name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Rows at 0, 1, … from the top, each with its name."""
    axes.set_yticks(range(len(labels)), ["\n".join(_lines(label)) for label in labels], size=11)
    axes.set_ylim(len(labels) - 0.4, -0.75)


def beside(
    axes: Axes, text: str, at: tuple[Any, Any], right: float = 6, up: float = 0, ha: str = "left", **style: Any
) -> None:
    """Text beside a point: so many points of type to the right of it and above."""
    axes.annotate(text, at, (right, up), textcoords="offset points", ha=ha, va="center", **style)


def curve(axes: Axes, x: Any, rows: pd.DataFrame, stem: str, number: int, scale: float = 1.0, **style: Any) -> None:
    """Means over x with intervals, in the colour, marker and line of this number."""
    mean, bars = interval(rows, stem, scale)
    axes.errorbar(x, mean, yerr=bars, **(series(number) | {"capsize": 3} | style))


def series(number: int) -> dict[str, Any]:
    """Colour, marker and line of the series of this number."""
    return {"color": COLOURS[number], "marker": MARKERS[number], "ls": LINES[number], "ms": 5}


def name_lines(axes: Axes, height: float) -> None:
    """Writes the name of each labelled line at its right end, apart from the others, instead of a legend.

    Args:
        axes: as it is to be: its limits and scales stay.
        height: of the axes, inches, or a little less.
    """
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    to_axes = axes.transScale + axes.transLimits
    ends = []
    for line, label in zip(*axes.get_legend_handles_labels(), strict=True):
        drawn: Any = line[0] if isinstance(line, tuple) else line
        points = np.column_stack([drawn.get_xdata(), drawn.get_ydata()]).astype(float)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            last = points[points[:, 0].argmax()]
            at = float(np.clip(to_axes.transform(last)[1], 0, 1))
            ends.append((at, float(last[0]), label, drawn.get_color()))
    ends.sort()
    lines = [label.count("\n") + 1 for _, _, label, _ in ends]
    heights = [1.25 * SIZE * count / (POINTS_PER_INCH * height) for count in lines]
    for place, (_, x, label, colour) in zip(apart([end[0] for end in ends], heights), ends, strict=True):
        axes.annotate(
            label,
            (x, place),
            (8, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=0.6 * np.array(to_rgb(colour)),  # pale letters are hard to read
            size=SIZE,
            va="center",
        )


def apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Places nearest to those wanted, in rising order, at which things of these heights do not overlap."""
    before = np.cumsum([0.0, *heights[:-1]]) + np.array(heights) / 2 if heights else np.zeros(0)
    blocks: list[list[float]] = []
    for value in np.array(wanted) - before:  # isotonic regression: neighbours in the wrong order share their mean
        blocks.append([float(value)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    middles = [np.mean(block) for block in blocks for _ in block]
    return [float(middle + start) for middle, start in zip(middles, before, strict=True)]


def round_ticks(axis: Axis, *ticks: float) -> None:
    """These ticks alone, as plain numbers: also on a logarithmic axis."""
    axis.set_major_locator(matplotlib.ticker.FixedLocator(ticks))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_locator(matplotlib.ticker.NullLocator())


def picture(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """A picture, uint8, grey `(height, width)` or colour `(height, width, 3)`, pixel by pixel."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="none")
    axes.set_title(title, loc="center")
    axes.set_axis_off()


def frame(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    """A frame around pixels of a picture, seen on light and on dark."""
    for colour, line in (("black", 3.5), ("white", 1.5)):
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=colour, linewidth=line))


def numbers(
    axes: Axes,
    values: Any,
    title: str,
    size: float = 12,
    shades: np.ndarray | None = None,
    marked: np.ndarray | None = None,
) -> None:
    """A matrix as a grid of its numbers.

    Args:
        axes: where it is drawn.
        values: `(rows, columns)`.
        title: stands above.
        size: of the digits, in points.
        shades: brightness of each cell, 0 to 1; white where not given.
        marked: cells to stand out, by bold digits and a thick frame.
    """
    values = np.asarray(values)
    shades = np.ones(values.shape) if shades is None else shades
    axes.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(values.shape[0] - 0.5, -0.5), aspect="equal")
    for (row, column), value in np.ndenumerate(values):
        mark = marked is not None and bool(marked[row, column])
        shade = str(float(shades[row, column]))
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=shade, edgecolor="0.6", linewidth=0.6))
        axes.text(
            column,
            row,
            f"{value:g}".replace("-", "−"),
            ha="center",
            va="center",
            fontsize=size,
            color="black" if shades[row, column] > 0.5 else "white",
            fontweight="bold" if mark else "normal",
        )
        if mark:
            axes.add_patch(Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, fill=False, linewidth=2))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="center")
