"""What the channels of a layer answer to most: pictures found by gradient ascent (activation maximisation).

    from cnn_models.maximisation import maximise
    found = maximise(model, "conv3")
    found.pictures[5]      # what channel 5 answers to, at the size of its receptive field

Erhan et al. 2009; jitter as in Mordvintsev et al. 2015, blur as in Yosinski et al. 2015, a norm bound as in
both. All channels of a layer climb at once, a batch of pictures, each for its own channel.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from cnn_models.analysis import receptive_field
from cnn_models.fields import ReceptiveField
from cnn_models.zoo import unknown

RECTIFIERS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.PReLU)
Box = tuple[tuple[int, int], tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Ascent:
    """How pictures climb; all that decides how they look is here.

    A picture is grey plus a deviation x from it; brightness is counted in halves of its range, so that
    x = 1 is white and x = -1 black. Each step adds `step` times the gradient, scaled to root mean square 1
    over the receptive field.

    Attributes:
        steps: how many.
        step: root mean square of each step.
        noise: x starts as uniform noise up to this.
        jitter: every step sees the picture moved by a random whole number of pixels along each axis, up to
            this share of the field's side: what only one alignment with strides and pooling likes is lost.
        blur: the gradient is blurred by a Gaussian whose standard deviation falls from this share of the
            field's side to nothing half-way: coarse structure comes first, fine structure last.
        norm: largest root mean square of x over the field; None: only the range of brightness bounds it.
        before_activation: climb on what the activation function is given. A rectifier that answers 0 to the
            noise has no gradient to start with.
    """

    steps: int = 64
    step: float = 0.1
    noise: float = 0.1
    jitter: float = 1 / 16
    blur: float = 1 / 12
    norm: float | None = 0.5
    before_activation: bool = True


NAIVE = Ascent(jitter=0.0, blur=0.0, norm=None, before_activation=False)
"""Plain gradient ascent: nothing of what makes pictures readable."""


@dataclasses.dataclass(frozen=True)
class Maximised:
    """What came of an ascent.

    Attributes:
        pictures: `(channels, height, width, colours)`, deviations from grey, -1 black to 1 white, of the
            size of the receptive field where it lies within the picture.
        before, after: what each channel answered to its noise and to its picture, `(channels,)`.
        box: first and last row, first and last column of the field in the whole picture.
    """

    pictures: np.ndarray
    before: np.ndarray
    after: np.ndarray
    box: Box


def maximise(
    model: keras.Model,
    layer: str,
    ascent: Ascent = Ascent(),
    *,
    channels: Sequence[int] | None = None,
    seed: int = 0,
    low: float = -0.5,
    high: float = 0.5,
    batch_size: int = 64,
) -> Maximised:
    """Climbs, from noise, for the middle unit of every channel of a layer, at inference.

    Args:
        model: from pictures `(batch, height, width, colours)`, at inference; batch normalisation uses its
            moving statistics.
        layer: name of a layer whose output is maps `(batch, rows, columns, channels)` or `(batch, units)`.
        ascent: how.
        channels: which; None: all.
        seed: decides noise and jitter; equal seeds give equal pictures on one machine.
        low, high: what the model takes for black and white.
        batch_size: pictures that climb at once.

    Raises:
        ValueError: no such layer, or not of that form, or the model's input is not one picture.
        TypeError: a layer whose receptive field is not known (see `cnn_models.receptive_field`).
    """
    model = _with_size(model, layer)
    height, width, colours = model.inputs[0].shape[1:]
    field = receptive_field(model, layer)
    target = named(model, layer)
    unit = middle(target.output, field)
    seen = field.unit(unit or (0, 0))
    if seen is None:
        raise ValueError(f"The middle unit of layer '{layer}' reads nothing of the picture.")
    box: Box = (seen[0], seen[1])
    count = target.output.shape[-1]
    chosen = np.arange(count) if channels is None else np.asarray(channels)
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"Layer '{layer}' has channels 0 to {count - 1}; asked for {chosen.tolist()}.")
    generator = np.random.default_rng(seed)
    start = generator.uniform(-ascent.noise, ascent.noise, (len(chosen), height, width, colours)).astype("float32")
    reach = int(ascent.jitter * max(field.size[0] or height, field.size[1] or width))
    shifts = generator.integers(-reach, reach, (ascent.steps, 2), endpoint=True).astype("int32")
    middle_value, half = (low + high) / 2, (high - low) / 2
    climb = _Climb(box, shifts, _blurs(ascent, box, colours), ascent)
    with _answers(model, target, ascent.before_activation) as answers:

        def answer(x: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
            maps = answers(middle_value + half * x, training=False)
            maps = maps if unit is None else maps[:, unit[0], unit[1]]
            return tf.gather(maps, which, axis=1, batch_dims=1)

        run = tf.function(
            lambda x, which: climb(x, which, answer),
            input_signature=[tf.TensorSpec([None, height, width, colours]), tf.TensorSpec([None], tf.int32)],
        )
        parts = [
            [part.numpy() for part in run(start[at : at + batch_size], chosen[at : at + batch_size].astype("int32"))]
            for at in range(0, len(chosen), batch_size)
        ]
    pictures, before, after = (np.concatenate(part) for part in zip(*parts, strict=True))
    (top, bottom), (left, right) = box
    return Maximised(pictures[:, top : bottom + 1, left : right + 1], before, after, box)


def named(model: keras.Model, layer: str) -> keras.Layer:
    """The layer of this name, if its output is maps or units; see `maximise`."""
    known = {each.name: each for each in model.layers}
    if layer not in known:
        raise ValueError(unknown("layer", layer, known))
    output = known[layer].output
    if not isinstance(output, keras.KerasTensor) or len(output.shape) not in (2, 4):
        raise ValueError(f"Layer '{layer}' gives neither maps (batch, rows, columns, channels) nor units.")
    return known[layer]


def middle(output: keras.KerasTensor, field: ReceptiveField) -> tuple[int, int] | None:
    """Row and column of the middle unit of maps; None where units have no place, as after a dense layer."""
    if len(output.shape) == 2:
        return None
    if field.positions not in ((1, 2), (None, None)):
        raise ValueError("Maps with their channels first, or with exchanged axes, cannot be read.")
    return output.shape[1] // 2, output.shape[2] // 2


@dataclasses.dataclass(frozen=True)
class _Climb:
    """The steps of an ascent on one batch."""

    box: Box
    shifts: np.ndarray
    blurs: np.ndarray | None
    ascent: Ascent

    def __call__(self, x: tf.Tensor, which: tf.Tensor, answer) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:  # type: ignore[no-untyped-def]
        before = answer(x, which)
        shifts = tf.constant(self.shifts)
        for step in tf.range(self.ascent.steps):
            with tf.GradientTape() as tape:
                tape.watch(x)
                moved = tf.roll(x, shifts[step], [1, 2]) if self.shifts.any() else x
                climbed = tf.reduce_sum(answer(moved, which))
            gradient = tape.gradient(climbed, x)
            if self.blurs is not None:
                gradient = tf.nn.depthwise_conv2d(gradient, tf.constant(self.blurs)[step], [1, 1, 1, 1], "SAME")
            x = tf.clip_by_value(x + self.ascent.step * gradient / (self._size(gradient) + 1e-20), -1.0, 1.0)
            if self.ascent.norm is not None:
                x *= tf.minimum(1.0, self.ascent.norm / (self._size(x) + 1e-20))
        return x, before, answer(x, which)

    def _size(self, x: tf.Tensor) -> tf.Tensor:
        """Root mean square over the field, `(batch, 1, 1, 1)`."""
        (top, bottom), (left, right) = self.box
        return tf.sqrt(tf.reduce_mean(x[:, top : bottom + 1, left : right + 1] ** 2, axis=[1, 2, 3], keepdims=True))


def _blurs(ascent: Ascent, box: Box, colours: int) -> np.ndarray | None:
    """A Gaussian kernel for each step, `(steps, side, side, colours, 1)`; None without blur."""
    side = max(last - first + 1 for first, last in box)
    widest = ascent.blur * side
    if not widest:
        return None
    reach = math.ceil(2 * widest)
    squares = np.arange(-reach, reach + 1) ** 2
    sigmas = np.maximum(widest * (1 - 2 * np.arange(ascent.steps) / ascent.steps), 1e-3)
    line = np.exp(-squares / (2 * sigmas[:, np.newaxis] ** 2))
    line /= line.sum(axis=1, keepdims=True)
    kernels = line[:, :, np.newaxis] * line[:, np.newaxis, :]
    return np.tile(kernels[..., np.newaxis, np.newaxis], (1, 1, 1, colours, 1)).astype("float32")


@contextlib.contextmanager
def _answers(model: keras.Model, layer: keras.Layer, before_activation: bool) -> Iterator[keras.Model]:
    """The model up to a layer; before its activation function if so wanted, as long as the block lasts."""
    if before_activation and isinstance(layer, RECTIFIERS):
        yield keras.Model(model.inputs, layer.input)
        return
    own = getattr(layer, "activation", None)
    if before_activation and own is not None:
        layer.activation = keras.activations.linear
    try:
        yield keras.Model(model.inputs, layer.output)
    finally:
        if own is not None:
            layer.activation = own


def _with_size(model: keras.Model, layer: str) -> keras.Model:
    """The model on pictures of a size: its own, or where that is open, three strides more than the field."""
    if len(getattr(model, "inputs", None) or ()) != 1 or len(model.inputs[0].shape) != 4:
        raise ValueError("The model's input is not one picture (height, width, colours).")
    named(model, layer)
    *sides, colours = model.inputs[0].shape[1:]
    if None not in sides:
        return model
    field = receptive_field(model, layer)
    sides = []
    for size, stride in zip(field.size, field.stride, strict=True):
        if size is None or stride is None:
            raise ValueError(f"What layer '{layer}' sees depends on the size of the input; build the model with one.")
        sides.append(math.ceil(size + 3 * stride))
    sized = keras.models.clone_model(model, input_tensors=keras.Input((*sides, colours)))
    sized.set_weights(model.get_weights())
    return sized
