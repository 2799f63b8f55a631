"""What `make filters` measures: Keras's convolutions with fixed weights, against scipy."""

import math
from typing import Any

import numpy as np
import scipy.ndimage
import sklearn.metrics

from experiments.filters import Filter, Pixels, Template
from lab.data import datasets
from lab.declare import kernels
from lab.learn.convolve import convolve
from lab.learn.facts import Arrays, Facts, FactsWork, deviation
from lab.learn.pictures import normalise

EYE = (slice(70, 170), slice(50, 150))  # of the cat, for a look at single pixels in colour
PATCH = (slice(94, 102), slice(88, 96))  # eight by eight pixels to be read as numbers
LEVELS = np.arange(256)
THRESHOLD = 1.5  # halfway between the slide's two maxima
DOWN, UP = np.array(kernels.DOWN, float), np.fliplr(kernels.DOWN).astype(float)  # \ and /
PRINTED = {  # the slide's pictures with their bright pixels, and its responses to \
    "down": (((2, 2), (3, 3)), [[0, 0, 0], [0, 1, 0], [0, 0, 2]]),
    "up": (((2, 3), (3, 2)), [[0, 0, 0], [0, 0, 1], [0, 1, 0]]),
}


class FiltersWork(FactsWork):
    """Applies a kernel, or the template, and measures what it does."""

    def measure(self, settings: Any) -> tuple[Facts, Arrays]:
        """See `lab.learn.facts.FactsWork`."""
        match settings:
            case Pixels():
                return pixels()
            case Filter():
                return filtered(np.array(settings.kernel) / settings.divisor)
            case Template():
                return classified(settings)
        raise TypeError(f"{settings} is nothing this experiment knows.")


def pixels() -> tuple[Facts, Arrays]:
    """The cat as a matrix of brightnesses, and what a network gets."""
    cat = datasets.cat()
    grey = datasets.grey(cat)
    fed = np.asarray(normalise(LEVELS.astype("uint8")))
    facts: Facts = {
        "height": cat.shape[0],
        "width": cat.shape[1],
        "channels": cat.shape[2],
        "brightness_min": int(cat.min()),
        "brightness_max": int(cat.max()),
        "brightness_levels": len(np.unique(cat)),
        "brightness_outside": int(np.count_nonzero((cat < 0) | (cat > 255))),
        "brightness_fraction": float(np.max(cat - np.floor(cat))),
        "network_input_min": float(fed.min()),
        "network_input_max": float(fed.max()),
        "network_input_deviation": deviation(fed, LEVELS / 255 - 0.5),
    }
    corner = np.array([PATCH[0].start, PATCH[1].start])
    return facts, {"grey": _few(grey), "colour": _few(cat[EYE]), "patch": grey[PATCH], "patch_corner": corner}


def filtered(kernel: np.ndarray) -> tuple[Facts, Arrays]:
    """One kernel over the cat, over flat areas and over a step."""
    cat = datasets.cat()
    grey = datasets.grey(cat)
    facts: Facts = {}
    for dtype in ("float64", "float32"):
        facts[f"deviation_{dtype}"] = max(_from_scipy(picture, kernel, dtype) for picture in (grey[..., None], cat))
    flat = np.tile(LEVELS[:, None, None, None], (1, 8, 8, 1))
    facts["flat_response"] = float(np.abs(convolve(flat, kernel, "float32")).max())
    response = convolve(grey[None, ..., None], kernel, "float64")[0, ..., 0]
    facts |= _step(kernel) | _edges(grey.astype("float64"), response)
    colour = convolve(cat[None], kernel, "float64")[0][EYE]
    return facts, {"grey": _few(response), "colour": _few(colour)}


def _from_scipy(picture: np.ndarray, kernel: np.ndarray, dtype: str) -> float:
    """The largest deviation from scipy's correlation in float64, in brightnesses."""
    expected = [scipy.ndimage.correlate(channel.astype("float64"), kernel) for channel in np.moveaxis(picture, -1, 0)]
    return deviation(convolve(picture[None], kernel, dtype)[0], np.stack(expected, axis=-1)[1:-1, 1:-1])


