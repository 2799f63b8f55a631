"""Accuracy and consistency by position: translation-sensitivity maps (Biscione and Bowers 2021)."""

from collections.abc import Callable

import numpy as np

from lab.data.datasets import Split
from lab.declare.recipe import Canvas
from lab.learn import views

PICTURES = 500  # of the test split, the first ones: 81 positions of all would take longer than to learn

Predict = Callable[[np.ndarray], np.ndarray]


def by_position(predict: Predict, test: Split, canvas: Canvas, grid: int) -> dict[str, list[list[float]]]:
    """Reads the same pictures at every place of a grid over the canvas.

    Args:
        predict: from pictures on the canvas, uint8, to classes `(n,)`.
        test: pictures at the size they have on the canvas.
        canvas: its side counts, not where it lets pictures lie.
        grid: places along each axis, the first and the last at the canvas's edges.

    Returns:
        "offset_pixels", `[[…]]`: distance from the centre of each place along an axis; and by row and column
        of the grid "accuracy" and "consistency", the shares of pictures read correctly, and read as they are
        in the centre.
    """
    images, labels = test.images[:PICTURES], test.labels[:PICTURES]
    room = canvas.side - images.shape[1]
    places = np.linspace(0, room, grid).round().astype(int)
    read_at = lambda row, column: predict(  # noqa: E731
        views.place(images, np.tile([row, column], (len(images), 1)), canvas.side)
    )
    centre = read_at(room // 2, room // 2)
    read = [[read_at(row, column) for column in places] for row in places]
    return {
        "offset_pixels": [(places - room // 2).tolist()],
        "accuracy": [[float(np.mean(one == labels)) for one in row] for row in read],
        "consistency": [[float(np.mean(one == centre)) for one in row] for row in read],
    }


def summary(maps: dict[str, list[list[float]]]) -> dict[str, float]:
    """What a table needs of the maps: means over positions, and the worst position."""
    return {
        "map_error_percent": 100 * (1 - float(np.mean(maps["accuracy"]))),
        "worst_position_error_percent": 100 * (1 - float(np.min(maps["accuracy"]))),
        "consistency_with_centre_percent": 100 * float(np.mean(maps["consistency"])),
    }
