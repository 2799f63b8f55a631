"""The figure of `make shift`: errors by position."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.shift import EVERYWHERE, NETS, POSITIONS, row_name, where_learned
from lab.declare.experiment import Experiment
from lab.declare.run import digest
from lab.report.tables import declared
from lab.store.records import Records


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """Maps of accuracy over positions: a row a net, a column what it was trained on."""
    maps = _maps(experiment, records)
    if not maps:
        return None
    columns = [(positions, moving) for positions in POSITIONS for moving in (False, True)]
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    panels = figure.subplots(len(NETS), len(columns))
    errors = {str(row["variant"]): row for _, row in frame.drop_duplicates("variant").iterrows()}
    for net, row in zip(NETS, panels, strict=True):
        for (positions, moving), axes in zip(columns, row, strict=True):
            name = row_name(net, positions, moving)
            image = _draw_map(axes, maps.get(name), errors.get(name))
            if net == next(iter(NETS)):
                axes.set_title(f"{where_learned(positions, moving)}\n{axes.get_title()}", size=9)
        row[0].set_ylabel(f"{NETS[net][2]}\noffset, pixels", size=9)
    for axes in panels[-1]:
        axes.set_xlabel("offset, pixels", size=9)
    if image is not None:
        figure.colorbar(image, ax=panels, shrink=0.6, label="share of test digits read correctly")
    figure.suptitle(
        "Where digits lay in training (columns), and how many are read at each offset from the centre", size=11
    )
    return figure


def _draw_map(axes: Any, content: dict[str, np.ndarray] | None, row: pd.Series | None) -> Any:
    """One map, its mean error everywhere as title; an empty frame where the variant was not run."""
    axes.tick_params(labelsize=7)
    if content is None or row is None:
        axes.set_axis_off()
        return None
    reach = int(content["offset_pixels"].max())
    cell = reach / (content["accuracy"].shape[0] - 1)
    edge = reach + cell
    image = axes.imshow(
        content["accuracy"], cmap="gray", vmin=0, vmax=1, extent=(-edge, edge, edge, -edge), interpolation="nearest"
    )
    axes.set_xticks([-reach, 0, reach])
    axes.set_yticks([-reach, 0, reach])
    spread = row[f"{EVERYWHERE}_ci95_high"] - row[f"{EVERYWHERE}_mean"]
    with_spread = f" ± {spread:.1f}" if spread == spread else ""  # one seed has no spread
    axes.set_title(f"misread {row[f'{EVERYWHERE}_mean']:.1f}{with_spread} %", size=8)
    return image


def _maps(experiment: Experiment, records: Records) -> dict[str, dict[str, np.ndarray]]:
    """The mean maps over seeds of each variant; of the declared recipe where that was run, else of what was."""
    found: dict[str, list[Any]] = {}
    kept = [record for record in records.of(experiment.name) if "maps" in record]
    as_declared = [
        record
        for record in kept
        for said in (record["specification"],)
        if digest(said) == declared(experiment, said["variant"], said["dataset"])
    ]
    for record in as_declared or kept:
        found.setdefault(record["specification"]["variant"], []).append(record["maps"])
    return {
        variant: {key: np.mean([one[key] for one in maps], axis=0) for key in maps[0]}
        for variant, maps in found.items()
    }