def _step(kernel: np.ndarray) -> Facts:
    """The answer to a step from 0 to 255: the least beside it over the most elsewhere, and the latter."""
    step = np.zeros((1, 12, 12, 1))
    step[:, :, 6:] = 255
    response = np.abs(convolve(step, kernel, "float64"))[0, ..., 0]  # its column c is the picture's c + 1
    beside, elsewhere = response[:, 4:6].min(), np.delete(response, [4, 5], axis=1).max()
    return {"step_margin": float(beside - elsewhere), "step_response_elsewhere": float(elsewhere)}


def _edges(picture: np.ndarray, response: np.ndarray) -> Facts:
    """How a response sits on the picture's edges: the tenth of its pixels with the steepest slope (Sobel)."""
    slope = _slope(picture)[2:-2, 2:-2]
    steep = (slope > np.quantile(slope, 0.9)).ravel()
    strength = np.abs(response)
    near = scipy.ndimage.maximum_filter(strength, 3)
    laplacian = scipy.ndimage.laplace(picture)[1:-1, 1:-1]
    return {
        "edge_auc": float(sklearn.metrics.roc_auc_score(steep, strength[1:-1, 1:-1].ravel())),
        "edge_auc_within_1": float(sklearn.metrics.roc_auc_score(steep, near[1:-1, 1:-1].ravel())),
        "slope_ratio": float(_slope(response)[1:-1, 1:-1].mean() / slope.mean()),
        "added_edges_deviation": deviation(response - picture[1:-1, 1:-1], -laplacian),
    }


def _slope(picture: np.ndarray) -> np.ndarray:
    return np.hypot(scipy.ndimage.sobel(picture, 0), scipy.ndimage.sobel(picture, 1))


def _few(picture: np.ndarray) -> np.ndarray:
    """Clipped to 0…255 and kept to 32 levels, so that figures stay small."""
    return (np.clip(picture, 0, 255) // 8 * 8).astype("uint8")


def classified(settings: Template) -> tuple[Facts, Arrays]:
    """The template as a classifier: \\ where its largest response exceeds the threshold."""
    own, other = (_pictures(kind, settings) for kind in (DOWN, UP))
    own_max, other_max = (_largest(pictures, DOWN) for pictures in (own, other))
    hits = np.concatenate([own_max > THRESHOLD, other_max <= THRESHOLD])
    both = np.concatenate([own_max > _largest(own, UP), other_max < _largest(other, UP)])
    facts: Facts = {
        "correct_percent": 100 * float(hits.mean()),
        "correct_percent_two_templates": 100 * float(both.mean()),
        "pictures": len(hits),
    }
    if not settings.noise:
        facts |= {"max_own": float(own_max.min()), "max_other": float(other_max.max())}
    if settings != Template():
        return facts, {}
    worked: Arrays = {}
    for name, (bright, printed) in PRINTED.items():
        worked[name] = np.zeros((4, 4))
        worked[name][tuple(zip(*bright, strict=True))] = 1
        worked[f"{name}_response"] = convolve(worked[name][None, ..., None], DOWN, "float64")[0, ..., 0]
        worked[f"{name}_printed"] = np.array(printed)
    facts["printed_deviation"] = max(deviation(worked[f"{n}_response"], worked[f"{n}_printed"]) for n in PRINTED)
    return facts, {name: array.astype("float32") for name, array in worked.items()}


def _pictures(kind: np.ndarray, settings: Template) -> np.ndarray:
    """Two bright pixels at each of the nine positions of 4×4, `(9·draws, 4, 4, 1)`, with noise."""
    clean = np.zeros((9, 4, 4, 1))
    for number in range(9):
        y, x = divmod(number, 3)
        clean[number, y : y + 2, x : x + 2, 0] = settings.brightness * kind
    pictures = np.repeat(clean, settings.draws, axis=0)
    random = np.random.default_rng([int(kind[0, 0]), math.ceil(1000 * settings.noise)])
    return pictures + settings.noise * random.normal(size=pictures.shape)


def _largest(pictures: np.ndarray, template: np.ndarray) -> np.ndarray:
    """The largest response of each picture."""
    return convolve(pictures, template, "float64").max(axis=(1, 2, 3))
