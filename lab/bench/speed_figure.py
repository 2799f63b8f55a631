"""The figure of the benchmark: the median and the range of each way in each contest."""

from pathlib import Path

import matplotlib
import matplotlib.ticker
import pandas as pd
from matplotlib.axes import Axes

from lab.report.draw import drawing
from lab.report.draw.drawing import STYLE
from lab.report.draw.figures import save

SIDE_BY_SIDE = ("epoch", "step", "study", "tiny", "workers", "search", "start", "precision", "flops")
GROWING = {"batch": "pictures a batch", "records": "records"}
LINE = 0.42  # inches of height for one way: its name above its bar


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Writes the figure as SVG.

    Args:
        frame: the table that `benchmark.write` returns.
        path: the file.
    """
    words = [word for word in (*SIDE_BY_SIDE, *GROWING) if (frame["contest"] == word).any()]
    heights = [5 if word in GROWING else (frame["contest"] == word).sum() + 2.2 for word in words]
    with matplotlib.rc_context(STYLE):
        figure = drawing.sheet(
            LINE * sum(heights) + 0.4, "How long things take: the median, and the lowest to the highest"
        )
        panels = figure.subplots(len(words), height_ratios=heights, squeeze=False)[:, 0]
        for axes, word in zip(panels, words, strict=True):
            rows = frame[frame["contest"] == word]
            if word in GROWING:
                _curve(axes, rows, GROWING[word])
            else:
                _bars(axes, rows)
    save(figure, path)


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    """Draws one bar per way, as long as the median, with a line from the lowest to the highest value."""
    one = rows["measure"].nunique() == 1
    several = rows["way"].nunique() > 1
    names = [
        way if one else f"{measure}, {way}" if several else measure
        for measure, way in zip(rows["measure"], rows["way"], strict=True)
    ]
    places = range(len(rows))
    ours = rows["way"].str.startswith("this suite")
    colours = ["0.35" if own else "0.85" for own in ours]
    axes.barh(places, rows["median"], height=0.4, color=colours, edgecolor="black", linewidth=0.8)
    spread = [rows["median"] - rows["lowest"], rows["highest"] - rows["median"]]
    axes.errorbar(rows["median"], places, xerr=spread, fmt="none", color="black", capsize=3, linewidth=1)
    large = rows["median"].max() > 1e6
    short = matplotlib.ticker.EngFormatter(places=1, sep=" ") if large else "{:.3g}".format
    for place, (median, high) in enumerate(zip(rows["median"], rows["highest"], strict=True)):
        drawing.beside(axes, short(median), (high, place), size=10)
    for place, name in enumerate(names):
        drawing.beside(axes, name, (0, place - 0.42), 0, size=10)
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.6, -0.8)
    axes.set_xlim(0, rows["highest"].max() * 1.12)
    if large:
        axes.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=" "))
    axes.set_xlabel(rows["unit"].iloc[0])
    if one:
        axes.set_title(rows["measure"].iloc[0])


def _curve(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Draws seconds over a size on a logarithmic axis. The axis of seconds is logarithmic if they span a decade."""
    sizes = [int(text.replace(",", "")) for text in rows["measure"].str.extract(r"([\d,]+\d)")[0]]
    spread = [rows["median"] - rows["lowest"], rows["highest"] - rows["median"]]
    axes.errorbar(sizes, rows["median"], yerr=spread, fmt="o-", color="black", capsize=3, linewidth=1)
    axes.set_xscale("log", base=2 if label.startswith("pictures") else 10)
    if rows["highest"].max() > 10 * rows["lowest"].min():
        axes.set_yscale("log")
        drawing.round_ticks(axes.yaxis, 0.01, 0.1, 1, 10, 100, 1000)
    else:  # over less than a decade, a logarithmic axis may have no tick
        axes.set_ylim(bottom=0)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_title(f"{rows['unit'].iloc[0]} by {label}")
    axes.set_xlabel(f"{label} (log scale)")
