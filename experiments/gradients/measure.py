"""What `make gradients` measures: gradients by TensorFlow, sums over copies, finite differences."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import scipy.special
import tensorflow as tf
from keras import ops

from cnn_models.brightness import network_input
from cnn_models.layers.local import LocallyConnected1D, LocallyConnected2D
from experiments.gradients import CrossEntropy, Pooling, Shared, Softmax, Ties
from lab.data import datasets
from lab.learn.facts import Arrays, Facts, FactsWork, deviation

PRECISIONS = ("float64", "float32")
STEP = 1e-6  # of finite differences
EXTREME = 1000.0
SLIDE = (([[6, 8], [3, 5]], 8), ([[7, 8], [3, 5]], 8), ([[6, 9], [3, 5]], 9))  # windows and maxima
TIED = [[8, 8], [3, 5]]


class GradientsWork(FactsWork):
    """Measures one gradient, or one formula."""

    def measure(self, settings: Any) -> tuple[Facts, Arrays]:
        """See `lab.learn.facts.FactsWork`."""
        match settings:
            case Shared():
                return shared(settings.rank)
            case Pooling():
                return pooling(settings.kind)
            case Ties():
                return ties(settings.layer)
            case Softmax():
                return softmax(settings.how)
            case CrossEntropy():
                return cross_entropy(settings.how)
        raise TypeError(f"{settings} is nothing this experiment knows.")


def gradient(function: Callable[[tf.Tensor], tf.Tensor], at: np.ndarray) -> np.ndarray:
    """The gradient of a scalar function of an array, by TensorFlow."""
    point = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    return np.asarray(tape.gradient(value, point))


def finite_differences(function: Callable[[np.ndarray], Any], at: np.ndarray) -> np.ndarray:
    """The same by central differences: (f(x + h) − f(x − h)) / 2h for each element, float64."""
    found = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        step = np.zeros(at.shape)
        step[place] = STEP
        found[place] = (float(function(at + step)) - float(function(at - step))) / (2 * STEP)
    return found


# Shared weights.


def shared(rank: int) -> tuple[Facts, Arrays]:
    """A convolution's gradients against sums over a locally connected layer's, relative to the largest."""
    pictures = _pictures(rank)
    facts: Facts = {}
    for dtype in PRECISIONS:
        convolution, local = tied(rank, pictures, dtype)
        ours, copies = (weight_gradients(layer, pictures.astype(dtype)) for layer in (convolution, local))
        positions = tuple(range(rank))
        summed = [copy.sum(axis=positions).reshape(our.shape) for copy, our in zip(copies, ours, strict=True)]
        facts["copies"] = int(np.prod(copies[0].shape[:rank]))
        facts[f"gradient_deviation_{dtype}"] = _relative(ours, summed)
        facts["deviation_if_averaged"] = _relative(ours, [total / facts["copies"] for total in summed])
        if dtype == "float64":
            facts["finite_difference_deviation"] = _relative(ours, weight_differences(convolution, pictures))
    return facts, _worked_shared() if rank == 2 else {}


def tied(rank: int, pictures: np.ndarray, dtype: str) -> tuple[keras.Layer, keras.Layer]:
    """A convolution of 3 filters, 3 pixels wide, and a locally connected layer with equal weights everywhere."""
    convolution = (keras.layers.Conv1D, keras.layers.Conv2D)[rank - 1](3, 3, dtype=dtype)
    local = (LocallyConnected1D, LocallyConnected2D)[rank - 1](3, 3, dtype=dtype)
    random = np.random.default_rng(rank)
    for layer in (convolution, local):
        layer.build(pictures.shape)
    kernel, bias = random.normal(size=convolution.kernel.shape), random.normal(size=3)
    convolution.set_weights([kernel, bias])
    local.set_weights(
        [
            np.broadcast_to(copies, weight.shape)
            for copies, weight in zip((kernel.reshape(-1, 3), bias), local.weights, strict=True)
        ]
    )
    return convolution, local


def weight_gradients(layer: keras.Layer, pictures: np.ndarray) -> list[np.ndarray]:
    """Gradients of kernel and bias of a loss that weighs every output differently; see `_loss`."""
    with tf.GradientTape() as tape:
        value = _loss(layer(pictures))
    return [np.asarray(tape_gradient) for tape_gradient in tape.gradient(value, [w.value for w in layer.weights])]


def weight_differences(layer: keras.Layer, pictures: np.ndarray) -> list[np.ndarray]:
    """The same by finite differences."""
    original = layer.get_weights()

    def loss_with(place: int, values: np.ndarray) -> float:
        layer.set_weights([values if number == place else weight for number, weight in enumerate(original)])
        return float(_loss(layer(pictures)))

    found = [
        finite_differences(lambda values, place=place: loss_with(place, values), weight)  # type: ignore[misc]
        for place, weight in enumerate(original)
    ]
    layer.set_weights(original)
    return found


def _pictures(rank: int) -> np.ndarray:
    """Four test digits, `(4, 28, 28, 1)`; or four rows of the cat, `(4, 300, 3)`; as networks get them."""
    images = datasets.load("digits").test.images[:4] if rank == 2 else datasets.cat()[100:200:25]
    return network_input(images)


def _loss(outputs: Any) -> Any:
    """Not linear, so that each output has a gradient of its own: the mean square of tanh, in thousands."""
    return 1000 * ops.mean(ops.square(ops.tanh(outputs)))


def _relative(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest deviation by the largest value, of any of the arrays."""
    return max(deviation(a, b) / float(np.abs(a).max()) for a, b in zip(found, expected, strict=True))


