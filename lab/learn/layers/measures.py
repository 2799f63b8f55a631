"""All numbers of a layer: what its activations say of a picture's class, and how much of the picture they need."""

import numpy as np

from lab.data.datasets import Dataset, Split
from lab.declare.layer import SILENT
from lab.learn.layers.patterns import patterns
from lab.learn.layers.probe import linear_probe
from lab.learn.layers.reader import LayerReader, Probe, Reading, read

PROBE_PICTURES = 2_000  # of the training split, that a linear probe is fitted on; as many choose its penalty
FEW, CHOICES = 6, 10  # channels of the smallest layer; and how often so many are drawn of a layer with more


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
        SILENT: 100 * float(np.mean(reading.peak.max(axis=0) <= 0)),
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
