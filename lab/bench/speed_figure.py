"""The figure of the benchmark: a panel a question; ratios where something is compared, seconds where nothing is."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
import matplotlib.ticker
import pandas as pd
from matplotlib.axes import Axes

from lab.report.draw import drawing
from lab.report.draw.drawing import COLOURS, MARKERS, STYLE
from lab.report.draw.figures import save

OURS = "this suite"
CURVE = 3.0  # inches of height of a curve


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Writes the figure as SVG.

    Args:
        frame: the table that `benchmark.write` returns.
        path: the file.
    """
    parts = {word: rows for word in PANELS if len(rows := frame[frame["contest"] == word])}
    heights = [_height(word, rows) for word, rows in parts.items()]
    with matplotlib.rc_context(STYLE):
        figure = drawing.sheet(sum(heights) + 0.6, "How long things take, beside other ways to do the same")
        panels = figure.subplots(len(parts), height_ratios=heights, squeeze=False)[:, 0]
        for axes, (word, rows) in zip(panels, parts.items(), strict=True):
            title, how = PANELS[word]
            axes.set_title(title)
            how(axes, rows.reset_index(drop=True))
    save(figure, path)


def _height(word: str, rows: pd.DataFrame) -> float:
    if PANELS[word][1] is _curve:
        return CURVE
    shown = rows["measure"] if PANELS[word][1] is _shares else _names(rows)
    return drawing.height(list(dict.fromkeys(shown))) + 0.9


def _times(axes: Axes, rows: pd.DataFrame) -> None:
    """How many times as long as this suite each way takes; medians, and the lowest to the highest of the turns."""
    low, middle, high = (1 / rows[f"suite_by_this_{part}"] for part in ("highest", "median", "lowest"))
    ours = rows["way"].str.startswith(OURS) & (rows["suite_by_this_highest"] == 1)
    _bars(axes, rows, (low, middle, high), ours)
    for place, (times, seconds) in enumerate(zip(middle, rows["median"], strict=True)):
        drawing.at_the_right(axes, place, f"{times:.3g}×, {seconds:.3g} s")
    axes.axvline(1, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xlabel("times as long as this suite")


def _shares(axes: Axes, rows: pd.DataFrame) -> None:
    """What the first way of each measure takes of the second: medians, and the lowest to the highest of the turns."""
    rivals = rows[~rows.groupby("measure").cumcount().eq(0)]
    middle = rivals["suite_by_this_median"]
    spread = [middle - rivals["suite_by_this_lowest"], rivals["suite_by_this_highest"] - middle]
    places = range(len(rivals))
    axes.errorbar(middle, places, xerr=spread, fmt=MARKERS[0], color=COLOURS[0], capsize=3, ms=6)
    for place, share in zip(places, middle, strict=True):
        drawing.at_the_right(axes, place, f"{share:.2f}")
    axes.axvline(1, color="0.4", linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1.15 * max(1, rivals["suite_by_this_highest"].max()))
    axes.set_xlabel("the time by this suite's operations, as a share of that by Keras's")
    drawing.name_rows(axes, [_short(measure) for measure in rivals["measure"]])


def _amounts(axes: Axes, rows: pd.DataFrame) -> None:
    """Values in their unit: medians, and the lowest to the highest of the turns."""
    _bars(axes, rows, tuple(rows[part] for part in ("lowest", "median", "highest")), rows["way"].str.startswith(OURS))
    large = rows["median"].max() > 1e6
    short = matplotlib.ticker.EngFormatter(places=1, sep=" ") if large else "{:.3g}".format
    for place, value in enumerate(rows["median"]):
        drawing.at_the_right(axes, place, short(value))
    if large:
        axes.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=" "))
    axes.set_xlabel(rows["unit"].iloc[0])


def _bars(axes: Axes, rows: pd.DataFrame, values: tuple[pd.Series, ...], ours: pd.Series) -> None:
    """A bar a row to the middle value, and a line from the low to the high one."""
    low, middle, high = values
    colours = [COLOURS[0] if own else "0.8" for own in ours]
    axes.barh(range(len(rows)), middle, height=0.5, color=colours)
    axes.errorbar(middle, range(len(rows)), xerr=[middle - low, high - middle], fmt="none", color="black", capsize=3)
    axes.set_xlim(0, 1.35 * high.max())  # room for the numbers at the right
    drawing.name_rows(axes, _names(rows))


def _names(rows: pd.DataFrame) -> list[str]:
    """What tells the rows of a panel apart: the way, the measure, or both."""
    if rows["measure"].nunique() == 1:
        return list(rows["way"])
    if rows["way"].nunique() == 1:
        return [_short(measure) for measure in rows["measure"]]
    return [f"{measure}: {way}" for measure, way in zip(rows["measure"], rows["way"], strict=True)]


def _short(measure: str) -> str:
    """A measure without what the title of its panel says."""
    for start in ("start-up: ", "a step of ", "an epoch of LeNet-5 in "):
        measure = measure.removeprefix(start)
    return re.split(r": |, one thread", measure)[0]


def _curve(axes: Axes, rows: pd.DataFrame) -> None:
    """Seconds over a size on a logarithmic axis. The axis of seconds is logarithmic if they span a decade."""
    sizes = [int(text.replace(",", "")) for text in rows["measure"].str.extract(r"([\d,]+\d)")[0]]
    spread = [rows["median"] - rows["lowest"], rows["highest"] - rows["median"]]
    axes.errorbar(sizes, rows["median"], yerr=spread, fmt="o-", color=COLOURS[0], capsize=3, linewidth=1)
    axes.set_xscale("log")
    if rows["highest"].max() > 10 * rows["lowest"].min():
        axes.set_yscale("log")
        drawing.round_ticks(axes.yaxis, 0.01, 0.1, 1, 10, 100, 1000)
    else:  # over less than a decade, a logarithmic axis may have no tick
        axes.set_ylim(bottom=0)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylabel(rows["unit"].iloc[0])


# The title of each contest's panel, and how it is drawn.
PANELS: dict[str, tuple[str, Callable[[Axes, pd.DataFrame], None]]] = {
    "epoch": ("An epoch of LeNet-5, two threads", _times),
    "side-by-side": ("An epoch of a run of LeNet-5, two cores", _times),
    "speedrun": ("Networks that read 99.0 % of MNIST's test digits", _times),
    "photographs": ("An epoch on photographs", _times),
    "step": ("A step of training, one thread: this suite's operations beside Keras's", _shares),
    "workers": ("Runs of LeNet-5: workers beside one process", _amounts),
    "search": ("A random search of 12 recipes", _amounts),
    "tiny": ("One of 100 tiny runs, start-up and table included", _amounts),
    "start": ("Start of each command", _amounts),
    "precision": ("An epoch of LeNet-5 by precision, one thread", _amounts),
    "flops": ("Float32 operations in a second, two threads", _amounts),
    "batch": ("An epoch of LeNet-5 by pictures a batch", _curve),
    "records": ("The table of many records", _curve),
}
