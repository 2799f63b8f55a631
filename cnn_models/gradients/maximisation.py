"""What the channels of a layer answer to most: pictures found by gradient ascent (activation maximisation).

    from cnn_models.gradients.maximisation import maximise
    found = maximise(model, "conv3")
    found.pictures[5]      # what channel 5 answers to, at the size of its receptive field

Erhan et al. 2009; jitter as in Mordvintsev et al. 2015, blur as in Yosinski et al. 2015, a norm bound as in
both. All channels of a layer climb at once, a batch of pictures, each for its own channel.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnn_models.analysis.fields import ReceptiveField
from cnn_models.analysis.graph import Call, Graph, trace
from cnn_models.analysis.inspector import calls_of, receptive_field
from cnn_models.keras_file import one_line
from cnn_models.names import unknown

RECTIFIERS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.PReLU)
Box = tuple[tuple[int, int], tuple[int, int]]
Answer = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


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
        rectified: these answers are what a rectifier is given, which makes 0 of all below 0.
    """

    pictures: np.ndarray
    before: np.ndarray
    after: np.ndarray
    box: Box
    rectified: bool = False

    @property
    def broken(self) -> np.ndarray:
        """Which channels answer NaN or infinity, `(channels,)`; their pictures mean nothing."""
        return ~np.isfinite(self.after)

    @property
    def dead(self) -> np.ndarray:
        """Which channels no step has changed, `(channels,)`; their pictures are the noise of the start."""
        return ~self.broken & (self.after == self.before)

    @property
    def silent(self) -> np.ndarray:
        """Which channels are still rectified to 0 on the picture that they answer to most, `(channels,)`."""
        return ~self.broken & ~self.dead & (self.after <= 0) & self.rectified


def maximise(
    model: keras.Model,
    layer: str,
    ascent: Ascent = Ascent(),
    *,
    call: int | None = None,
    channels: Sequence[int] | None = None,
    most: int | None = None,
    seed: int = 0,
    low: float | None = None,
    high: float | None = None,
    batch_size: int = 64,
) -> Maximised:
    """Climbs, from noise, for the middle unit of every channel of a layer, at inference.

    Args:
        model: from pictures `(batch, height, width, colours)`, at inference; batch normalisation uses its
            moving statistics. Where it takes whole numbers, they are treated as real ones.
        layer: name of a layer whose output is maps `(batch, rows, columns, channels)` or `(batch, units)`;
            inside a nested model `backbone/conv1`, or the last part if it is unique.
        ascent: how.
        call: which call of a layer that is shared, from 0.
        channels: which; None: all.
        most: of all channels, no more than so many.
        seed: decides noise and jitter; equal seeds give equal pictures on one machine.
        low, high: what the model takes for black and white; None: -0.5 and 0.5, or 0 and 255 where it takes
            whole numbers.
        batch_size: pictures that climb at once.

    Raises:
        ValueError: no such layer, or not of that form; the model's input is not one picture; it cannot be run
            on one, or has no slope to climb; weights that are NaN or infinite.
        TypeError: a layer whose receptive field is not known (see `cnn_models.receptive_field`), or a model
            without a graph.
    """
    model = _with_size(model, layer, call)
    height, width, colours = model.inputs[0].shape[1:]
    graph = trace(model)
    target = _target(graph, layer, call)
    field = receptive_field(model, layer, call=call)
    unit = middle(target.outputs[0], field)
    seen = field.unit(unit or (0, 0))
    if seen is None:
        raise ValueError(f"The middle unit of layer '{layer}' reads nothing of the picture.")
    box: Box = (seen[0], seen[1])
    chosen = _chosen(layer, target.outputs[0].shape[-1], channels, most)
    generator = np.random.default_rng(seed)
    start = generator.uniform(-ascent.noise, ascent.noise, (len(chosen), height, width, colours)).astype("float32")
    reach = int(ascent.jitter * max(field.size[0] or height, field.size[1] or width))
    shifts = generator.integers(-reach, reach, (ascent.steps, 2), endpoint=True).astype("int32")
    black, white = _range(model.inputs[0].dtype, low, high)
    middle_value, half = (black + white) / 2, (white - black) / 2
    climb = _Climb(box, shifts, _blurs(ascent, box, colours), ascent)
    with _answers(graph, target, ascent.before_activation) as answers:

        def answer(x: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
            maps = tf.cast(answers(middle_value + half * x), tf.float32)
            maps = maps if unit is None else maps[:, unit[0], unit[1]]
            return tf.gather(maps, which, axis=1, batch_dims=1)

        run = tf.function(
            lambda x, which: climb(x, which, answer),
            input_signature=[tf.TensorSpec([None, height, width, colours]), tf.TensorSpec([None], tf.int32)],
        )
        _refuse_diverged(answers.calls)
        _try(layer, answer, start[:batch_size], chosen[:batch_size])
        try:
            parts = [
                [part.numpy() for part in run(start[at : at + batch_size], chosen[at : at + batch_size])]
                for at in range(0, len(chosen), batch_size)
            ]
        except tf.errors.OpError as error:  # no memory, for one
            raise ValueError(_cannot_run(layer, start.shape[1:], error)) from error
    pictures, before, after = (np.concatenate(part) for part in zip(*parts, strict=True))
    (top, bottom), (left, right) = box
    rectified = ascent.before_activation and _rectifies(target.layer)
    return Maximised(pictures[:, top : bottom + 1, left : right + 1], before, after, box, rectified)


def _chosen(layer: str, count: int, channels: Sequence[int] | None, most: int | None) -> np.ndarray:
    chosen = np.arange(count)[:most] if channels is None else np.asarray(channels)
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"Layer '{layer}' has channels 0 to {count - 1}; asked for {chosen.tolist()}.")
    return chosen.astype("int32")


