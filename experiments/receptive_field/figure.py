"""The figure of `make receptive-field`: growth by depth, effective fields, and fields on the cat."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.receptive_field import DRAWN, GROWTHS, SIDE
from lab.data import datasets
from lab.declare.experiment import Experiment
from lab.report import figures
from lab.report.figures import COLOURS, MARKERS
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Growth by depth, heat maps of effective fields, and networks' fields to scale on the cat."""
    if frame.empty:
        return None
    # Columns that the chosen rows do not have: only networks, say, or only what is too large to measure.
    frame = frame.reindex(columns=[*frame, *(column for column in DRAWN if column not in frame)])
    figure = Figure(figsize=(10, 11.5))
    rows: Any = figure.subfigures(3, 1, height_ratios=(5, 3, 5.3))
    _draw_growth(rows[0].subplots(), frame)
    maps = figures.arrays(experiment, records)
    _draw_heat_maps(rows[1], {name: maps[name]["gradient"] for name in HEAT_MAPS if name in maps}, frame)
    _draw_on_cat(rows[2].subplots(1, 2), frame, datasets.cat())
    return figure


def _draw_growth(axes: Any, frame: pd.DataFrame) -> None:
    for (growth, label), colour, marker in zip(GROWTHS.items(), COLOURS, MARKERS, strict=False):
        rows = frame[frame["growth"] == growth].sort_values("depth", kind="stable")
        axes.plot(rows["depth"], rows["receptive_field_pixels"], marker=marker, color=colour, ms=5, label=label)
        measured = rows.dropna(subset=["effective_field_pixels_mean"])
        mean, low, high = (measured[f"effective_field_pixels_{part}"] for part in ("mean", "ci95_low", "ci95_high"))
        style = {"color": colour, "marker": marker, "ls": ":", "mfc": "none", "ms": 5, "capsize": 2}
        axes.errorbar(measured["depth"], mean, yerr=[mean - low, high - mean], **style)
    axes.axhline(SIDE, color="black", lw=1)
    axes.annotate("300 pixels: the lecture's cat", (1, SIDE), xytext=(0, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 2, 4, 8, 20, 50, 150], ["1", "2", "4", "8", "20", "50", "150"])
    axes.set_yticks([3, 10, 30, 100, 300], ["3", "10", "30", "100", "300"])
    axes.minorticks_off()
    axes.grid(color="0.92")
    axes.set_xlabel("layers of 3×3 (log scale)")
    axes.set_ylabel("side of the field, pixels (log scale)")
    axes.set_title("filled: field in theory; hollow: effective field at initialisation, 95 % interval", size=10)
    axes.set_ylim(1.8, 700)
    axes.legend(frameon=False, loc="lower right")


def _draw_heat_maps(figure: Any, maps: dict[str, np.ndarray], frame: pd.DataFrame) -> None:
    if not maps:
        return
    theoretical = frame.set_index("variant")["receptive_field_pixels"]
    for axes, (name, gradient) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        axes.imshow(gradient, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        size = theoretical[name]
        low = (gradient.shape[0] - size) / 2 - 0.5
        axes.add_patch(_square(low, low, size, edgecolor="white", ls="--"))
        axes.set_title(f"{name}\n{int(size)}×{int(size)} in theory (dashed)", size=9)
        axes.set_axis_off()


def _draw_on_cat(pair: Any, frame: pd.DataFrame, cat: np.ndarray) -> None:
    """Fields of networks as squares about the middle of the cat, small ones left, large ones right."""
    networks = frame[frame["growth"].isna() & ~frame["variant"].str.startswith("trained")]
    networks = networks.sort_values("receptive_field_pixels", kind="stable")
    small = networks["receptive_field_pixels"] <= 40
    for axes, rows, reach in ((pair[0], networks[small], 30), (pair[1], networks[~small], 260)):
        axes.imshow(cat, extent=(-SIDE / 2, SIDE / 2, SIDE / 2, -SIDE / 2))
        for number, (_, row) in enumerate(rows.iterrows()):
            size, colour = row["receptive_field_pixels"], COLOURS[number % len(COLOURS)]
            axes.add_patch(_square(-size / 2, -size / 2, size, edgecolor=colour))
            axes.annotate(
                f"{row['variant']} {int(size)}",
                (-size / 2, -size / 2),
                xytext=(2, -9 if number % 2 else 2),
                textcoords="offset points",
                size=8,
                color="black",
                bbox={"fc": "white", "ec": colour, "pad": 1},
            )
        axes.set_xlim(-reach, reach)
        axes.set_ylim(reach, -reach)
        axes.set_xlabel("pixels from the middle of the 300×300 cat")


def _square(x: float, y: float, side: float, **style: Any) -> Any:
    return Rectangle((x, y), side, side, fill=False, lw=1.8, **style)


HEAT_MAPS = ("plain-5", "plain-20", "plain-50", "stride-5", "trained-lenet5-relu")
