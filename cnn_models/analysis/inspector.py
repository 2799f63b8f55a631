"""Receptive field and cost of the layers of a Keras model, without running the model.

    from cnn_models import layer_table, receptive_field

    receptive_field(keras.applications.VGG16(weights=None), "block5_pool").size     # (212, 212)
    print(layer_table(cnn_models.build("lenet5")))                                  # one row per layer

Both describe inference on one picture, and use only the shapes of tensors.
"""

from collections.abc import Iterator, Mapping, Sequence

import keras

from cnn_models.analysis import cost
from cnn_models.analysis.fields import ReceptiveField, every
from cnn_models.analysis.graph import Call, Graph, channels, trace, unwrapped
from cnn_models.analysis.rules import Rule, sees
from cnn_models.analysis.table import LayerRow, LayerTable
from cnn_models.names import unknown

Rules = Mapping[type, Rule]


def receptive_field(
    model: keras.Model,
    layer: str | keras.Layer | None = None,
    *,
    call: int | None = None,
    source: str | None = None,
    rules: Rules | None = None,
) -> ReceptiveField:
    """The receptive field of a layer: the part of the model's input that its units see.

    Args:
        model: a Sequential or Functional model, in one to three dimensions, with any nesting.
        layer: a layer or its name (`backbone/conv1` inside a nested model; the last part is enough if it is
            unique); None: the model's output.
        call: for a shared layer, which of its calls, from 0.
        source: for a model with several inputs, the name of the one that the field refers to.
        rules: rules for custom layers (see `cnn_models.analysis.rules`).

    Returns:
        Size, stride, padding and centre, in pixels of the input, along each spatial axis. The axis of the channels
        is that of the first layer with a `data_format`; without such a layer it is the last axis, if the input has
        two or more axes besides the batch.

    Raises:
        TypeError: a layer has no rule, or the model has no graph.
        ValueError: there is no such layer, call or input, or the arguments fit several.
    """
    graph = trace(model)
    target = _target(graph, layer, call)
    fields = _fields(graph, _source(graph, source), rules or {})
    return fields[id(target)]


def layer_table(model: keras.Model, *, source: str | None = None, rules: Rules | None = None) -> LayerTable:
    """The receptive field and the cost of every layer of a model, in the order of computation.

    Args:
        model: a Sequential or Functional model, in one to three dimensions, with any nesting.
        source: for a model with several inputs, the name of the one that receptive fields refer to.
        rules: rules for custom layers (see `cnn_models.analysis.rules`).

    Returns:
        One row for each call of a layer. The parameters of a shared layer are in the row of its first call, so that
        the column adds up to `model.count_params()`.

    Raises:
        TypeError: a layer has no rule, or the model has no graph.
        ValueError: there is no such input, or there are several and `source` is None.
    """
    graph = trace(model)
    fields = _fields(graph, _source(graph, source), rules or {})
    return LayerTable(_row(call, fields, rules or {}) for call in graph.calls)


def _row(call: Call, fields: Mapping[int, ReceptiveField], rules: Rules) -> LayerRow:
    shape = tuple(call.outputs[0].shape[1:])
    field = fields[id(call.outputs[0])]
    return LayerRow(
        name=call.name,
        call=call.index,
        type=type(call.layer).__name__,
        output_shape=shape,
        parameters=call.layer.count_params() if call.index == 0 and isinstance(call.layer, keras.Layer) else 0,
        macs=cost.call_macs(call, rules),
        activation_macs=cost.activation_macs(call, rules),
        memory_bytes=cost.memory_bytes(call),
        receptive_field=field.size,
        stride=field.stride,
        padding=field.padding,
        centres=field.centres,
        beyond_input=field.beyond,
        unproductive=every([field.beyond, *(fields[id(tensor)].beyond for tensor in call.inputs)]),
    )


def _source(graph: Graph, name: str | None) -> keras.KerasTensor:
    """The input of this name; by default the only one."""
    if name is None and len(graph.inputs) == 1:
        return graph.inputs[0]
    names = [tensor.name for tensor in graph.inputs]
    if name not in names:
        other = "" if name is None else f", not '{name}'"
        raise ValueError(f"The model's inputs are {', '.join(names)}: name one as `source` (--source){other}.")
    return graph.inputs[names.index(name)]