def _worked_shared() -> Arrays:
    """A 2×2 kernel on 3×3 pixels: its four uses' gradients of half the sum of squares, and its own."""
    picture = np.array([[1, 2, 0], [1, 3, 1], [2, 0, 1]], "float64")[np.newaxis, ..., np.newaxis]
    kernel = np.array([[1, 0], [0, 1]], "float64")
    gradients = []
    for layer_of in (keras.layers.Conv2D, LocallyConnected2D):
        layer = layer_of(1, 2, use_bias=False, dtype="float64")
        layer.build(picture.shape)
        copies = kernel[..., None, None] if layer_of is keras.layers.Conv2D else kernel.reshape(-1, 1)
        layer.kernel.assign(np.broadcast_to(copies, layer.kernel.shape))
        with tf.GradientTape() as tape:
            value = ops.sum(ops.square(layer(picture))) / 2
        gradients.append(np.asarray(tape.gradient(value, layer.kernel.value)))
    return {
        "worked_picture": picture[0, ..., 0],
        "worked_kernel": kernel,
        "shared": gradients[0][..., 0, 0],
        "copies": gradients[1][..., 0].reshape(2, 2, 2, 2),
    }


# Pooling.


def pooling(kind: str) -> tuple[Facts, Arrays]:
    """Values and gradients of 2×2 pooling against NumPy's, on windows without equal values."""
    layer_of: Callable[..., keras.Layer]
    reduce: Callable[..., np.ndarray]
    layer_of, reduce = keras.layers.MaxPooling2D, np.max
    if kind == "average":
        layer_of, reduce = keras.layers.AveragePooling2D, np.mean
    pictures = np.random.default_rng(5).permutation(3 * 8 * 8 * 2).reshape(3, 8, 8, 2) / 100 - 1.5
    windows = pictures.reshape(3, 4, 2, 4, 2, 2)
    values = reduce(windows, axis=(2, 4), keepdims=True)
    share = (windows == values) if kind == "max" else np.full(windows.shape, 1 / 4)
    facts: Facts = {}
    for dtype in PRECISIONS:
        layer = layer_of(2, dtype=dtype)
        facts[f"deviation_{dtype}"] = deviation(layer(pictures.astype(dtype)), values[:, :, 0, :, 0])
        found = gradient(lambda x, layer=layer: ops.sum(layer(x)), pictures.astype(dtype))  # type: ignore[misc]
        facts[f"gradient_deviation_{dtype}"] = deviation(found, share.reshape(pictures.shape))
    layer = layer_of(2, dtype="float64")
    some = pictures[:1, :4, :4]
    differences = finite_differences(lambda x: ops.sum(layer(x)), some)
    facts["finite_difference_deviation"] = deviation(gradient(lambda x: ops.sum(layer(x)), some), differences)
    facts["border_deviation"] = _border(layer_of(2, padding="same", dtype="float64"), pictures[:, :7, :7], reduce)
    if kind == "max":
        return _slide(layer, facts)
    quarter = keras.layers.DepthwiseConv2D(2, strides=2, use_bias=False, dtype="float64")
    quarter.build(pictures.shape)
    quarter.set_weights([np.full(quarter.kernel.shape, 1 / 4)])
    facts["as_convolution_deviation"] = deviation(layer(pictures), quarter(pictures))
    return facts, {"worked_gradient": _gradient_of(layer, SLIDE[0][0])}


