"""What happens inside a network: the activations of every layer, and how one unit comes to its value."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnn_models import receptive_field
from cnn_models.analysis.fields import ReceptiveField
from cnn_models.analysis.geometry import Axis
from cnn_models.analysis.graph import Call, Graph, trace
from cnn_models.analysis.views import size_of

DECIMALS = 4
Interval = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Unit:
    """How one unit comes to its value.

    Attributes:
        field: first and last row, first and last column of the network's input that the unit reads
            (exact, see `cnn_models.receptive_field`); None if it reads only padding.
        value: what Keras computed.
        weighed: how the value is a sum of products; None where it is not one.
    """

    field: tuple[Interval, ...] | None
    value: float
    weighed: "Weighed | None"


@dataclasses.dataclass(frozen=True)
class Weighed:
    """A value as activation(sum of patch · kernel + bias).

    Attributes:
        patch: the part of the layer's input that the unit reads, `(height, width, channels)`; 0 in padding.
            A vector is a row of channels.
        kernel: the weight of each, of the same shape. Of a maximum: 1 for the winner, 0 for the rest.
        channels: which channels of the layer's input these are; those that do not count are left out.
        corner: row and column of the layer's input where the patch begins; negative in padding.
        bias: what the layer gives without an input.
        before: what Keras computed before the activation function.
        activation: name of that function; "linear" if there is none.
        answer: the activation function of the products' sum and the bias.
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
    """A trained network of one input and one output, opened to be looked into.

    A Flatten is passed over: its numbers are those of the maps before it.

    Args:
        model: a Sequential or Functional model from pictures `(batch, height, width, 1)` to logits.

    Raises:
        TypeError: it has a layer whose receptive field is not known.
        ValueError: it has several inputs, a model inside, or a layer that is shared.
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
        """Height and width of the pictures it takes."""
        return self.model.input_shape[1]

    def activations(self, inputs: np.ndarray) -> list[np.ndarray]:
        """What every layer answers, in the order in which the data flow.

        Args:
            inputs: x/255 - 0.5, float32 `(batch, height, width, 1)`.

        Returns:
            For each layer a float32 array that begins with the batch.
        """
        return [np.asarray(answer) for answer in self._run(inputs)]

    def unit(self, inputs: np.ndarray, layer: int, index: Sequence[int]) -> Unit:
        """How one unit of a layer comes to its value.

        Args:
            inputs: x/255 - 0.5, float32 `(1, height, width, 1)`.
            layer: number of the layer, from 0.
            index: row, column and channel of the unit, or its number in a vector.

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
        weighed = None
        if source is not None and linear is not None:
            activation = getattr(self.layers[layer], "activation", keras.activations.linear)
            weighed = _weighed(linear, activation, [*answers, inputs][source][0], index, value)
        return Unit(self.fields[layer].unit((*index[:-1], 0, 0)[:2]), value, weighed)


@dataclasses.dataclass(frozen=True)
class Linear:
    """A layer without its activation function, on its own, and what its units see of its input."""

    layer: keras.Layer
    field: ReceptiveField

    def weights(self, given: np.ndarray, index: Sequence[int]) -> tuple[float, float, np.ndarray]:
        """The answer of a unit, its answer to zeros, and the gradient of the answer, shaped like `given`."""
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
        """The part of an input, and of the gradient, that a unit reads, and its first row and column."""
        if len(index) != 3:
            return given, kernel, (0, 0)
        if _is_plain_convolution(self.layer):  # its kernel is shown whole, with what lies on padding
            row, column = map(_start, self.field.axes, index)
            whole = np.asarray(self.layer.kernel)[..., index[-1]]
            return _padded(given, row, column, whole.shape), whole, (row, column)
        box = self.field.unit(index[:2]) or ((0, -1), (0, -1))  # nothing, where it reads only padding
        (top, bottom), (left, right) = box
        cut = np.s_[top : bottom + 1, left : right + 1]
        return given[cut], kernel[cut], (top, left)


def _weighed(
    linear: Linear, activation: Callable[[Any], Any], given: np.ndarray, index: Sequence[int], value: float
) -> Weighed | None:
    before, bias, kernel = linear.weights(given, index)
    if given.ndim == 1:
        given, kernel = given[None, None], kernel[None, None]
    patch, kernel, corner = linear.window(given, kernel, index)
    used = np.flatnonzero(kernel.any(axis=(0, 1))) if kernel.any() else np.arange(kernel.shape[2])
    patch, kernel = patch[..., used], kernel[..., used]
    total = _summed(patch, kernel) + bias
    answer = float(np.ravel(activation(tf.constant([total])))[0])
    weighed = Weighed(patch, kernel, used.tolist(), corner, bias, before, activation.__name__, answer)
    tolerance = 1e-5 * (1 + abs(bias) + float(np.abs(patch * kernel).sum()))
    true = np.allclose([total, answer], [before, value], rtol=0, atol=tolerance)
    return weighed if true else None  # not a sum of products: squares, a norm, a softmax


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
    """A window of a layer's input, 0 where it reaches beyond."""
    margin = max(size[:2])
    wide = np.pad(given, [(margin, margin), (margin, margin), (0, 0)])
    return wide[row + margin : row + margin + size[0], column + margin : column + margin + size[1]]


def written(number: float, decimals: int = DECIMALS) -> str:
    """A number as the page shows it; what rounds to zero has no sign."""
    return f"{number:z.{decimals}f}"


def decimals(pairs: Sequence[tuple[float, float]]) -> int:
    """To how many decimals, at most `DECIMALS`, the two numbers of every pair are written the same."""
    same = (d for d in range(DECIMALS, 0, -1) if all(written(a, d) == written(b, d) for a, b in pairs))
    return next(same, 0)


def correlations(
    first: np.ndarray, then: np.ndarray, field: ReceptiveField, shift: Sequence[int]
) -> dict[str, float | None]:
    """What became of a layer's answers when the picture moved.

    Args:
        first: answers before the move, without the batch.
        then: answers after it.
        field: what the layer's units see.
        shift: pixels down and right.

    Returns:
        Pearson's correlation of the answers after the move with those before: `stays`, unit by unit;
        `along`, with those moved by the same pixels (the better neighbour, where that is no whole
        number of units). Of maps, over the units that do not see beyond the picture. None: undefined.
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
    """The units along an axis that do not see beyond the picture."""
    return [i for i, unit in enumerate((axis.units or ())[:count]) if size_of(unit) == axis.size]


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a.ravel().astype(float), b.ravel().astype(float))[0, 1])
