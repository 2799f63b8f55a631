"""Pictures of a layer's channels, laid out beside each other."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from cnn_models.brightness import brightnesses
from lab.report.draw.drawing import STYLE
from lab.report.draw.figures import save


def mosaic(pictures: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Pictures `(n, height, width, colours)` in rows of `columns`, with `gap` white pixels between them."""
    count, height, width, colours = pictures.shape
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, colours), 255, pictures.dtype)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def check_colours(count: int) -> None:
    """Refuses pictures that cannot be drawn.

    Raises:
        ValueError: pictures that have neither one colour nor three.
    """
    if count not in (1, 3):
        raise ValueError(f"A picture of {count} colours cannot be drawn, only of one or three.")


def write_sheet(
    path: Path,
    title: str,
    pictures: np.ndarray,
    answers: np.ndarray,
    without: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """A figure (SVG) of one picture a channel, with its number and answer.

    Args:
        path: where to.
        title: of the figure.
        pictures: `(channels, height, width, colours)`, -1 black to 1 white, one or three colours.
        answers: what each channel answered to its picture, `(channels,)`.
        without: numbers of the channels that have no picture to show, and why in a word, which stands in its place.

    Raises:
        ValueError: pictures that have neither one colour nor three.
    """
    check_colours(pictures.shape[-1])
    columns = min(8, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.3 * columns, 1.5 * rows + 0.6), layout="constrained")
        figure.suptitle(title, fontsize=11)
        grid = figure.subplots(rows, columns, squeeze=False).flat
        for number, axes in enumerate(grid):
            axes.set_axis_off()
            if number in without:
                axes.set_title(f"{number}: {without[number]}", fontsize=8)
            elif number < len(pictures):
                levels = brightnesses(pictures[number])
                axes.imshow(levels.squeeze(-1) if levels.shape[-1] == 1 else levels, cmap="gray", vmin=0, vmax=255)
                axes.set_title(f"{number}: {answers[number]:.3g}", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)