def _border(layer: keras.Layer, pictures: np.ndarray, reduce: Callable[..., Any]) -> float:
    """How far the last row and column of a padded picture are from what real pixels give."""
    found = np.asarray(layer(pictures))
    last = pictures.shape[1] - 1
    row = [reduce(pictures[:, last:, 2 * x : 2 * x + 2], axis=(1, 2)) for x in range(found.shape[2])]
    return deviation(found[:, -1], np.stack(row, axis=1))


def _gradient_of(layer: keras.Layer, window: Any) -> np.ndarray:
    """The gradient of a layer's answer to one 2×2 window, `(2, 2)`, float64."""
    picture = np.array(window, "float64")[np.newaxis, ..., np.newaxis]
    return gradient(lambda x: ops.sum(layer(x)), picture)[0, ..., 0]


def _slide(layer: keras.Layer, facts: Facts) -> tuple[Facts, Arrays]:
    """The slide's three windows with their maxima, and the gradient of the first."""
    maxima = [float(layer(np.array(window, "float64")[np.newaxis, ..., np.newaxis])[0, 0, 0, 0]) for window, _ in SLIDE]
    first = np.array(SLIDE[0][0], "float64")
    found = _gradient_of(layer, first)
    facts["printed_deviation"] = deviation(maxima, [maximum for _, maximum in SLIDE])
    facts["printed_gradient_deviation"] = deviation(found, [[0, 1], [0, 0]])
    return facts, {"worked_picture": first, "worked_gradient": found}


def ties(name: str) -> tuple[Facts, Arrays]:
    """The gradient where two, and where all four, of a window are largest."""
    layer = {"MaxPooling2D": keras.layers.MaxPooling2D, "GlobalMaxPooling2D": keras.layers.GlobalMaxPooling2D}[name](
        dtype="float64"
    )
    two, four = _gradient_of(layer, TIED), _gradient_of(layer, np.zeros((2, 2)))
    picture = np.array(TIED, "float64")[np.newaxis, ..., np.newaxis]
    differences = finite_differences(lambda x: ops.sum(layer(x)), picture)[0, ..., 0]
    facts: Facts = {
        "tie_winners": int(np.count_nonzero(two)),
        "tie_winners_of_four": int(np.count_nonzero(four)),
        "tie_gradient_max": float(two.max()),
        "tie_gradient_sum": float(two.sum()),
        "finite_difference_deviation": deviation(two, differences),
        **windows(),
    }
    arrays = {"worked_picture": picture[0, ..., 0], "worked_gradient": two, "worked_differences": differences.round(6)}
    return facts, arrays


def windows() -> Facts:
    """How many 2×2 windows of real pictures have their largest brightness more than once.

    Returns:
        Of the test digits, the share of windows that are black, where a tie means nothing, and the share of the others
        that have a tie; the latter of the cat, too. All in percent.
    """
    digits, cat = datasets.load("digits").test.images[..., 0], datasets.grey(datasets.cat())[np.newaxis]
    return {
        "blank_windows_percent": 100 * float(np.mean(_largest(digits)[0] == 0)),
        "tied_windows_percent": _tied_percent(digits),
        "cat_tied_windows_percent": _tied_percent(cat),
    }


def _tied_percent(pictures: np.ndarray) -> float:
    """The share of the windows with any ink whose largest brightness is there more than once."""
    largest, times = _largest(pictures)
    return 100 * float(np.mean(times[largest > 0] > 1))


