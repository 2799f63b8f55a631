"""The figure of `make receptive-field`: growth by depth, effective fields, and fields on the cat."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from experiments.receptive_field import DEPTHS, DRAWN, GROWTHS, SIDE, gaussian_side
from lab.data import datasets
from lab.declare.experiment import Experiment
from lab.report.draw import drawing, figures
from lab.store.records import Records

HEAT_MAPS = {"plain-5": "5 layers", "plain-20": "20 layers", "plain-50": "50 layers", "trained-lenet5-relu": "LeNet-5"}
GROWTH, CAT = 4.2, 4.2  # inches of height
NAMES = {
    "plain": "3×3 after 3×3",
    "stride": "stride 2",
    "pooling": "2×2 pooling",
    "dilation": "dilation",
}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Growth by depth, heat maps of effective fields, and networks' fields to scale on the cat."""
    if frame.empty:
        return None
    # Columns that the chosen rows do not have: only networks, say, or only what is too large to measure.
    frame = figures.by_variant(frame).reset_index()
    frame = frame.reindex(columns=[*frame, *(column for column in DRAWN if column not in frame)])
    kept = figures.arrays(experiment, records)
    maps = {name: kept[name]["gradient"] for name in HEAT_MAPS if name in kept}
    heights = [GROWTH, *([2.5] * bool(maps)), CAT]
    figure = drawing.sheet(0.4 + sum(heights), "What layers of 3×3 see of a picture of 300×300 pixels")
    growth, *between, cat = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_growth(growth, frame)
    for part in between:
        _draw_heat_maps(part, maps, frame)
    _draw_on_cat(cat, experiment, frame, datasets.cat())
    return figure


def _draw_growth(part: SubFigure, frame: pd.DataFrame) -> None:
    drawing.head(part, "Side of the field, pixels: in theory (filled), and in effect at initialisation (hollow)")
    axes = part.subplots()
    for number, growth in enumerate(GROWTHS):
        rows = frame[frame["growth"] == growth].sort_values("depth", kind="stable")
        style = drawing.series(number) | {"ls": "-"}
        axes.plot(rows["depth"], rows["receptive_field_pixels"], **style)
        measured = rows.dropna(subset=["effective_field_pixels_mean"])
        drawing.curve(
            axes, measured["depth"], measured, "effective_field_pixels", number, ls=":", mfc="none", label=NAMES[growth]
        )
    depths = np.array(DEPTHS["plain"])
    axes.plot(depths, [gaussian_side(depth) for depth in depths], color="black", lw=1, ls="--")
    drawing.beside(axes, "Luo et al. 2016: √N", (depths[-1], gaussian_side(depths[-1])), 0, 8, size=10)
    axes.axhline(SIDE, color="black", lw=1)
    drawing.beside(axes, "300 pixels: the lecture's cat", (1, SIDE), 0, 8, size=10)
    axes.set(xscale="log", yscale="log", xlim=(0.9, 200), ylim=(1.8, 700))
    drawing.round_ticks(axes.xaxis, 1, 2, 4, 8, 20, 50, 150)
    drawing.round_ticks(axes.yaxis, 3, 10, 30, 100, 300)
    axes.grid()
    axes.set_xlabel(f"layers of 3×3 (both axes: log scale); {drawing.seeds(frame)}")
    drawing.name_lines(axes, GROWTH - 1)


def _draw_heat_maps(part: SubFigure, maps: dict[str, np.ndarray], frame: pd.DataFrame) -> None:
    drawing.head(part, "What one unit's answer depends on: the brighter, the more (dashed: field in theory)")
    theoretical = frame.set_index("variant")["receptive_field_pixels"]
    for axes, (name, gradient) in zip(part.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        size = theoretical[name]
        drawing.picture(axes, gradient, f"{HEAT_MAPS[name]}: {int(size)}×{int(size)}")
        low = (gradient.shape[0] - size) / 2 - 0.5
        axes.add_patch(_square(low, low, size, edgecolor="white", ls="--"))


def _draw_on_cat(part: SubFigure, experiment: Experiment, frame: pd.DataFrame, cat: np.ndarray) -> None:
    """Fields of networks as squares about the middle of the cat, each named at its upper right corner."""
    networks = frame[frame["growth"].isna() & ~frame["variant"].str.startswith("trained")]
    if networks.empty:
        return
    drawing.head(part, "Fields of whole networks on the cat of 300×300 pixels, in theory")
    axes = part.subplots()
    axes.imshow(cat, extent=(-SIDE / 2, SIDE / 2, SIDE / 2, -SIDE / 2))
    reach = max(SIDE, networks["receptive_field_pixels"].max()) / 2 + 5
    for number, (size, rows) in enumerate(networks.groupby("receptive_field_pixels")):
        side, colour = float(str(size)), drawing.COLOURS[number % len(drawing.COLOURS)]
        for edge, width in (("white", 4), (colour, 2)):
            axes.add_patch(_square(-side / 2, -side / 2, side, edgecolor=edge, lw=width))
        names = ", ".join(figures.label(experiment, name) for name in rows["variant"])
        axes.annotate(
            f"{names}: {side:g}",
            (side / 2, -side / 2),
            (reach + 20, -side / 2),
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1.5},
        )
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach))
    axes.set_axis_off()


def _square(x: float, y: float, side: float, **style: Any) -> Rectangle:
    return Rectangle((x, y), side, side, fill=False, **({"lw": 1.8} | style))
