"""A network's forward pass in training, with fast operations in the place of the layers that have one."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from cnn_models.analysis.graph import Call, Graph, trace
from cnn_models.layers.lecun1998 import SparseConv2D, TrainableSubsampling2D, scaled_tanh
from lab.learn.fast import blocks, normalisation, pooling

ELEMENTWISE = (keras.activations.linear, keras.activations.relu, keras.activations.tanh, scaled_tanh)
COMPILING_PAYS = 1000  # steps
Function = Callable[..., Any]  # from the arguments of a call to its outputs


class FastNetwork:
    """The forward pass of a Keras model in training, by the model's own variables and states.

    Args:
        model: a Sequential or Functional model of one input and one output, `(batch, height, width, channels)` to
            `(batch, classes)`; nested models are opened. Its first convolution gives no gradient to the pictures.
        steps: how many are trained: compiling a piece takes about a second, and saves one or two milliseconds a step.

    Raises:
        TypeError: the model is a subclass with its own `call`.
    """

    def __init__(self, model: keras.Model, steps: int) -> None:
        self._graph = trace(model)
        self._functions = functions(self._graph, steps >= COMPILING_PAYS)

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        """The model's outputs for a batch of pictures."""
        values = {id(self._graph.inputs[0]): pictures}
        for call in self._graph.calls:
            arguments, named = keras.tree.map_structure(lambda each: values.get(id(each), each), call.arguments)
            outputs = keras.tree.flatten(self._functions[id(call)](*arguments, **named))
            values.update(zip(map(id, call.outputs), outputs, strict=True))
        return values[id(self._graph.outputs[0])]


def functions(graph: Graph, compiling: bool) -> Mapping[int, Function]:
    """What computes each call of a graph, by the id of the call: its layer in training, or a fast operation.

    Args:
        graph: the calls.
        compiling: also by operations with pieces that XLA compiles.
    """
    found: dict[int, Function] = {id(call): functools.partial(_in_training, call.layer) for call in graph.calls}
    makers = {id(call.outputs[0]): call for call in graph.calls}
    readers: dict[int, int] = {id(output): 1 for output in graph.outputs}
    for call in graph.calls:
        for tensor in call.inputs:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    learning = (call for call in graph.calls if getattr(call.layer, "trainable_variables", None))
    first = next(learning, None)
    for call in graph.calls:
        found |= _single(call, compiling)
        before = makers.get(id(call.inputs[0]))
        if before and readers[id(call.inputs[0])] == 1:
            found |= _pair(before, call)
            if compiling and before is first:
                found |= _first(before, call)
    return found


def _single(call: Call, compiling: bool) -> dict[int, Function]:
    """The fast operation for a call of one layer, if there is one."""
    layer, maps = call.layer, call.inputs[0]
    if normalisation.fits(layer, maps):
        return {id(call): lambda x, **_: normalisation.normalise(layer, x)}
    if compiling and (after := _after_means(layer, maps)):
        return {id(call): lambda x: after(pooling.average_pool(tf.cast(x, layer.compute_dtype)))}
    if blocks.fits(layer, maps) and maps.shape[3] < blocks.INPUTS:
        return {id(call): lambda x: _activated(layer, _convolved(layer, x))}
    return {}


def _pair(before: Call, call: Call) -> dict[int, Function]:
    """The fast operations for ReLU and a pooling that alone reads it, if there are some."""
    layer, pool = before.layer, call.layer
    if not pooling.fits(pool, call.inputs[0]):
        return {}
    if _rectifies(layer):
        cast = functools.partial(tf.cast, dtype=pool.compute_dtype)
        return {id(before): tf.identity, id(call): lambda x: pooling.max_pool(pool, cast(x), None)}
    if _rectified(layer):
        return {
            id(before): lambda x: _convolved(layer, x),
            id(call): lambda x: pooling.max_pool(pool, x, tf.cast(layer.bias, x.dtype)),
        }
    return {}


def _first(before: Call, call: Call) -> dict[int, Function]:
    """The fast operations for the first convolution and a pooling that alone reads it, if there are some."""
    layer, pool, pictures = before.layer, call.layer, before.inputs[0]
    if type(layer) is not keras.layers.Conv2D or not blocks.fits(layer, pictures) or pictures.shape[3] >= blocks.FIRST:
        return {}
    cast = functools.partial(tf.cast, dtype=layer.compute_dtype)
    if layer.use_bias and layer.activation in ELEMENTWISE and (after := _after_means(pool, call.inputs[0])):
        return {
            id(before): lambda x: layer.activation(
                blocks.convolve(cast(x), cast(layer.kernel), cast(layer.bias), layer.padding)
            ),
            id(call): lambda windows: after(blocks.average_pool(windows)),
        }
    if _rectified(layer) and pooling.fits(pool, call.inputs[0]) and pooling.halves(pool, call.inputs[0]):
        return {
            id(before): lambda x: blocks.convolve(cast(x), cast(layer.kernel), None, layer.padding),
            id(call): lambda windows: blocks.max_pool(windows, cast(layer.bias)),
        }
    return {}


def _convolved(layer: Any, maps: tf.Tensor) -> tf.Tensor:
    """What a convolution makes of maps, without bias and activation."""
    maps = tf.cast(maps, layer.compute_dtype)
    dense = type(layer) is SparseConv2D
    kernel = tf.cast(layer.dense_kernel() if dense else layer.kernel, maps.dtype)
    if blocks.fits(layer, maps) and maps.shape[3] < blocks.INPUTS:
        return blocks.with_gradient_on_blocks(maps, kernel, "valid" if dense else layer.padding)
    return layer.convolution_op(maps, kernel)


def _activated(layer: Any, maps: tf.Tensor) -> tf.Tensor:
    """Maps with a convolution's bias and activation."""
    if layer.bias is not None:
        maps = tf.nn.bias_add(maps, tf.cast(layer.bias, maps.dtype))
    activation = getattr(layer, "activation", None)
    return activation(maps) if activation else maps


def _rectified(layer: Any) -> bool:
    """Whether a layer is a convolution with bias and ReLU."""
    return type(layer) is keras.layers.Conv2D and layer.use_bias and layer.activation is keras.activations.relu


def _after_means(layer: Any, maps: keras.KerasTensor) -> Function | None:
    """What a layer that averages windows of 2×2 makes of their means; None: another layer."""
    if type(layer) is TrainableSubsampling2D and None not in maps.shape[1:]:
        return layer.scaled
    if type(layer) is keras.layers.AveragePooling2D and pooling.halves(layer, maps):
        return tf.identity
    return None


def _rectifies(layer: Any) -> bool:
    """Whether a layer is ReLU and nothing else."""
    if type(layer) is keras.layers.ReLU:
        return layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
    return type(layer) is keras.layers.Activation and layer.activation is keras.activations.relu


def _in_training(layer: Any, *arguments: Any, **named: Any) -> Any:
    """A layer's own outputs in training; those of an operation."""
    if isinstance(layer, keras.layers.Layer):
        named["training"] = True
    return layer(*arguments, **named)