def _largest(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest brightness of each 2×2 window of pictures `(n, height, width)`, and how often it is there."""
    count, height, width = pictures.shape
    split = pictures.reshape(count, height // 2, 2, width // 2, 2)
    largest = split.max(axis=(2, 4), keepdims=True)
    return largest[:, :, 0, :, 0], (split == largest).sum(axis=(2, 4))


# Softmax and cross-entropy.


def logits(dtype: str) -> np.ndarray:
    """Thirty pictures' logits of ten classes: of the size an untrained, a trained and a sure network gives."""
    drawn = np.random.default_rng(6).normal(size=(30, 10))
    return (drawn * np.repeat([1, 5, 20], 10)[:, np.newaxis]).astype(dtype)


def extreme(dtype: str) -> np.ndarray:
    """Logits of ±1000, the largest at another class in each of ten pictures, `(10, 10)`."""
    return np.where(np.eye(10, dtype=bool), EXTREME, -EXTREME).astype(dtype)


def printed_softmax(z: Any) -> Any:
    """The slide's formula, step by step: e^z, then divided by its sum."""
    powers = ops.exp(z)
    return powers / ops.sum(powers, axis=-1, keepdims=True)


def softmax(how: str) -> tuple[Facts, Arrays]:
    """Softmax by Keras, or as printed: range, sum, deviation from scipy's and from the logistic function, extremes."""
    function = {"keras": keras.activations.softmax, "printed": printed_softmax}[how]
    facts: Facts = {}
    for dtype in PRECISIONS:
        p = np.asarray(function(tf.constant(logits(dtype))))
        facts[f"deviation_{dtype}"] = deviation(p, scipy.special.softmax(logits("float64"), axis=-1))
        facts[f"sum_deviation_{dtype}"] = deviation(p.sum(axis=-1, dtype="float64"), 1)
        facts["lowest"] = min(float(p.min()), float(facts.get("lowest", 1)))
        facts["highest"] = max(float(p.max()), float(facts.get("highest", 0)))
    steps = np.linspace(-30, 30, 601)
    first = np.asarray(function(tf.constant(np.stack([steps, np.zeros_like(steps)], axis=-1))))[:, 0]
    facts["logistic_deviation_float64"] = deviation(first, scipy.special.expit(steps))
    found = np.asarray(function(tf.constant(extreme("float64"))))
    return facts | _at_extremes(found, scipy.special.softmax(extreme("float64"), axis=-1)), {}


def loss_of(how: str, z: tf.Tensor, classes: np.ndarray) -> tf.Tensor:
    """Cross-entropy of each picture.

    Args:
        how: see `experiments.gradients.CrossEntropy`.
        z: logits `(n, classes)`.
        classes: the true one of each picture, `(n,)`.
    """
    if how == "printed":
        return -ops.log(ops.sum(printed_softmax(z) * ops.one_hot(classes, z.shape[-1], dtype=z.dtype), axis=-1))
    # Keras marks what its own softmax gives and then goes back to the logits; a copy has no mark.
    given = z if how == "logits" else tf.identity(keras.activations.softmax(z))
    return keras.losses.sparse_categorical_crossentropy(classes, given, from_logits=how == "logits")


def cross_entropy(how: str) -> tuple[Facts, Arrays]:
    """Cross-entropy: values and gradient against scipy's, differences, and what logits of ±1000 give."""
    z, y = logits("float64"), np.arange(30) % 10
    expected = -scipy.special.log_softmax(z, axis=-1)[np.arange(30), y]
    residual = scipy.special.softmax(z, axis=-1) - np.eye(10)[y]
    facts: Facts = {}
    for dtype in PRECISIONS:
        point = logits(dtype)
        facts[f"deviation_{dtype}"] = deviation(loss_of(how, tf.constant(point), y), expected)
        found = gradient(lambda x: ops.sum(loss_of(how, x, y)), point)
        facts[f"gradient_deviation_{dtype}"] = deviation(found, residual)
    some = slice(0, 20)
    differences = finite_differences(lambda x: ops.sum(loss_of(how, tf.constant(x), y[some])), z[some])
    facts["finite_difference_deviation"] = deviation(
        gradient(lambda x: ops.sum(loss_of(how, x, y[some])), z[some]), differences
    )
    wrong = (np.arange(10) + 1) % 10
    at, truth = extreme("float64"), np.full(10, 2 * EXTREME)
    facts |= _at_extremes(np.asarray(loss_of(how, tf.constant(at), wrong)), truth)
    pull = gradient(lambda x: ops.sum(loss_of(how, x, wrong)), at)
    facts["extreme_gradient"] = float(np.abs(np.nan_to_num(pull)).max())
    margin = np.linspace(0, 120, 61, dtype="float32")
    pairs = np.stack([margin, np.zeros_like(margin)], axis=-1)
    curve = np.asarray(loss_of(how, tf.constant(pairs), np.ones(len(margin), int)))
    return facts, {"losses": np.stack([margin, curve]).astype("float32")}


def _at_extremes(found: np.ndarray, expected: np.ndarray) -> Facts:
    """How many values are finite, and how far these are from what they should be (absent where none is)."""
    finite = np.isfinite(found)
    facts: Facts = {"extreme_finite_percent": 100 * float(finite.mean())}
    if finite.any():
        facts["extreme_deviation"] = deviation(found[finite], expected[finite])
    return facts
