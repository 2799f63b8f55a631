"""Receptive field and cost of the layers of a Keras model, without running the model.

    from cnn_models import layer_table, receptive_field

    receptive_field(keras.applications.VGG16(weights=None), "block5_pool").size     # (212, 212)
    print(layer_table(cnn_models.build("lenet5")))                                  # one row per layer

Both describe inference on one picture, and use only the shapes of tensors.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras

from cnn_models.analysis import cost, execution
from cnn_models.analysis.geometry.fields import ReceptiveField, every
from cnn_models.analysis.graph import Call, Graph, InputShape, channels, data_format, trace, unwrapped
from cnn_models.analysis.rules import Rules, advice, is_leaf, sees
from cnn_models.analysis.table import DEFAULT, LayerRow, LayerTable, Memory, Weights
from cnn_models.names import unknown

GATED = ("Multiply",)
"""Layers and operations that multiply by a gate."""


def receptive_field(
    model: keras.Model,
    layer: str | keras.Layer | None = None,
    *,
    call: int | None = None,
    source: str | None = None,
    rules: Rules | None = None,
    gates: bool = True,
    input_shape: InputShape | None = None,
) -> ReceptiveField:
    """The receptive field of a layer: the part of the model's input that its units see.

    Args:
        model: a model in one to three dimensions, with any nesting. Custom layers and subclassed models are opened
            if their `call` works on symbolic tensors.
        layer: a layer or its name (`backbone/conv1` inside a nested model; the last part is enough if it is
            unique); None: the model's output.
        call: for a shared layer, which of its calls, from 0.
        source: for a model with several inputs, the name of the one that the field refers to.
        rules: rules for custom layers (see `cnn_models.analysis.rules`).
        gates: whether a product with a tensor that depends on the whole input, such as squeeze and excitation, makes
            units see the whole input.
        input_shape: the shape, without the batch, of inputs of which not all sizes are known; or shapes by input name.

    Returns:
        Size, stride, padding and centre, in pixels of the input, along each spatial axis. The axis of the channels
        is that of the first layer with a `data_format`; without such a layer it is the last axis, if the input has
        two or more axes besides the batch.

    Raises:
        TypeError: no rule says what a layer before this one sees, and it cannot be opened; or the model has no graph.
        ValueError: there is no such layer, call or input, or the arguments fit several.
    """
    rules = rules or {}
    graph = trace(model, is_leaf(rules), input_shape)
    target = _target(graph, layer, call)
    start = _source(graph, source)
    for step in _walk(graph, start, _lengths(graph, start, rules), rules, ways=(gates,)):
        found = [field for tensor, field in zip(step.call.outputs, step.outputs[0], strict=True) if tensor is target]
        if found:
            if found[0].unknown:
                raise TypeError(advice(found[0].unknown))
            return found[0]
    return ReceptiveField.of_input(_lengths(graph, start, rules))  # the output is the input


def layer_table(
    model: keras.Model,
    *,
    source: str | None = None,
    rules: Rules | None = None,
    input_shape: InputShape | None = None,
    batch: int = 1,
    dtype: str | None = None,
    repeats: int = 0,
) -> LayerTable:
    """The receptive field and the cost of every layer of a model, in the order of computation.

    Args:
        model: a model in one to three dimensions, with any nesting. Custom layers and subclassed models are opened
            if their `call` works on symbolic tensors.
        source: for a model with several inputs, the name of the one that receptive fields refer to.
        rules: rules for custom layers (see `cnn_models.analysis.rules`).
        input_shape: the shape, without the batch, of inputs of which not all sizes are known; or shapes by input name.
        batch: number of pictures for which the memory of activations is counted.
        dtype: the type of real numbers for which memory is counted, such as `float16`; None: the model's own types.
        repeats: how often each layer is run by itself, on a batch of random pictures, to measure its seconds on this
            machine; 0: they are not measured.

    Returns:
        One row for each call of a layer, and one for the weights that an opened layer itself holds. The parameters of
        a shared layer are in the row of its first call. Weights of layers that are not called are in rows of their
        own at the end, so that the column adds up to `model.count_params()`. What is not known is None.

    Raises:
        TypeError: the model has no graph.
        ValueError: there is no such input, or there are several and `source` is None; or seconds are to be measured
            and the input's size is not known.
    """
    memory = Memory(batch, dtype)
    inspected = inspect(model, source=source, rules=rules, input_shape=input_shape, memory=memory, repeats=repeats)
    return LayerTable((one.row for one in inspected.layers), inspected.input_shape, memory)


class Inspected(NamedTuple):
    """A row of the table with what it was made from; None for weights that no call of their own uses.

    Attributes:
        row: the row.
        call: the call of the layer.
        field: the field of the layer's first output.
        without_gates: that field, if products with tensors that depend on the whole input are left out.
    """

    row: LayerRow
    call: Call | None = None
    field: ReceptiveField | None = None
    without_gates: ReceptiveField | None = None


class Inspection(NamedTuple):
    """A model's layers in the order of computation.

    Attributes:
        layers: its rows, each with its call.
        input_shape: the shape of the input that fields refer to, without the batch.
        lengths: its spatial axes and their sizes.
    """

    layers: list[Inspected]
    input_shape: tuple[int | None, ...]
    lengths: Mapping[int, int | None]


def inspect(
    model: keras.Model,
    *,
    source: str | None = None,
    rules: Rules | None = None,
    input_shape: InputShape | None = None,
    memory: Memory = DEFAULT,
    repeats: int = 0,
) -> Inspection:
    """As `layer_table`, with the calls and the fields that its rows were made from."""
    rules = rules or {}
    graph = trace(model, is_leaf(rules), input_shape)
    start = _source(graph, source)
    lengths = _lengths(graph, start, rules)
    ways = (True, False) if any(map(_is_gate, graph.calls)) else (True,)
    counter = _Weights(model, memory)
    took = execution.seconds(graph, memory.batch, repeats) if repeats else [None] * len(graph.calls)
    layers: list[Inspected] = []
    made: dict[int, LayerRow] = {}
    holders = iter([*graph.models, None])
    holder = next(holders)
    for number, step in enumerate(_walk(graph, start, lengths, rules, ways=ways), start=1):
        row = _row(step, counter.of_call(step.call), rules, memory, took[number - 1])
        layers.append(Inspected(row, step.call, step.outputs[0][0], step.outputs[-1][0]))
        made.update((id(tensor), row) for tensor in step.call.outputs)
        while holder is not None and holder.order <= number:
            if holder.order == number and (own := counter.of_holder(holder.layer)).parameters:
                layers.append(Inspected(_holder_row(holder, _maker(holder, made, row), own)))
            holder = next(holders)
    layers += map(Inspected, counter.rest())
    return Inspection(layers, tuple(start.shape[1:]), lengths)


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


def _lengths(graph: Graph, source: keras.KerasTensor, rules: Rules) -> dict[int, int | None]:
    """The spatial axes of an input and their sizes."""
    lengths = dict(enumerate(source.shape[1:], start=1))
    lengths.pop(_channel_axis(graph, source, rules) or 0, None)
    return lengths


class _Step(NamedTuple):
    """One call, and the fields of its inputs and outputs; a list of fields for each way of the walk."""

    call: Call
    inputs: list[list[ReceptiveField]]
    outputs: list[Sequence[ReceptiveField]]


def _walk(
    graph: Graph,
    source: keras.KerasTensor,
    lengths: Mapping[int, int | None],
    rules: Rules,
    *,
    with_channels: bool = False,
    ways: Sequence[bool] = (True,),
) -> Iterator[_Step]:
    """Yields each call with the fields of its inputs and outputs. A field is dropped after its tensor's last use.

    Args:
        graph: the model.
        source: the input that fields refer to.
        lengths: its spatial axes and their sizes.
        rules: rules for custom layers.
        with_channels: `lengths` includes the axis of the channels.
        ways: with gates (True) or without (False). Before the first gate, all ways share their fields.
    """
    uses = Counter(id(tensor) for call in graph.calls for tensor in call.inputs)
    unseen = ReceptiveField.unseen(lengths.values())
    fields = dict.fromkeys((id(tensor) for tensor in (*graph.inputs, *graph.constants)), [unseen] * len(ways))
    fields[id(source)] = [ReceptiveField.of_input(lengths)] * len(ways)
    for call in graph.calls:
        inputs = [list(each) for each in zip(*(fields[id(tensor)] for tensor in call.inputs), strict=True)]
        outputs: list[Sequence[ReceptiveField]] = []
        for way, given in zip(ways, inputs, strict=True):
            seen = given if way or not _is_gate(call) else _without_gates(given)
            known = bool(outputs) and all(mine is other for mine, other in zip(seen, inputs[0], strict=True))
            outputs.append(outputs[0] if known else sees(call, seen, rules, with_channels=with_channels))
        yield _Step(call, inputs, outputs)
        made = map(list, zip(*outputs, strict=True))
        fields.update((id(tensor), each) for tensor, each in zip(call.outputs, made, strict=True))
        uses.subtract(map(id, call.inputs))
        for tensor in (*call.inputs, *call.outputs):
            if uses[id(tensor)] <= 0:
                fields.pop(id(tensor), None)


def _is_gate(call: Call) -> bool:
    """Whether a call multiplies tensors, one of which may be a gate."""
    return type(call.layer).__name__ in GATED and len(call.inputs) > 1


def _without_gates(fields: Sequence[ReceptiveField]) -> list[ReceptiveField]:
    """The fields of the factors of a product; those that are equal for all units and see everything see nothing now."""
    gates = [all(field.whole) and set(field.positions) == {None} for field in fields]
    if all(gates):
        return list(fields)
    unseen = ReceptiveField.unseen([axis.length for axis in fields[0].axes])
    return [unseen if gate else field for gate, field in zip(gates, fields, strict=True)]


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
    for step in _walk(graph, source, lengths, rules, with_channels=True):
        call = unwrapped(step.call)
        positions = step.inputs[0][0].positions
        if data_format(call.layer) and any(position is not None for position in positions):
            usual = 1 if data_format(call.layer) == "channels_first" else rank - 1
            there = [axis for axis, position in zip(lengths, positions, strict=True) if position == channels(call)]
            lost = [axis for axis, position in zip(lengths, positions, strict=True) if position is None]
            if usual in (*lost, *there):
                return usual
            return there[-1] if there else lost[0] if len(lost) == 1 else None
    return rank - 1


# Rows of the table.


class _Weights:
    """Counts each weight of a model once, in the row that uses it first."""

    def __init__(self, model: keras.Model, memory: Memory) -> None:
        self.left: dict[int, Any] = {id(weight): weight for weight in model.weights}
        self.memory = memory

    def _take(self, weights: Sequence[Any]) -> Weights:
        """The count of those weights that no row has counted."""
        trainable = total = size = 0
        for weight in [self.left.pop(id(each)) for each in weights if id(each) in self.left]:
            count = math.prod(weight.shape)
            total += count
            trainable += count if weight.trainable else 0
            size += count * cost.item_size(weight.dtype, self.memory.dtype)
        return Weights(total, trainable, size)

    def of_call(self, call: Call) -> Weights:
        """The weights of a layer; an operation has none."""
        return self._take(call.layer.weights if isinstance(call.layer, keras.Layer) else [])

    def of_holder(self, layer: keras.Layer) -> Weights:
        """The weights that an opened layer holds itself, and not in layers inside it."""
        held = [*layer._trainable_variables, *layer._non_trainable_variables] if isinstance(layer, keras.Layer) else []
        return self._take(held)  # an operation has none

    def rest(self) -> list[LayerRow]:
        """One row for each layer that the graph does not call."""
        owners: dict[str, list[Any]] = {}
        for weight in self.left.values():
            owners.setdefault(weight.path.rpartition("/")[0] or weight.path, []).append(weight)
        return [LayerRow.uncalled(name, self._take(weights)) for name, weights in owners.items()]


def _row(step: _Step, weights: Weights, rules: Rules, memory: Memory, seconds: float | None) -> LayerRow:
    call, field, ungated = step.call, step.outputs[0][0], step.outputs[-1][0]
    size, macs, outputs = field.size, cost.call_macs(call, rules), cost.activation_bytes(call, memory.dtype)
    return LayerRow(
        name=call.name,
        call=call.index,
        type=type(call.layer).__name__,
        output_shape=tuple(call.outputs[0].shape[1:]),
        parameters=weights.parameters,
        trainable=weights.trainable,
        weight_macs=macs.weights,
        activation_macs=macs.activations,
        weight_bytes=weights.bytes,
        activation_bytes=None if outputs is None else outputs * memory.batch,
        receptive_field=size,
        without_gates=size if ungated is field else ungated.size,
        stride=field.stride,
        padding=field.padding,
        centres=field.centres,
        beyond_input=field.beyond,
        unproductive=every([field.beyond, *(each.beyond for each in step.inputs[0])]),
        seconds=seconds,
        whole=bool(ungated.whole) and all(ungated.whole),
        missing=field.unknown,
    )


def _maker(holder: Call, made: Mapping[int, LayerRow], last: LayerRow) -> LayerRow:
    """The row of the call that makes the output of an opened layer."""
    return next((made[id(tensor)] for tensor in holder.outputs if id(tensor) in made), last)


def _holder_row(holder: Call, maker: LayerRow, weights: Weights) -> LayerRow:
    """The row of the weights that an opened layer holds itself; its products are in the rows before it."""
    return dataclasses.replace(
        maker,
        name=holder.name,
        call=holder.index,
        type=type(holder.layer).__name__,
        output_shape=tuple(holder.outputs[0].shape[1:]) if holder.outputs else (),
        parameters=weights.parameters,
        trainable=weights.trainable,
        weight_macs=0,
        activation_macs=0,
        weight_bytes=weights.bytes,
        activation_bytes=0,
        seconds=None,
    )
