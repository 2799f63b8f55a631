"""Looks inside a network: the activations of every layer, and the computation of one unit."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnn_models import receptive_field
from cnn_models.analysis.geometry.axis import Axis
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.views import size_of
from cnn_models.analysis.graph import Call, Graph, trace

DECIMALS = 4
Interval = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Unit:
    """The value of one unit and its computation.

    Attributes:
        field: first and last row, first and last column of the network's input that the unit reads (exact, see
            `cnn_models.receptive_field`); None if it reads only padding.
        value: the value that Keras computed.
        weighted_sum: the value as a sum of products; None if it is no such sum.
    """

    field: tuple[Interval, ...] | None
    value: float
    weighted_sum: "WeightedSum | None"


@dataclasses.dataclass(frozen=True)
class WeightedSum:
    """A unit's value as activation(sum of patch · kernel + bias).

    Attributes:
        patch: the part of the layer's input that the unit reads, `(height, width, channels)`; 0 in padding. A vector
            has shape `(1, 1, channels)`.
        kernel: the weights, of the same shape. For max pooling: 1 for the largest value, 0 for the others.
        channels: the numbers of these channels in the layer's input; channels with only zero weights are left out.
        corner: row and column of the layer's input where the patch begins; negative in padding.
        bias: the layer's output for an input of zeros.
        before: the value that Keras computed before the activation function.
        activation: name of the activation function; "linear" if there is none.
        answer: the activation function applied to the sum of products and bias.
    """

    patch: np.ndarray
    kernel: np.ndarray
    channels: list[int]
    corner: tuple[int, int]
    bias: float
    before: float
    activation: str
    answer: float

    @property
    def products(self) -> float:
        """The sum of the products, in float64."""
        return _summed(self.patch, self.kernel)


class Network:
    """A trained network with access to all its layers.

    Flatten layers are left out, because their values are those of the layer before.

    Args:
        model: a Sequential or Functional model from pictures `(batch, height, width, channels)` to logits.

    Raises:
        TypeError: the receptive field of a layer is not known.
        ValueError: the model has several inputs, nested models or shared layers.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        graph = trace(model)
        calls = [call for call in graph.calls if not isinstance(call.layer, keras.layers.Flatten)]
        self.layers = [call.layer for call in calls]
        if graph.models or len(set(map(id, self.layers))) < len(calls) or len(graph.inputs) > 1:
            raise ValueError(f"{model.name} has nested models, shared layers or several inputs: it is not opened here.")
        self.fields = [receptive_field(model, layer) for layer in self.layers]
        self._linear = [_linear(layer) for layer in self.layers]
        self._sources = [_source(call, graph, calls) for call in calls]
        inside = keras.Model(model.inputs[0], [layer.output for layer in self.layers])
        shape = [None, *model.input_shape[1:]]
        self._run = tf.function(
            lambda pictures: inside(pictures, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)]
        )

    @property
    def side(self) -> int:
        """Height and width of the input pictures."""
        return self.model.input_shape[1]

    def activations(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Computes the outputs of all layers.

        Args:
            inputs: brightnesses x/255 - 0.5, float32 `(batch, height, width, channels)`.

        Returns:
            The output of each layer in the order of computation, float32 `(batch, …)`.
        """
        return [np.asarray(answer) for answer in self._run(inputs)]

    def unit(self, inputs: np.ndarray, layer: int, index: Sequence[int]) -> Unit:
        """Explains the value of one unit.

        Args:
            inputs: brightnesses x/255 - 0.5, float32 `(1, height, width, channels)`.
            layer: number of the layer, from 0.
            index: row, column and channel of the unit; for a vector only its channel.

        Raises:
            ValueError: there is no such layer or unit.
        """
        shapes = [tuple(one.output.shape[1:]) for one in self.layers]
        if not 0 <= layer < len(shapes):
            raise ValueError(f"There is no layer {layer} of {len(shapes)}.")
        if len(index) != len(shapes[layer]) or not all(0 <= i < n for i, n in zip(index, shapes[layer], strict=True)):
            raise ValueError(f"There is no unit {list(index)}: the layer has shape {list(shapes[layer])}.")
        answers = self.activations(inputs)
        value = float(answers[layer][(0, *index)])
        source, linear = self._sources[layer], self._linear[layer]
        weighted_sum = None
        if source is not None and linear is not None:
            activation = getattr(self.layers[layer], "activation", keras.activations.linear)
            weighted_sum = _weighted_sum(linear, activation, [*answers, inputs][source][0], index, value)
        return Unit(self.fields[layer].unit((*index[:-1], 0, 0)[:2]), value, weighted_sum)


@dataclasses.dataclass(frozen=True)
class Linear:
    """A copy of a layer without its activation function.

    Attributes:
        layer: the copy, with an input of its own.
        field: the receptive field of its units in this input.
    """

    layer: keras.Layer
    field: ReceptiveField

    def weights(self, given: np.ndarray, index: Sequence[int]) -> tuple[float, float, np.ndarray]:
        """The value of a unit for an input, its value for zeros, and the gradient of the value, shaped like `given`."""
        inputs = tf.constant(given.reshape(1, *self.layer.input.shape[1:]))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            answer = self.layer(inputs, training=False)[(0, *index)]
        kernel = tape.gradient(answer, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        bias = self.layer(tf.zeros_like(inputs), training=False)[(0, *index)]
        return float(answer), float(bias), np.asarray(kernel).reshape(given.shape)

    def window(
        self, given: np.ndarray, kernel: np.ndarray, index: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """The parts of an input and of the gradient that a unit reads, and their first row and column."""
        if len(index) != 3:
            return given, kernel, (0, 0)
        if _is_plain_convolution(self.layer):  # its kernel is shown completely, including the part over padding
            row, column = map(_start, self.field.axes, index)
            whole = np.asarray(self.layer.kernel)[..., index[-1]]
            return _padded(given, row, column, whole.shape), whole, (row, column)
        box = self.field.unit(index[:2]) or ((0, -1), (0, -1))  # an empty box if it reads only padding
        (top, bottom), (left, right) = box
        cut = np.s_[top : bottom + 1, left : right + 1]
        return given[cut], kernel[cut], (top, left)


def _weighted_sum(
    linear: Linear, activation: Callable[[Any], Any], given: np.ndarray, index: Sequence[int], value: float
) -> WeightedSum | None:
    before, bias, kernel = linear.weights(given, index)
    if given.ndim == 1:
        given, kernel = given[None, None], kernel[None, None]
    patch, kernel, corner = linear.window(given, kernel, index)
    used = np.flatnonzero(kernel.any(axis=(0, 1))) if kernel.any() else np.arange(kernel.shape[2])
    patch, kernel = patch[..., used], kernel[..., used]
    total = _summed(patch, kernel) + bias
    answer = float(np.ravel(activation(tf.constant([total])))[0])
    weighted_sum = WeightedSum(patch, kernel, used.tolist(), corner, bias, before, activation.__name__, answer)
    tolerance = 1e-5 * (1 + abs(bias) + float(np.abs(patch * kernel).sum()))
    true = np.allclose([total, answer], [before, value], rtol=0, atol=tolerance)
    return weighted_sum if true else None  # not a sum of products: squares, a norm, a softmax


def _summed(patch: np.ndarray, kernel: np.ndarray) -> float:
    return float(np.sum(patch.astype(float) * kernel))


def _linear(layer: keras.Layer) -> Linear | None:
    if isinstance(layer.input, list):
        return None
    config = layer.get_config()
    if "activation" in config:
        config["activation"] = "linear"
    copy = type(layer).from_config(config)
    alone = keras.Sequential([keras.Input(layer.input.shape[1:]), copy])
    copy.set_weights(layer.get_weights())
    return Linear(copy, receptive_field(alone))


def _source(call: Call, graph: Graph, calls: Sequence[Call]) -> int | None:
    """The number of the call whose answers this one reads; -1: the model's input; None: several."""
    if len(call.inputs) > 1:
        return None
    tensor = call.inputs[0]
    before = {id(other.outputs[0]): other for other in graph.calls}
    while (maker := before.get(id(tensor))) and isinstance(maker.layer, keras.layers.Flatten):
        tensor = maker.inputs[0]
    return -1 if maker is None else calls.index(maker)


def _is_plain_convolution(layer: keras.Layer) -> bool:
    plain = layer.groups == 1 and layer.dilation_rate == (1, 1) if type(layer) is keras.layers.Conv2D else False
    return plain and layer.data_format == "channels_last"


def _start(axis: Axis, unit: int) -> int:
    """Where the field of a convolution's unit begins; negative in padding."""
    assert axis.stride is not None
    assert axis.padding is not None
    return int(unit * axis.stride - axis.padding)


def _padded(given: np.ndarray, row: int, column: int, size: Sequence[int]) -> np.ndarray:
    """A window of a layer's input; it is 0 beyond the border."""
    margin = max(size[:2])
    wide = np.pad(given, [(margin, margin), (margin, margin), (0, 0)])
    return wide[row + margin : row + margin + size[0], column + margin : column + margin + size[1]]


def written(number: float, decimals: int = DECIMALS) -> str:
    """A number as text for the page; a number that rounds to zero has no sign."""
    return f"{number:z.{decimals}f}"


def decimals(pairs: Sequence[tuple[float, float]]) -> int:
    """The largest number of decimals, at most `DECIMALS`, at which the two numbers of every pair have equal texts."""
    same = (d for d in range(DECIMALS, 0, -1) if all(written(a, d) == written(b, d) for a, b in pairs))
    return next(same, 0)


def correlations(
    first: np.ndarray, then: np.ndarray, field: ReceptiveField, shift: Sequence[int]
) -> dict[str, float | None]:
    """Compares a layer's activations before and after the picture was moved.

    Args:
        first: activations before the move, without the batch.
        then: activations after the move.
        field: the receptive field of the layer's units.
        shift: pixels by which the picture was moved down and right.

    Returns:
        Pearson's correlations of the activations after and before the move: `stays`, of the same units; `along`, of
        units moved by the same pixels (if this is not a whole number of units, the better neighbour). For maps, only
        units that do not see beyond the picture count. None: undefined.
    """
    if first.ndim == 1:
        return {"stays": _correlation(first, then), "along": None}
    rows, columns = (_within(axis, count) for axis, count in zip(field.axes, first.shape, strict=False))
    steps = [pixels / float(axis.stride or 1) for pixels, axis in zip(shift, field.axes, strict=True)]
    whole = [sorted({int(np.floor(step)), int(np.ceil(step))}) for step in steps]
    along = [_moved_correlation(first, then, rows, columns, down, right) for down, right in itertools.product(*whole)]
    return {
        "stays": _correlation(first[np.ix_(rows, columns)], then[np.ix_(rows, columns)]),
        "along": max((found for found in along if found is not None), default=None),
    }


def _moved_correlation(
    first: np.ndarray, then: np.ndarray, rows: Sequence[int], columns: Sequence[int], down: int, right: int
) -> float | None:
    rows = [row for row in rows if row - down in set(rows)]
    columns = [column for column in columns if column - right in set(columns)]
    sources = np.ix_([row - down for row in rows], [column - right for column in columns])
    return _correlation(first[sources], then[np.ix_(rows, columns)])


def _within(axis: Axis, count: int) -> list[int]:
    """The indices of the units along an axis that do not see beyond the picture."""
    return [i for i, unit in enumerate((axis.units or ())[:count]) if size_of(unit) == axis.size]


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a.ravel().astype(float), b.ravel().astype(float))[0, 1])
