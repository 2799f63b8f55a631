"""Which unit of which layer is looked at, and on pictures of which size."""

import math

import keras

from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.graph import Call, Graph, trace
from cnn_models.analysis.inspector import calls_of, receptive_field
from cnn_models.names import unknown

Box = tuple[tuple[int, int], tuple[int, int]]
"""First and last row, first and last column."""


def picture_shape(model: keras.Model) -> tuple[int | None, int | None, int]:
    """Height, width and number of colours of a model's input picture; None: any height or width.

    Raises:
        TypeError: the model has no graph.
        ValueError: the input is not one picture with its colours last.
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


def with_size(model: keras.Model, layer: str, call: int | None) -> keras.Model:
    """The model with a fixed picture size: its own, or three strides more than the field if its own is open.

    Raises:
        ValueError: the model does not take one picture, or what the layer sees depends on the open size.
    """
    graph = trace(model)
    *sides, colours = picture_shape(model)
    target_of(graph, layer, call)
    if None not in sides:
        return model
    field = receptive_field(model, layer, call=call)
    sides = []
    for size, stride in zip(field.size, field.stride, strict=True):
        if size is None or stride is None:
            raise ValueError(
                f"What layer '{layer}' sees depends on the size of the input; build the model with a fixed size."
            )
        sides.append(math.ceil(size + 3 * stride))
    inputs = keras.Input((*sides, colours), dtype=graph.inputs[0].dtype)
    sized = keras.models.clone_model(model, input_tensors=inputs)
    sized.set_weights(model.get_weights())
    return sized


def target_of(graph: Graph, layer: str, index: int | None) -> Call:
    """The call of a layer whose output is maps or units.

    Raises:
        ValueError: there is no such layer or call, or its output has another form.
    """
    calls = [call for call in calls_of(graph, layer) if index in (None, call.index)]
    if len(calls) != 1:
        count = len(calls_of(graph, layer))
        raise ValueError(f"Layer '{layer}' is called {count} times: pass as `call` (--call) one of 0 to {count - 1}.")
    (call,) = calls
    if len(call.outputs) != 1 or len(call.outputs[0].shape) not in (2, 4) or call.outputs[0].shape[-1] is None:
        raise ValueError(_no_maps(layer))
    return call


def named(model: keras.Model, layer: str) -> keras.Layer:
    """The layer of this name, whose output must be maps or units; see `maximise`.

    Raises:
        ValueError: there is no such layer, or its output has another form.
    """
    known = {each.name: each for each in model.layers}
    if layer not in known:
        raise ValueError(unknown("layer", layer, known))
    output = known[layer].output
    if not isinstance(output, keras.KerasTensor) or len(output.shape) not in (2, 4):
        raise ValueError(_no_maps(layer))
    return known[layer]


def _no_maps(layer: str) -> str:
    return f"Layer '{layer}' gives neither maps (batch, rows, columns, channels) nor units."


def middle(output: keras.KerasTensor, field: ReceptiveField) -> tuple[int, int] | None:
    """Row and column of the middle unit of maps; None if units have no position, as after a dense layer.

    Raises:
        ValueError: the maps have channels first or exchanged axes.
    """
    if len(output.shape) == 2:
        return None
    if field.positions not in ((1, 2), (None, None)):
        raise ValueError("Maps with their channels first, or with exchanged axes, cannot be read.")
    return output.shape[1] // 2, output.shape[2] // 2


def box_of(layer: str, field: ReceptiveField, unit: tuple[int, int] | None) -> Box:
    """The part of the picture that a unit reads.

    Raises:
        ValueError: the unit reads only padding.
    """
    seen = field.unit(unit or (0, 0))
    if seen is None:
        raise ValueError(f"The middle unit of layer '{layer}' reads nothing of the picture.")
    return seen[0], seen[1]
