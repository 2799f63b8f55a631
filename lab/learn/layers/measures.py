"""What a layer's activations say of a picture's class, and how much of the picture they need."""

import dataclasses
from collections.abc import Callable, Iterator

import keras
import numpy as np
import scipy.linalg
import tensorflow as tf

from cnn_models import receptive_field
from cnn_models.gradients.targets import Box, middle, named
from lab.data.datasets import Dataset, Split
from lab.learn.pictures import normalise

BATCH = 500
PROBE_PICTURES = 2_000  # of the training split, that a linear probe is fitted on; as many choose its penalty
PROBE_PENALTIES = np.logspace(0, 5, 6)
FEW, CHOICES = 6, 10  # channels of the smallest layer; and how often so many are drawn of a layer with more
PATCHES = 8  # pictures that excite a channel most
Probe = Callable[[np.ndarray], np.ndarray]


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


def measure(layer: LayerReader, dataset: Dataset) -> tuple[dict[str, float], Reading]:
    """All numbers of a layer.

    Probes are fitted on training pictures, their penalty is chosen on the validation split, and everything is
    read once on the test split.
    """
    train, held_out = _fitted_on(dataset)
    maps = [np.concatenate(list(layer.batches(split.images))) for split in (train, held_out)]

    def probe(pair: list[np.ndarray]) -> Probe:
        return linear_probe(pair[0], train.labels, pair[1], held_out.labels)

    means = [each.mean(axis=(1, 2)) for each in maps]
    pooled = probe(means)
    reading = read(layer, dataset.test, probe([each.reshape(len(each), -1) for each in maps]))
    selectivity = class_selectivity(reading.mean, dataset.test.labels)
    sides, hidden = patterns(layer, dataset.test.images, reading)
    metrics = {
        "probe_full_percent": 100 * float(reading.hits.mean()),
        "probe_pooled_percent": 100 * float(np.mean(pooled(reading.mean) == dataset.test.labels)),
        "probe_six_percent": 100
        * float(
            np.mean(
                [
                    np.mean(probe([each[:, few] for each in means])(reading.mean[:, few]) == dataset.test.labels)
                    for few in choices(layer.channels)
                ]
            )
        ),
        "silent_channels_percent": 100 * float(np.mean(reading.peak.max(axis=0) <= 0)),
    }
    # Of a layer that is silent as a whole these are not known.
    known = {"selectivity": selectivity, "pattern_pixels": sides, "hidden_percent": hidden}
    return metrics | {
        name: float(np.nanmean(each)) for name, each in known.items() if not np.isnan(each).all()
    }, reading


def pixels(dataset: Dataset) -> dict[str, float]:
    """What a linear probe reads off the pictures themselves, fitted and read as those of layers are."""
    train, held_out = _fitted_on(dataset)
    flat = [split.images.reshape(len(split.images), -1) / np.float32(255) for split in (train, held_out, dataset.test)]
    probe = linear_probe(flat[0], train.labels, flat[1], held_out.labels)
    return {"probe_full_percent": 100 * float(np.mean(probe(flat[2]) == dataset.test.labels))}


def _fitted_on(dataset: Dataset) -> tuple[Split, Split]:
    """The pictures that a probe is fitted on, and those by which its penalty is chosen."""
    train, held_out = (
        Split(split.images[:PROBE_PICTURES], split.labels[:PROBE_PICTURES])
        for split in (dataset.train, dataset.validation)
    )
    return train, held_out


def choices(channels: int) -> list[np.ndarray]:
    """Some random choices of equally few channels, so that layers of more channels can be compared with others."""
    random = np.random.default_rng(0)
    return [np.sort(random.permutation(channels)[:FEW], kind="stable") for _ in range(CHOICES)]


def linear_probe(train: np.ndarray, labels: np.ndarray, held_out: np.ndarray, held_out_labels: np.ndarray) -> Probe:
    """A linear classifier on activations: ridge regression on the classes, in closed form.

    Features are standardised. One matrix of products serves all penalties, which scikit-learn's ridge would
    compute for each anew, or take apart by eigenvalues, at several times the cost.

    Args:
        train: `(n, features)`, what it is fitted on.
        labels: classes, `(n,)`.
        held_out, held_out_labels: the penalty with the fewest errors here is taken.

    Returns:
        From activations `(m, features)` to classes `(m,)`.
    """
    centre, spread = train.mean(axis=0), train.std(axis=0)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    classes, places = np.unique(labels, return_inverse=True)
    targets = np.eye(len(classes))[places] - 1 / len(classes)
    fits = _ridges((train - centre) * scale, targets)
    scores = [np.mean(classes[((held_out - centre) * scale @ fit).argmax(axis=1)] == held_out_labels) for fit in fits]
    best = fits[int(np.argmax(scores))]
    weights = scale[:, np.newaxis] * best
    return lambda more: classes[((more - centre) @ weights).argmax(axis=1)]