def _range(dtype: str, low: float | None, high: float | None) -> tuple[float, float]:
    """What the model takes for black and white."""
    usual = (-0.5, 0.5) if keras.backend.is_float_dtype(dtype) else (0.0, 255.0)
    black, white = usual[0] if low is None else low, usual[1] if high is None else high
    if not (math.isfinite(black) and math.isfinite(white) and black < white):
        raise ValueError(f"Black must be a smaller number than white, got {black:g} and {white:g}.")
    return black, white


def _target(graph: Graph, layer: str, index: int | None) -> Call:
    """The call of this name, if its output is maps or units."""
    calls = [call for call in calls_of(graph, layer) if index in (None, call.index)]
    if len(calls) != 1:
        count = len(calls_of(graph, layer))
        raise ValueError(f"Layer '{layer}' is called {count} times: pass as `call` (--call) one of 0 to {count - 1}.")
    (call,) = calls
    if len(call.outputs) != 1 or len(call.outputs[0].shape) not in (2, 4) or call.outputs[0].shape[-1] is None:
        raise ValueError(_no_maps(layer))
    return call


def _no_maps(layer: str) -> str:
    return f"Layer '{layer}' gives neither maps (batch, rows, columns, channels) nor units."


def _refuse_diverged(calls: Sequence[Call]) -> None:
    """Refuses weights that are no numbers: of one channel, they make the slope of all NaN."""
    names = ", ".join(dict.fromkeys(call.name for call in calls if not _is_finite(call.layer)))
    if names:
        raise ValueError(f"Weights of {names} are NaN or infinite, so no channel has a picture: the training diverged.")


def _is_finite(layer: Any) -> bool:
    return all(np.isfinite(keras.ops.convert_to_numpy(one)).all() for one in getattr(layer, "weights", ()))


def picture_shape(model: keras.Model) -> tuple[int | None, int | None, int]:
    """Height, width and number of colours of the pictures that a model takes; None: of any size.

    Raises:
        TypeError: the model has no graph.
        ValueError: it takes something else than one picture with its colours last.
    """
    graph = trace(model)
    if len(graph.inputs) != 1:
        names = ", ".join(f"'{tensor.name}' {tuple(tensor.shape[1:])}" for tensor in graph.inputs)
        raise ValueError(f"The model has {len(graph.inputs)} inputs, {names}, not one picture.")
    (given,) = graph.inputs
    if len(given.shape) != 4 or given.shape[-1] is None or given.dtype in ("string", "bool"):
        shape = f"{tuple(given.shape[1:])} of {given.dtype}"
        raise ValueError(f"The model's input '{given.name}' is {shape}, not one picture (height, width, colours).")
    for call in graph.calls:
        if getattr(call.layer, "data_format", None) == "channels_first":
            raise ValueError(
                f"Layer '{call.name}' has its channels first; pictures need a model with its colours last."
            )
    height, width, colours = given.shape[1:]
    return height, width, colours


