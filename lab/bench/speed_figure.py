"""The figure of the benchmark: for each contest the median of each way, and from the lowest to the highest."""

from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab.report.figures import STYLE, save

SIDE_BY_SIDE = ("epoch", "study", "tiny", "workers", "search", "start", "precision", "flops")
GROWING = {"batch": "pictures a batch", "records": "records"}
WIDTH, LINE = 8.0, 0.34  # inches: of the figure, and of the height of one way


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Writes the figure as SVG.

    Args:
        frame: as `benchmark.write` gives it.
        path: where it goes.
    """
    words = [word for word in (*SIDE_BY_SIDE, *GROWING) if (frame["contest"] == word).any()]
    heights = [6 if word in GROWING else (frame["contest"] == word).sum() + 2 for word in words]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, LINE * sum(heights) + 0.4), layout="constrained")
        panels = figure.subplots(len(words), height_ratios=heights, squeeze=False)[:, 0]
        for axes, word in zip(panels, words, strict=True):
            rows = frame[frame["contest"] == word]
            if word in GROWING:
                _curve(axes, rows, GROWING[word])
            else:
                _bars(axes, rows)
    save(figure, path)


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    """One line a way: a bar to the median, and a line from the lowest to the highest."""
    one = rows["measure"].nunique() == 1
    several = rows["way"].nunique() > 1
    names = [
        way if one else f"{measure}, {way}" if several else measure
        for measure, way in zip(rows["measure"], rows["way"], strict=True)
    ]
    places = range(len(rows))
    ours = rows["way"].str.startswith("this suite")
    axes.barh(
        places, rows["median"], color=["0.35" if own else "0.85" for own in ours], edgecolor="black", linewidth=0.8
    )
    spread = [rows["median"] - rows["lowest"], rows["highest"] - rows["median"]]
    axes.errorbar(rows["median"], places, xerr=spread, fmt="none", color="black", capsize=3, linewidth=1)
    for place, (median, high) in enumerate(zip(rows["median"], rows["highest"], strict=True)):
        axes.annotate(f"{median:.3g}", (high, place), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, rows["highest"].max() * 1.12)
    axes.set_xlabel(rows["unit"].iloc[0])
    if one:
        axes.set_title(rows["measure"].iloc[0], fontsize=10, loc="left")


def _curve(axes: Axes, rows: pd.DataFrame, label: str) -> None:
    """Seconds against what grows, which is on a logarithmic axis; the seconds too if they span a decade."""
    sizes = [int(text.replace(",", "")) for text in rows["measure"].str.extract(r"([\d,]+\d)")[0]]
    spread = [rows["median"] - rows["lowest"], rows["highest"] - rows["median"]]
    axes.errorbar(sizes, rows["median"], yerr=spread, fmt="o-", color="black", capsize=3, linewidth=1)
    axes.set_xscale("log", base=2 if label.startswith("pictures") else 10)
    if rows["highest"].max() > 10 * rows["lowest"].min():
        axes.set_yscale("log")
    else:  # a logarithmic axis may have no tick in so short a range
        axes.set_ylim(bottom=0)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylabel(rows["unit"].iloc[0])