def _ridges(inputs: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """Weights `(features, classes)` of ridge regression for each of `PROBE_PENALTIES`, by the smaller system."""
    count, features = inputs.shape
    wide = features > count
    products = (inputs @ inputs.T if wide else inputs.T @ inputs).astype("float64")
    right = targets if wide else inputs.T @ targets
    fits = []
    for penalty in PROBE_PENALTIES:
        solved = scipy.linalg.solve(products + penalty * np.eye(len(products)), right, assume_a="pos")
        fits.append((inputs.T @ solved if wide else solved).astype("float32"))
    return fits


def read(layer: LayerReader, split: Split, probe: Probe) -> Reading:
    """Reads every picture of a split once."""
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


def class_selectivity(means: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Selectivity of each channel (Morcos et al. 2018): (a - b)/(a + b), 0 to 1.

    Args:
        means: each picture's mean activation of each channel, not negative, `(n, channels)`.
        labels: classes, `(n,)`.

    Returns:
        `(channels,)`, where a is the mean over pictures of the class that excites the channel most, and b the
        mean of the other classes' means; NaN for a silent channel.
    """
    by_class = np.stack([means[labels == label].mean(axis=0) for label in np.unique(labels)]).astype("float64")
    highest = by_class.max(axis=0)
    others = (by_class.sum(axis=0) - highest) / (len(by_class) - 1)
    both = highest + others
    return np.divide(highest - others, both, out=np.full(len(both), np.nan), where=both > 0)


def strongest(reading: Reading, count: int = PATCHES) -> np.ndarray:
    """Indices of the pictures that excite each channel most, strongest first, `(channels, count)`."""
    return np.argsort(-reading.peak, axis=0, kind="stable")[:count].T


def patterns(layer: LayerReader, images: np.ndarray, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """How much of its field a channel needs to see of the pictures that excite it most.

    The field is painted black from outside in, a pixel from each side at a time, until the answer falls
    below half. What remains is the smallest window at which it, and at all larger ones, was still half.

    Returns:
        For each channel the mean over `PATCHES` pictures of the window's side (the root of its pixels within
        the picture; 0 where the answer is still half with all hidden), and of the share of the field's pixels
        that could be hidden, in percent; NaN for a silent channel.
    """
    sides, hidden = np.full((2, layer.channels), np.nan)
    top = strongest(reading)
    for channel in map(int, np.flatnonzero(reading.peak.max(axis=0) > 0)):
        chosen = top[channel][reading.peak[top[channel], channel] > 0]
        places = reading.at[chosen, channel]
        windows = np.stack([_windows(layer.box(row, column), images.shape[1:3]) for row, column in places])
        kept, field = _remaining(layer, images[chosen], windows, places, channel)
        sides[channel], hidden[channel] = np.sqrt(kept).mean(), 100 * (1 - kept / field).mean()
    return sides, hidden


def _remaining(
    layer: LayerReader, images: np.ndarray, windows: np.ndarray, places: np.ndarray, channel: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the smallest window that suffices for a channel at each of some pictures, and of its field.

    Args:
        layer: the channel's.
        images: uint8 `(n, height, width, colours)`.
        windows: what stays of each, from the whole field to nothing, `(n, steps, height, width)`.
        places: row and column of the unit that looks at each, `(n, 2)`.
        channel: its number.
    """
    count, steps = windows.shape[:2]
    shown = np.where(windows[..., np.newaxis], images[:, np.newaxis], 0).astype("uint8")
    maps = layer.maps(shown.reshape(count * steps, *images.shape[1:]))[..., channel]
    each = np.arange(count)
    answers = maps.reshape(count, steps, *maps.shape[1:])[each, :, places[:, 0], places[:, 1]]
    # The first window is the whole field: what it gives is half of itself at least.
    enough = answers >= answers[:, :1] / 2
    last = np.where(enough.all(axis=1), steps - 1, enough.argmin(axis=1) - 1)
    pixels = windows.sum(axis=(2, 3))
    return pixels[each, last], pixels[:, 0]


def _windows(box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The whole field, then a pixel less on each side at a time, then nothing, `(steps, height, width)`."""
    (top, bottom), (left, right) = box
    y, x = np.ogrid[: shape[0], : shape[1]]
    steps = min(bottom - top, right - left) // 2
    shrunk = [(y >= top + i) & (y <= bottom - i) & (x >= left + i) & (x <= right - i) for i in range(steps + 1)]
    return np.stack([*shrunk, np.zeros(shape[:2], bool)])
