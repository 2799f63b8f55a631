"""Lists the calls of a Keras model in the order of computation.

The unit of analysis is a call, because a shared layer is called several times. Nested models are opened; their layers
get names like `backbone/conv1`. Keras 3.15 has no public interface for its graph, so this module uses private
attributes; no other module does.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras

T = TypeVar("T")

_COMPUTATIONS = {
    "call",
    "convolution_op",
    "_merge_function",
    "_compute_attention",
    "_calculate_scores",
    "_apply_scores",
}
"""Methods that a subclass overrides if it computes something else than its parent."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer (or of a `keras.ops` operation) in a model.

    Attributes:
        name: name of the layer, preceded by the names of the nested models that contain it: `backbone/conv1`.
        layer: the layer or operation.
        index: 0 for the layer's first call in the model, 1 for the second...
        inputs: the input tensors; shapes begin with the batch.
        outputs: the output tensors.
        arguments: positional and keyword arguments, including the tensors.
    """

    name: str
    layer: Any
    index: int
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    arguments: tuple[tuple[Any, ...], Mapping[str, Any]]

    @property
    def rank(self) -> int:
        """Number of axes of the first input, including the batch."""
        return len(self.inputs[0].shape)


def channels(call: Call) -> int:
    """The axis of the input that holds the channels, as the layer's `data_format` says."""
    return 1 if getattr(call.layer, "data_format", None) == "channels_first" else call.rank - 1


def spatial(call: Call) -> range:
    """The axes of the input that are neither batch nor channels."""
    return range(2, call.rank) if channels(call) == 1 else range(1, call.rank - 1)


def operands(call: Call) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """The query, value and key of a call of an attention layer; by default the key is the value."""
    positional, named = call.arguments
    first = positional[0] if positional else named.get("inputs", named.get("query"))
    given = first if isinstance(first, list | tuple) else positional
    values = dict(zip(("query", "value", "key"), given, strict=False)) | dict(named)
    value, key = values["value"], values.get("key")
    return values["query"], value, value if key is None else key


def unwrapped(call: Call) -> Call:
    """A call with the inner layer in place of a spectral normalisation, which changes only weights."""
    if isinstance(call.layer, keras.layers.SpectralNormalization):
        return dataclasses.replace(call, layer=call.layer.layer)
    return call


def find(layer: Any, table: Mapping[Any, T]) -> T | None:
    """The entry for a layer's class, or for the nearest parent whose computation it inherits.

    Args:
        layer: a layer or operation.
        table: entries by class, or by qualified name for classes that Keras does not export.

    Returns:
        The entry; None if there is none.
    """
    for kind in type(layer).__mro__:
        for key in (kind, f"{kind.__module__}.{kind.__qualname__}"):
            if key in table:
                return table[key]
        if vars(kind).keys() & _COMPUTATIONS:
            return None
    return None


@dataclasses.dataclass(frozen=True)
class Graph:
    """A model as a list of calls.

    Attributes:
        inputs: the input tensors.
        outputs: the output tensors.
        calls: all calls of layers, in the order of computation.
        models: all calls of nested models; the calls of their layers are in `calls`.
    """

    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    calls: tuple[Call, ...]
    models: tuple[Call, ...]


def trace(model: keras.Model) -> Graph:
    """Lists the calls of a Sequential or Functional model.

    Raises:
        TypeError: the model is a subclass with its own `call`, so it has no graph.
        ValueError: a Sequential model has no input shape yet.
    """
    function = _function(model)
    if function is None:
        raise TypeError(
            f"Model '{model.name}' ({type(model).__name__}) has no graph of layers: only Sequential and Functional "
            "models can be analysed. Call its layers on a keras.Input and build a keras.Model from that."
        )
    tracer = _Tracer()
    outputs = tracer.run(function, tuple(function.inputs), "")
    return Graph(tuple(function.inputs), outputs, tuple(tracer.calls), tuple(tracer.models))


def _function(model: Any) -> Any:
    """The graph behind a model; None for a layer, an operation, or a model without a graph."""
    if isinstance(model, keras.Sequential):
        if model._functional is None:
            raise ValueError(f"Model '{model.name}' has no input shape: add a keras.Input, or call build().")
        return model._functional
    return model if isinstance(model, keras.Function) and hasattr(model, "_nodes_by_depth") else None


class _Tracer:
    """Follows the calls of a model and of the models inside it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.models: list[Call] = []
        self.counts: dict[int, int] = {}

    def run(self, function: Any, inputs: Sequence[keras.KerasTensor], prefix: str) -> tuple[keras.KerasTensor, ...]:
        """Follows one call of a model on `inputs`; returns its outputs."""
        actual = {id(own): given for own, given in zip(function.inputs, inputs, strict=True)}
        for node in _nodes(function):
            if all(id(tensor) in actual for tensor in node.input_tensors):
                outputs = self.call(node, actual, prefix)
                actual.update(zip(map(id, node.output_tensors), outputs, strict=True))
        return tuple(actual[id(output)] for output in function.outputs)

    def call(self, node: Any, actual: Mapping[int, keras.KerasTensor], prefix: str) -> tuple[keras.KerasTensor, ...]:
        """Follows the call that `node` recorded. `actual` maps the ids of recorded tensors to those of this call."""
        layer, name = node.operation, prefix + node.operation.name
        inputs = tuple(actual[id(tensor)] for tensor in node.input_tensors)
        arguments = node.arguments.fill_in(actual)
        function = _function(layer)
        outputs = self.run(function, inputs, f"{name}/") if function else _outputs(node, inputs, arguments)
        index = self.counts.get(id(layer), 0)
        self.counts[id(layer)] = index + 1
        record = self.calls if function is None else self.models
        record.append(Call(name, layer, index, inputs, outputs, arguments))
        return outputs


def _nodes(function: Any) -> Iterator[Any]:
    """The recorded calls of a graph, without the nodes of its inputs."""
    for depth in sorted(function._nodes_by_depth, reverse=True):
        yield from (node for node in function._nodes_by_depth[depth] if not node.is_input)


def _outputs(node: Any, inputs: Sequence[keras.KerasTensor], arguments: Any) -> tuple[keras.KerasTensor, ...]:
    """New output tensors of a call, with the recorded shapes, or with new ones if the inputs have other shapes."""
    if [tensor.shape for tensor in inputs] == [tensor.shape for tensor in node.input_tensors]:
        specs = node.output_tensors
    else:
        args, kwargs = arguments
        specs = keras.tree.flatten(node.operation.compute_output_spec(*args, **kwargs))
    return tuple(keras.KerasTensor(spec.shape, spec.dtype) for spec in specs)
