"""What `make equivariance` measures: Keras's layers on pictures and on the same pictures moved."""

import collections
from typing import Any

import keras
import numpy as np

from cnn_models.brightness import network_input
from cnn_models.layers.blur import BlurPool2D
from experiments.equivariance import MNIST, Commuting, Invariance, Worked
from lab.data import datasets
from lab.declare.kernels import DOWN, EDGES
from lab.learn.convolve import convolve
from lab.learn.facts import Arrays, Facts, FactsWork

REACH = 4  # pixels a picture is moved, either way, along both axes: 81 shifts
FAR_OUT = 50  # pixels the cat is moved across a frame of 200×200, in steps of 25
FAR = 8  # pixels a digit is moved along one axis
DIGITS = 60  # small test digits, enlarged, where each is moved 81 times
MNIST_DIGITS = 1_000  # test digits, where each is moved 32 times
EYE = (slice(56, 176), slice(36, 156))  # of the cat, for the figure
VISIBLE = (20, 12)  # pixels down and right, a shift to be seen in the figure
UNKNOWN = 110  # a grey
Shift = tuple[int, int]


class EquivarianceWork(FactsWork):
    """Moves pictures and compares what layers make of them."""

    def measure(self, settings: Any) -> tuple[Facts, Arrays]:
        """See `lab.learn.facts.FactsWork`."""
        match settings:
            case Commuting():
                return commuting(settings)
            case Worked():
                return worked()
            case Invariance():
                return invariance(settings.subsampling, digits(MNIST, MNIST_DIGITS, 12, "float32"))
        raise TypeError(f"{settings} is nothing this experiment knows.")


class Stack:
    """Keras layers one after another, their kernels drawn once; each kernel sums to zero.

    A flat area then gives zero, so that the largest response is of the digit, not of the paper.
    """

    def __init__(self, layers: list[keras.Layer]) -> None:
        self.layers = layers

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """The answer to pictures `(n, height, width, channels)`."""
        outputs = pictures
        for number, layer in enumerate(self.layers):
            if not layer.built:
                layer.build(outputs.shape)
                random = np.random.default_rng(number)
                drawn = [random.normal(size=weight.shape) for weight in layer.weights]
                layer.set_weights([kernel - kernel.mean(axis=(0, 1, 2)) for kernel in drawn])
            outputs = layer(outputs)
        return keras.ops.convert_to_numpy(outputs)


def stack(settings: Commuting, dtype: str) -> Stack:
    """The layer that a row is about."""
    common: dict[str, Any] = {"strides": settings.stride, "padding": settings.padding, "dtype": dtype}
    match settings.layer:
        case "convolution":
            layers = [keras.layers.Conv2D(4, 3, use_bias=False, **common)]
        case "two convolutions":
            layers = [keras.layers.Conv2D(4, 3, use_bias=False, activation=a, **common) for a in ("relu", None)]
        case "max pooling":
            layers = [keras.layers.MaxPooling2D(2, **common)]
        case "average pooling":
            layers = [keras.layers.AveragePooling2D(2, **common)]
        case "blur":
            layers = [BlurPool2D(3, **common)]
        case "max pooling, blur":
            layers = [keras.layers.MaxPooling2D(2, strides=1, dtype=dtype), BlurPool2D(3, **common)]
        case other:
            raise ValueError(f"There is no layer '{other}'.")
    return Stack(layers)


def commuting(settings: Commuting) -> tuple[Facts, Arrays]:
    """How far apart f(shift(x)) and shift(f(x)) are, in shares of the range of answers, and the maxima."""
    margin = 1 if settings.padding == "same" else 0  # outputs that see zeros, for a 3×3 kernel
    exact, rough = stack(settings, "float64"), stack(settings, "float32")
    facts: Facts = {"shifts": len(shifts(REACH))}
    for canvas in (cat("float64"), small_digits()):
        for column, value in deviations(exact, rough, canvas, settings.stride, margin).items():
            facts[column] = max(value, float(facts.get(column, 0)))
    facts["max_change_digits"] = maximum_change(exact, small_digits(), REACH)
    facts["max_change_cat"] = maximum_change(exact, cat("float64"), FAR_OUT, step=25)
    arrays = {"difference": difference(exact, settings.stride)}
    if settings == Commuting("convolution"):
        arrays |= both_ways_round()
    return facts, arrays