def _target(graph: Graph, layer: str | keras.Layer | None, index: int | None) -> keras.KerasTensor:
    """The output tensor of a layer's call; that of the model if `layer` is None."""
    if layer is None:
        found = list(graph.outputs)
        name = "the model's output"
    else:
        calls = calls_of(graph, layer)
        name = f"layer '{calls[0].name}'"
        found = [tensor for call in calls if index in (None, call.index) for tensor in call.outputs]
        if not found or (len(calls) > 1 and index is None):
            indices = ", ".join(str(call.index) for call in calls)
            raise ValueError(f"{name} is called {len(calls)} times: pass as `call` one of {indices}.")
    if len(found) > 1:
        raise ValueError(f"{name} consists of {len(found)} tensors: ask for one of the layers that make them.")
    return found[0]


def calls_of(graph: Graph, layer: str | keras.Layer) -> list[Call]:
    """All calls of one layer or nested model.

    Raises:
        ValueError: the graph has no such layer, or several layers have this name.
    """
    everything = (*graph.calls, *graph.models)
    if not isinstance(layer, str):
        calls = [call for call in everything if call.layer is layer]
        if not calls:
            raise ValueError(f"Layer '{layer.name}' is not called in this model.")
        return calls
    calls = [call for call in everything if call.name == layer]
    calls = calls or [call for call in everything if call.name.endswith(f"/{layer}")]
    if not calls:
        raise ValueError(unknown("layer", layer, dict.fromkeys(call.name for call in everything)))
    if len({id(call.layer) for call in calls}) > 1:
        raise ValueError(f"Several layers are called '{layer}': {', '.join(call.name for call in calls)}.")
    return calls


def _fields(graph: Graph, source: keras.KerasTensor, rules: Rules) -> dict[int, ReceptiveField]:
    """The field of every tensor, by the tensor's id."""
    lengths = dict(enumerate(source.shape[1:], start=1))
    lengths.pop(_channel_axis(graph, source, rules) or 0, None)
    fields: dict[int, ReceptiveField] = {}
    for _ in _walk(graph, source, lengths, rules, fields):
        pass
    return fields


def _walk(
    graph: Graph,
    source: keras.KerasTensor,
    lengths: Mapping[int, int | None],
    rules: Rules,
    fields: dict[int, ReceptiveField],
    *,
    with_channels: bool = False,
) -> Iterator[tuple[Call, Sequence[ReceptiveField]]]:
    """Fills `fields` call by call. Yields each call with the fields of its inputs, before its rule is applied."""
    fields.update((id(tensor), ReceptiveField.unseen(lengths)) for tensor in graph.inputs)
    fields[id(source)] = ReceptiveField.of_input(lengths)
    for call in graph.calls:
        inputs = [fields[id(tensor)] for tensor in call.inputs]
        yield call, inputs
        result = sees(call, inputs, rules, with_channels=with_channels)
        fields.update((id(tensor), result) for tensor in call.outputs)


def _channel_axis(graph: Graph, source: keras.KerasTensor, rules: Rules) -> int | None:
    """The axis of an input that holds channels, as the first layer with a `data_format` says.

    The layer's `data_format` names an axis of its own input, the first or the last. The corresponding axis of the
    model's input is the first or last one, if that axis is unmoved or an earlier layer has read it completely (a
    dense layer, or a mean over the colours); otherwise the axis that was moved there; otherwise the only axis that
    has been read completely.
    """
    rank = len(source.shape)
    if rank < 3:
        return None
    lengths = dict(enumerate(source.shape[1:], start=1))
    for call, inputs in _walk(graph, source, lengths, rules, {}, with_channels=True):
        call = unwrapped(call)
        positions = inputs[0].positions
        if hasattr(call.layer, "data_format") and any(position is not None for position in positions):
            usual = 1 if call.layer.data_format == "channels_first" else rank - 1
            there = [axis for axis, position in zip(lengths, positions, strict=True) if position == channels(call)]
            lost = [axis for axis, position in zip(lengths, positions, strict=True) if position is None]
            if usual in (*lost, *there):
                return usual
            return there[-1] if there else lost[0] if len(lost) == 1 else None
    return rank - 1
