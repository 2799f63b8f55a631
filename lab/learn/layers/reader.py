"""A layer of a network, and what each of its channels answers to pictures."""

import dataclasses
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from cnn_models import receptive_field
from cnn_models.gradients.targets import Box, middle, named
from lab.data.datasets import Split
from lab.learn.pictures import normalise

BATCH = 500
PATCHES = 8  # pictures that excite a channel most
Probe = Callable[[np.ndarray], np.ndarray]  # from activations `(m, features)` to classes `(m,)`


class LayerReader:
    """One layer of a network, read on pictures.

    Args:
        model: from x/255 - 0.5 of pictures to logits.
        name: of a layer whose output is maps or units.
    """

    def __init__(self, model: keras.Model, name: str) -> None:
        self.model = model
        self.field = receptive_field(model, name)
        output = named(model, name).output
        self.place = middle(output, self.field)
        self.channels = int(output.shape[-1])
        upto = keras.Model(model.inputs, output)
        self._maps = tf.function(
            lambda images: upto(normalise(images), training=False),
            input_signature=[tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.uint8)],
        )

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Activations `(n, rows, columns, channels)` of uint8 pictures; units have one row and column."""
        found = self._maps(images).numpy()
        return found if found.ndim == 4 else found[:, np.newaxis, np.newaxis]

    def batches(self, images: np.ndarray) -> Iterator[np.ndarray]:
        """`maps` of all pictures, some at a time."""
        for start in range(0, len(images), BATCH):
            yield self.maps(images[start : start + BATCH])

    def box(self, row: int, column: int) -> Box:
        """First and last row, first and last column of the endless picture that a unit sees."""
        (height, width), strides, paddings = self.field.size, self.field.stride, self.field.padding
        assert height is not None
        assert width is not None
        if self.place is None or None in strides:
            return (0, height - 1), (0, width - 1)
        # Of the networks here all strides and paddings are whole numbers.
        top, left = (
            int(at * stride - pad)  # type: ignore[operator]
            for at, stride, pad in zip((row, column), strides, paddings, strict=True)
        )
        return (top, top + height - 1), (left, left + width - 1)


@dataclasses.dataclass(frozen=True)
class Reading:
    """One pass over a split: what each channel answered to each picture.

    Attributes:
        mean: mean over positions, `(n, channels)`.
        peak: the largest answer, `(n, channels)`.
        at: row and column of the largest answer, `(n, channels, 2)`.
        hits: whether the full probe read the picture correctly, `(n,)`.
    """

    mean: np.ndarray
    peak: np.ndarray
    at: np.ndarray
    hits: np.ndarray


def read(layer: LayerReader, split: Split, probe: Probe) -> Reading:
    """Reads every picture of a split once; the probe takes all activations of a picture as one row."""
    parts = []
    for maps, labels in zip(layer.batches(split.images), _chunks(split.labels), strict=True):
        count, rows, columns, channels = maps.shape
        flat = maps.reshape(count, rows * columns, channels)
        largest = flat.argmax(axis=1)
        hits = probe(maps.reshape(count, -1)) == labels
        parts.append((flat.mean(axis=1), flat.max(axis=1), np.stack(divmod(largest, columns), axis=-1), hits))
    return Reading(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _chunks(labels: np.ndarray) -> list[np.ndarray]:
    return [labels[start : start + BATCH] for start in range(0, len(labels), BATCH)]


def strongest(reading: Reading, count: int = PATCHES) -> np.ndarray:
    """Indices of the pictures that excite each channel most, strongest first, `(channels, count)`."""
    return np.argsort(-reading.peak, axis=0, kind="stable")[:count].T