def deviations(exact: Stack, rough: Stack, canvas: np.ndarray, stride: int, margin: int) -> dict[str, float]:
    """The largest |f(shift(x)) − shift(f(x))| over all shifts, as a share of f's range on x.

    Args:
        exact, rough: f in float64 and in float32.
        canvas: pictures with what enters the frame when they move.
        stride: of f.
        margin: outputs along each border that see padding.

    Returns:
        By column: away from borders for shifts of whole strides, in float64 and float32; the same at the
        border too; and away from borders for any shift, each answer laid on the nearest whole outputs.
    """
    before, before_rough = (f(window(canvas, (0, 0))) for f in (exact, rough))
    worst: dict[str, float] = collections.defaultdict(float)
    for shift in shifts(REACH):
        after = exact(window(canvas, shift))
        found = {"any_shift_deviation": min(apart(after, before, steps, margin) for steps in nearest(shift, stride))}
        if all(step % stride == 0 for step in shift):
            (steps,) = nearest(shift, stride)
            found["deviation_float64"] = found["any_shift_deviation"]
            found["deviation_float32"] = apart(rough(window(canvas, shift)), before_rough, steps, margin)
            found["border_deviation"] = apart(after, before, steps, 0)
        for column, value in found.items():
            worst[column] = max(worst[column], value / float(np.ptp(before)))
    return dict(worst)


def shifts(reach: int, step: int = 1) -> list[Shift]:
    """Shifts of up to `reach` pixels, either way, along both axes, `step` apart."""
    steps = range(-reach, reach + 1, step)
    return [(down, right) for down in steps for right in steps]


def cat(dtype: str) -> np.ndarray:
    """The grey cat as a network gets it, `(1, 300, 300, 1)`."""
    return network_input(datasets.grey(datasets.cat())[np.newaxis, ..., np.newaxis]).astype(dtype)


def small_digits() -> np.ndarray:
    """Digits of 8×8 pixels, enlarged, which need no download: what commutes does so on any picture."""
    return digits("digits", DIGITS, 2 * REACH, "float64")


def digits(dataset: str, count: int, margin: int, dtype: str) -> np.ndarray:
    """A data set's first test digits as a network gets them, with more black around: `(n, 28 + 2·margin, …, 1)`."""
    images = datasets.load(dataset).test.images[:count]
    around = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    return np.pad(network_input(images), around, constant_values=-0.5).astype(dtype)


def window(canvas: np.ndarray, shift: Shift, reach: int = REACH) -> np.ndarray:
    """What a camera sees that looks at the middle of a larger picture, when the picture moves by `shift`.

    Nothing is invented: what enters the frame is there in the canvas.
    """
    height, width = (side - 2 * reach for side in canvas.shape[1:3])
    top, left = (reach - step for step in shift)
    return canvas[:, top : top + height, left : left + width]


