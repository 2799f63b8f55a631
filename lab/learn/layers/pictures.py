"""Pictures of what a layer's channels respond to: made by gradient ascent, and patches of test pictures."""

from collections.abc import Sequence

import keras
import numpy as np

from cnn_models.brightness import brightnesses
from cnn_models.gradients.maximisation import NAIVE, Maximised, maximise
from cnn_models.gradients.targets import Box
from lab.data.datasets import Dataset
from lab.declare.layer import Layer
from lab.learn.layers.reader import LayerReader, Reading, strongest

GREY = 128  # of what lies beyond a picture
SHOWN_PATCHES = 2  # of a channel


def pictures(layer: LayerReader, settings: Layer, reading: Reading, dataset: Dataset) -> dict[str, np.ndarray]:
    """What the figure shows of a layer.

    Returns:
        Of the size of the receptive field, grey where it leaves the picture: `maximised`, what each channel
        answers to most by gradient ascent, uint8 `(channels, height, width, colours)`; `naive`, the same
        without regularisation, of the first `naive_channels`; `patches` of the test pictures that
        excite a channel most, `(channels, SHOWN_PATCHES, height, width, colours)`. And the `kernels` of a
        first layer.
    """
    top = strongest(reading, SHOWN_PATCHES)
    arrays = {
        "maximised": _framed(layer, maximise(layer.model, settings.layer)),
        "patches": np.stack(
            [
                patches(dataset.test.images[best], [layer.box(*reading.at[one, channel]) for one in best])
                for channel, best in enumerate(top)
            ]
        ),
    }
    if settings.naive_channels:
        channels = range(settings.naive_channels)
        arrays["naive"] = _framed(layer, maximise(layer.model, settings.layer, NAIVE, channels=channels))
    first = next(each for each in layer.model.layers if isinstance(each, keras.layers.Conv2D))
    if layer.field.size == tuple(first.kernel_size):
        arrays["kernels"] = np.moveaxis(np.asarray(first.kernel), -1, 0)
    return arrays


def _framed(layer: LayerReader, found: Maximised) -> np.ndarray:
    """From -1 black … 1 white to brightnesses 0…255, in the whole receptive field of the middle unit."""
    (top, bottom), (left, right) = layer.box(*(layer.place or (0, 0)))
    levels = brightnesses(found.pictures)
    inside = [
        (own[0] - first, last - own[1])
        for own, first, last in zip(found.box, (top, left), (bottom, right), strict=True)
    ]
    return np.pad(levels, ((0, 0), *inside, (0, 0)), constant_values=GREY)


def patches(images: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """A part of each picture; what lies beyond its border is grey.

    Args:
        images: uint8 `(n, height, width, colours)`.
        boxes: first and last row, first and last column of each part, all of one size.

    Returns:
        uint8 `(n, rows, columns, colours)`.
    """
    parts = []
    for image, ((top, bottom), (left, right)) in zip(images, boxes, strict=True):
        height, width = image.shape[:2]
        reach = max(-top, -left, bottom - height + 1, right - width + 1, 0)
        padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), constant_values=GREY)
        parts.append(padded[top + reach : bottom + reach + 1, left + reach : right + reach + 1])
    return np.stack(parts)