def named(model: keras.Model, layer: str) -> keras.Layer:
    """The layer of this name, if its output is maps or units; see `maximise`."""
    known = {each.name: each for each in model.layers}
    if layer not in known:
        raise ValueError(unknown("layer", layer, known))
    output = known[layer].output
    if not isinstance(output, keras.KerasTensor) or len(output.shape) not in (2, 4):
        raise ValueError(_no_maps(layer))
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

    def __call__(self, x: tf.Tensor, which: tf.Tensor, answer: Answer) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
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


@dataclasses.dataclass(frozen=True)
class _Part:
    """What a model computes of one tensor, at inference.

    A `keras.Model` of the tensor would do, but for tensors inside nested models.
    """

    start: keras.KerasTensor
    calls: tuple[Call, ...]
    end: keras.KerasTensor

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        # Whole numbers would have no slope; layers take real ones in their place.
        inputs = tf.cast(pictures, self.start.dtype) if keras.backend.is_float_dtype(self.start.dtype) else pictures
        made: dict[int, Any] = {id(self.start): inputs}
        for call in self.calls:
            arguments, options = keras.tree.map_structure(lambda each: made.get(id(each), each), call.arguments)
            if isinstance(call.layer, keras.layers.Layer):
                options = {**options, "training": False}
            outputs = keras.tree.flatten(call.layer(*arguments, **options))
            made.update(zip(map(id, call.outputs), outputs, strict=True))
        return made[id(self.end)]


def _part(graph: Graph, end: keras.KerasTensor) -> _Part:
    """The calls that a tensor needs, in their order."""
    needed, calls = {id(end)}, []
    for call in reversed(graph.calls):
        if needed & set(map(id, call.outputs)):
            needed |= set(map(id, call.inputs))
            calls.append(call)
    return _Part(graph.inputs[0], tuple(reversed(calls)), end)


@contextlib.contextmanager
def _answers(graph: Graph, target: Call, before_activation: bool) -> Iterator[_Part]:
    """The model up to a call; before its activation function if so wanted, as long as the block lasts."""
    if before_activation and isinstance(target.layer, RECTIFIERS):
        yield _part(graph, target.inputs[0])
        return
    own = getattr(target.layer, "activation", None)
    if before_activation and own is not None:
        target.layer.activation = keras.activations.linear
    try:
        yield _part(graph, target.outputs[0])
    finally:
        if own is not None:
            target.layer.activation = own


def _rectifies(layer: Any) -> bool:
    """Whether a layer makes 0 of all that is below 0."""
    if isinstance(layer, keras.layers.ReLU):
        return layer.negative_slope == 0 and layer.threshold == 0
    return getattr(layer, "activation", None) in (keras.activations.relu, keras.activations.relu6)


def _try(layer: str, answer: Answer, start: np.ndarray, which: np.ndarray) -> None:
    """Runs a layer once, outside of a graph, where an error of the model has its own words."""
    x = tf.constant(start)
    try:
        with tf.GradientTape() as tape:
            tape.watch(x)
            climbed = tf.reduce_sum(answer(x, tf.constant(which)))
        slope = tape.gradient(climbed, x)
    except Exception as error:  # the model is the user's and may raise anything
        raise ValueError(_cannot_run(layer, start.shape[1:], error)) from error
    if slope is None:
        raise ValueError(
            f"Nothing leads from layer '{layer}' back to the picture that could be climbed: something between them, "
            "such as a rounding, a comparison or an index, has no slope."
        )


def _cannot_run(layer: str, shape: Sequence[int], error: Exception) -> str:
    return f"Layer '{layer}' cannot be run on pictures {tuple(shape)}: {type(error).__name__}: {one_line(error)}"


def _with_size(model: keras.Model, layer: str, call: int | None) -> keras.Model:
    """The model on pictures of a size: its own, or where that is open, three strides more than the field."""
    graph = trace(model)
    *sides, colours = picture_shape(model)
    _target(graph, layer, call)
    if None not in sides:
        return model
    field = receptive_field(model, layer, call=call)
    sides = []
    for size, stride in zip(field.size, field.stride, strict=True):
        if size is None or stride is None:
            raise ValueError(f"What layer '{layer}' sees depends on the size of the input; build the model with one.")
        sides.append(math.ceil(size + 3 * stride))
    inputs = keras.Input((*sides, colours), dtype=graph.inputs[0].dtype)
    sized = keras.models.clone_model(model, input_tensors=inputs)
    sized.set_weights(model.get_weights())
    return sized
