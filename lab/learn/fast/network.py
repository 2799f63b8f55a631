"""A network's forward pass in training, with fast operations in the place of the layers that have one."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from cnn_models.analysis.graph import Call, Graph, trace
from cnn_models.layers.lecun1998 import TrainableSubsampling2D
from lab.learn.fast import normalisation, pooling

Function = Callable[..., Any]  # from the arguments of a call to its outputs


class FastNetwork:
    """The forward pass of a Keras model in training, by the model's own variables and states.

    Args:
        model: a Sequential or Functional model of one input and one output, `(batch, height, width, channels)` to
            `(batch, classes)`; nested models are opened.

    Raises:
        TypeError: the model is a subclass with its own `call`.
    """

    def __init__(self, model: keras.Model) -> None:
        self._graph = trace(model)
        self._functions = functions(self._graph)

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        """The model's outputs for a batch of pictures."""
        values = {id(self._graph.inputs[0]): pictures}
        for call in self._graph.calls:
            arguments, named = keras.tree.map_structure(lambda each: values.get(id(each), each), call.arguments)
            outputs = keras.tree.flatten(self._functions[id(call)](*arguments, **named))
            values.update(zip(map(id, call.outputs), outputs, strict=True))
        return values[id(self._graph.outputs[0])]


def functions(graph: Graph) -> Mapping[int, Function]:
    """What computes each call of a graph, by the id of the call: its layer in training, or a fast operation."""
    found: dict[int, Function] = {id(call): functools.partial(_in_training, call.layer) for call in graph.calls}
    makers = {id(call.outputs[0]): call for call in graph.calls}
    readers: dict[int, int] = {id(output): 1 for output in graph.outputs}
    for call in graph.calls:
        for tensor in call.inputs:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    for call in graph.calls:
        before = makers.get(id(call.inputs[0]))
        if before and readers[id(call.inputs[0])] == 1:
            found |= _pair(before, call)
        found |= _single(call)
    return found


def _single(call: Call) -> dict[int, Function]:
    """The fast operation for a call of one layer, if there is one."""
    layer, maps = call.layer, call.inputs[0]
    if normalisation.fits(layer, maps):
        return {id(call): lambda x, **_: normalisation.normalise(layer, x)}
    if type(layer) is keras.layers.AveragePooling2D and pooling.fits(layer, maps) and pooling.halves(layer):
        return {id(call): lambda x: pooling.average_pool(tf.cast(x, layer.compute_dtype))}
    if type(layer) is TrainableSubsampling2D:
        return {id(call): lambda x: layer.scaled(pooling.average_pool(tf.cast(x, layer.compute_dtype)))}
    return {}


def _pair(before: Call, call: Call) -> dict[int, Function]:
    """The fast operations for two calls, of which only the second reads what the first makes, if there are some."""
    first, pool = before.layer, call.layer
    if type(pool) is not keras.layers.MaxPooling2D or not pooling.fits(pool, call.inputs[0]):
        return {}
    if _rectifies(first):
        return {
            id(before): tf.identity,
            id(call): lambda x: pooling.max_pool(pool, tf.cast(x, pool.compute_dtype), None),
        }
    if type(first) is keras.layers.Conv2D and first.use_bias and first.activation is keras.activations.relu:
        dtype = first.compute_dtype
        return {
            id(before): lambda x: first.convolution_op(tf.cast(x, dtype), tf.cast(first.kernel, dtype)),
            id(call): lambda x: pooling.max_pool(pool, x, tf.cast(first.bias, dtype)),
        }
    return {}


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
