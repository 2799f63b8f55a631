"""The figure of `make relearning`: how many filters have a shifted copy."""

import pandas as pd
from matplotlib.figure import Figure

from lab.declare.experiment import Experiment
from lab.report import figures
from lab.store.records import Records

STYLES = {
    "trained": ("-", "trained"),
    "half_turn": ("--", "others turned by 180°"),
    "quarter_turn": ("-.", "others turned by 90°"),
    "untrained": (":", "untrained"),
}


def draw(experiment: Experiment, frame: pd.DataFrame, records: Records) -> Figure | None:
    """How well filters are matched by shifts of others, beside the controls, and the best matched pairs."""
    kept = figures.arrays(experiment, records)
    if not kept:
        return None
    figure = Figure(figsize=(10, 2.2 + 2.4 * len(kept)), layout="constrained")
    parts = figure.subfigures(1 + len(kept), 1, height_ratios=[3, *[2.2] * len(kept)], squeeze=False)[:, 0]
    axes = parts[0].subplots()
    for number, (variant, arrays) in enumerate(kept.items()):
        for name, (style, words) in STYLES.items():
            values = sorted(arrays[name].tolist())
            shares = [100 * (1 - place / len(values)) for place in range(len(values))]
            label = f"{variant}: {words}"
            axes.step(values, shares, style, color=figures.COLOURS[number], where="post", label=label)
    axes.set_xlabel("best match of a filter with another one, shifted (normalised correlation)")
    axes.set_ylabel("share of filters matched\nat least as well, %")
    axes.grid(color="0.92")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    for part, (variant, arrays) in zip(parts[1:], kept.items(), strict=True):
        where = "in the centre" if variant == "centre" else variant
        part.suptitle(f"trained on digits {where}: best matched pairs", size=10)
        for axes, pair, match, shift in zip(
            part.subplots(1, len(arrays["pairs"])), arrays["pairs"], arrays["matches"], arrays["shifts"], strict=True
        ):
            axes.imshow(pair, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(f"{match:.2f}, shifted by {shift[0]:+d}, {shift[1]:+d}", size=8)
            axes.set_axis_off()
    return figure