def pairs(after: np.ndarray, before: np.ndarray, steps: Shift, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers to the moved picture beside those to the picture, each at the same place of the picture.

    Args:
        after, before: answers `(n, height, width, channels)`.
        steps: how many outputs the picture moved, down and right.
        margin: outputs along each border that do not count.
    """
    slices: list[tuple[slice, slice]] = []
    for step, side in zip(steps, before.shape[1:3], strict=True):
        first, last = margin + max(step, 0), side - margin + min(step, 0)
        slices.append((slice(first, last), slice(first - step, last - step)))
    (rows, rows_before), (columns, columns_before) = slices
    return after[:, rows, columns], before[:, rows_before, columns_before]


def apart(after: np.ndarray, before: np.ndarray, steps: Shift, margin: int) -> float:
    """The largest difference of answers at the same place of the picture; see `pairs`."""
    one, other = pairs(after, before, steps, margin)
    return float(np.abs(one.astype("float64") - other).max())


def nearest(shift: Shift, stride: int) -> list[Shift]:
    """The whole numbers of outputs next to a shift in pixels, below and above along each axis."""
    down, right = ({step // stride, -(-step // stride)} for step in shift)
    return [(y, x) for y in sorted(down) for x in sorted(right)]


def maximum_change(layer: Stack, canvas: np.ndarray, reach: int, step: int = 1) -> float:
    """The most that the largest response of a channel to a picture changes over shifts, by the range."""
    before = layer(window(canvas, (0, 0), reach))
    moved = np.stack([layer(window(canvas, shift, reach)).max(axis=(1, 2)) for shift in shifts(reach, step)])
    return float(np.abs(moved - before.max(axis=(1, 2))).max() / np.ptp(before))


def difference(layer: Stack, stride: int) -> np.ndarray:
    """Where the eye differs for a shift of one pixel both ways, uint8: 255 is a quarter of the range."""
    canvas = cat("float64")[:, EYE[0], EYE[1]]
    before, after = layer(window(canvas, (0, 0))), layer(window(canvas, (1, 1)))
    candidates = [pairs(after, before, steps, 0) for steps in nearest((1, 1), stride)]
    best = min((np.abs(one - other) for one, other in candidates), key=np.max)[0].max(axis=-1)
    return np.round(np.clip(best / np.ptp(before) * 1020, 0, 255)).astype("uint8")


def both_ways_round() -> Arrays:
    """The cat's eye, moved; its edges after the move, and its moved edges; uint8."""
    edges = np.array(EDGES)
    canvas = datasets.grey(datasets.cat())[EYE][np.newaxis, ..., np.newaxis].astype("float64")
    reach = max(VISIBLE)
    picture, moved = window(canvas, (0, 0), reach), window(canvas, VISIBLE, reach)
    answer = convolve(picture, edges, "float64")
    shown = {
        "picture": picture,
        "shifted": moved,
        "of_shifted": convolve(moved, edges, "float64"),
        "shifted_after": np.roll(answer, VISIBLE, axis=(1, 2)),
    }
    shown["shifted_after"][:, : VISIBLE[0]] = UNKNOWN  # the answer does not know what enters the frame
    shown["shifted_after"][:, :, : VISIBLE[1]] = UNKNOWN
    return {name: np.clip(array[0, ..., 0], 0, 255).astype("uint8") for name, array in shown.items()}


def worked() -> tuple[Facts, Arrays]:
    """The slide's \\ on 4×4 pixels at each of the nine positions, under the template \\."""
    pictures = np.zeros((9, 4, 4, 1))
    for number in range(9):
        y, x = divmod(number, 3)
        pictures[number, y : y + 2, x : x + 2, 0] = DOWN
    largest = convolve(pictures, np.array(DOWN), "float64").max(axis=(1, 2, 3))
    return {"max_least": float(largest.min()), "max_largest": float(largest.max())}, {}


def halving(subsampling: str) -> list[keras.Layer]:
    """Layers that halve both sides, or none."""
    match subsampling:
        case "none":
            return []
        case "stride":
            return [keras.layers.MaxPooling2D(1, strides=2)]  # the maximum of one pixel is the pixel
        case "max pooling":
            return [keras.layers.MaxPooling2D(2)]
        case "average pooling":
            return [keras.layers.AveragePooling2D(2)]
        case "blur":
            return [BlurPool2D(3)]
        case "max pooling, blur":
            return [keras.layers.MaxPooling2D(2, strides=1, padding="same"), BlurPool2D(3)]
    raise ValueError(f"There is no subsampling '{subsampling}'.")


def invariance(subsampling: str, canvas: np.ndarray) -> tuple[Facts, Arrays]:
    """How far the answer to a digit moves as the digit does: Euclidean distances.

    They are measured by the answer itself (its distance from the answer to blank paper), and by the mean
    distance to another digit's answer. Each digit is moved up, down, left and right, and none leaves the frame.

    Args:
        subsampling: see `Invariance`.
        canvas: digits with `FAR` pixels of what enters the frame on each side, and 4 more of the frame.
    """
    layers = Stack([layer for _ in range(2) for layer in halving(subsampling)])
    before = layers(window(canvas, (0, 0), FAR))
    itself = _distance(before, layers(window(np.full_like(canvas[:1], -0.5), (0, 0), FAR)))
    another = _distance(before, np.roll(before, 1, axis=0))
    moved = np.zeros(FAR + 1)
    for step in range(1, FAR + 1):
        moves = ((step, 0), (-step, 0), (0, step), (0, -step))
        moved[step] = np.mean([_distance(layers(window(canvas, move, FAR)), before) for move in moves])
    change, change_of_itself = 100 * moved / another, 100 * moved / itself
    facts: Facts = {
        "change_1_pixel_percent": float(change[1]),
        "change_1_pixel_percent_of_itself": float(change_of_itself[1]),
        "half_changed_pixels": float(np.interp(50, change, np.arange(FAR + 1))),
        "pictures": len(canvas),
    }
    return facts, {"change": change, "change_of_itself": change_of_itself}


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The mean Euclidean distance of answers `(n, height, width, channels)`."""
    return float(np.mean(np.sqrt(np.square(one - other).sum(axis=(1, 2, 3)))))
