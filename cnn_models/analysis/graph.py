"""Lists the calls of a Keras model in the order of computation.

The unit of analysis is a call, because a shared layer is called several times. Nested models are opened, and so are
custom layers if asked; what is inside gets names like `backbone/conv1`. Keras 3 has no public interface for its graph,
so this module, `cnn_models.analysis.opening` and `cnn_models.analysis.symbolic` use its private attributes. A few other
modules read a private attribute of one kind of layer, where nothing public tells the same.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras
from keras.src.models.functional import Functional

from cnn_models.analysis.opening import Opened, is_loop, opened, opened_model, sized

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
        inputs: the input tensors; shapes begin with the batch, which is None where it is that of the model.
        outputs: the output tensors.
        arguments: positional and keyword arguments, including the tensors.
        order: number of calls of layers before this call has ended.
        makers: the calls that made the tensors before this one, by the tensors' ids.
    """

    name: str
    layer: Any
    index: int
    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    arguments: tuple[tuple[Any, ...], Mapping[str, Any]]
    order: int = 0
    makers: Mapping[int, "Call"] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    @property
    def rank(self) -> int:
        """Number of axes of the first input, including the batch."""
        return len(self.inputs[0].shape)


def data_format(layer: Any) -> str | None:
    """Where a layer or operation has the channels, `channels_first` or `channels_last`; None: it does not say."""
    if not hasattr(layer, "data_format"):
        return None
    return layer.data_format or keras.config.image_data_format()


def sizes(tensor: keras.KerasTensor) -> list[int | None]:
    """The shape of a tensor for one picture; the first axis has as many rows as the picture has, usually one."""
    return [tensor.shape[0] or 1, *tensor.shape[1:]] if tensor.shape else []


def channels(call: Call) -> int:
    """The axis of the input that holds the channels, as the layer's `data_format` says."""
    return 1 if data_format(call.layer) == "channels_first" else call.rank - 1


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
    for kind in type(layer).__mro__ if table else ():
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
        models: all calls of nested models and opened layers; the calls of their layers are in `calls`.
        constants: tensors that no call makes, as they depend on no input: position embeddings, say.
    """

    inputs: tuple[keras.KerasTensor, ...]
    outputs: tuple[keras.KerasTensor, ...]
    calls: tuple[Call, ...]
    models: tuple[Call, ...]
    constants: tuple[keras.KerasTensor, ...] = ()


InputShape = Sequence[int | None] | Mapping[str, Sequence[int | None]]
"""The shape of an input without the batch, or shapes by the names of the inputs."""


def trace(
    model: keras.Model, leaf: Callable[[Any], bool] | None = None, input_shape: InputShape | None = None
) -> Graph:
    """Lists the calls of a model.

    Args:
        model: the model.
        input_shape: the shape of inputs of which not all sizes are known; one shape is for all inputs that it fits.
        leaf: whether a layer is one whole; other layers are opened where that is possible. None: no layer is opened,
            only nested models.

    Raises:
        TypeError: the model is a subclass with its own `call`, which cannot be opened.
        ValueError: a Sequential model has no input shape yet, or `input_shape` fits no input.
    """
    function = _function(model)
    whole = opened_model(model, leaf) if leaf and function is None else None
    function = function or whole
    if function is None:
        raise TypeError(_no_graph(model))
    batch = function.inputs[0].shape[0] if function.inputs[0].shape else None
    inputs = tuple(_for_one(tensor, batch) for tensor in function.inputs)
    if input_shape is not None:
        inputs = _with_shapes(inputs, input_shape)
    tracer = _Tracer(leaf or (lambda layer: True), batch)
    outputs = tuple(each for each in tracer.run(function, inputs, "") if each is not None)
    if whole:
        tracer.models.append(Call(model.name, model, 0, inputs, outputs, ((), {}), len(tracer.calls)))
    return Graph(inputs, outputs, tuple(tracer.calls), tuple(tracer.models), tuple(tracer.constants))


def _for_one(tensor: keras.KerasTensor, batch: int | None) -> keras.KerasTensor:
    """A tensor without the fixed size of the model's batch."""
    if batch in (None, 1) or not tensor.shape or tensor.shape[0] != batch:
        return tensor
    return keras.KerasTensor((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name)


def _with_shapes(inputs: Sequence[keras.KerasTensor], given: InputShape) -> tuple[keras.KerasTensor, ...]:
    """The inputs with the sizes that a user gives.

    Raises:
        ValueError: a shape fits no input.
    """
    shapes = given if isinstance(given, Mapping) else {}
    result = []
    for tensor in inputs:
        shape = tuple(tensor.shape[1:])
        new = tuple(shapes.get(tensor.name, shape) if isinstance(given, Mapping) else given)
        fits = len(new) == len(shape) and all(n in (None, m) for n, m in zip(shape, new, strict=True))
        if tensor.name in shapes and not fits:
            raise ValueError(f"Input '{tensor.name}' has the shape {shape}, which {new} does not fit.")
        shaped = keras.KerasTensor((tensor.shape[0], *new), tensor.dtype, name=tensor.name) if fits else tensor
        result.append(shaped)
    if not any(new is not old for new, old in zip(result, inputs, strict=True)):
        known = ", ".join(f"'{tensor.name}' {tuple(tensor.shape[1:])}" for tensor in inputs)
        raise ValueError(f"The shape {given} fits none of the inputs: {known}.")
    return tuple(result)


def _no_graph(model: Any) -> str:
    kind = f"Model '{model.name}' ({type(model).__name__})"
    if not model.built:
        return f"{kind} has no graph of layers and no input shape yet: call it once, on data of the shape in question."
    return (
        f"{kind} has no graph of layers, and calling it on a keras.Input does not work, as when its `call` uses "
        "another library than keras.ops. Call its layers on a keras.Input and build a keras.Model from that."
    )


def _function(model: Any) -> Any:
    """The graph behind a model; None for a layer, an operation, or a model without a graph."""
    if isinstance(model, keras.Sequential):
        if model._functional is None:
            raise ValueError(f"Model '{model.name}' has no input shape: add a keras.Input, or call build().")
        return model._functional
    if isinstance(model, keras.Model) and type(model).call is not Functional.call:
        return None
    return model if isinstance(model, keras.Function) and hasattr(model, "_nodes_by_depth") else None


class _Tracer:
    """Follows the calls of a model and of the models and layers inside it."""

    def __init__(self, leaf: Callable[[Any], bool], batch: int | None) -> None:
        self.leaf = leaf
        self.batch = batch
        self.calls: list[Call] = []
        self.models: list[Call] = []
        self.counts: dict[int, int] = {}
        self.makers: dict[int, Call] = {}
        self.constants: list[keras.KerasTensor] = []

    def run(
        self, function: Any, inputs: Sequence[keras.KerasTensor], prefix: str
    ) -> tuple[keras.KerasTensor | None, ...]:
        """Follows one call of a model, or of a layer that was opened, on `inputs`; returns its outputs.

        None stands for an output that a layer does not make, though Keras recorded it.
        """
        opening = function if isinstance(function, Opened) else None
        actual = {id(own): given for own, given in zip(function.inputs, inputs, strict=True)}
        for node in _nodes(function):
            if all(id(tensor) in actual for tensor in node.input_tensors):
                inner = opening.prefixes.get(id(node), "") if opening else ""
                outputs = self.call(node, actual, prefix + inner)
                pairs = zip(node.output_tensors, outputs, strict=True)
                actual.update((id(own), made) for own, made in pairs if made is not None)
        for name, layer, tensors in opening.inside if opening else ():
            made = tuple(actual[id(tensor)] for tensor in tensors if id(tensor) in actual)
            index = self.count(layer)
            self.models.append(Call(prefix + name, layer, index, (), made, ((), {}), len(self.calls)))
        return tuple(actual[id(each)] if id(each) in actual else self.constant(each) for each in function.outputs)

    def constant(self, value: Any) -> keras.KerasTensor | None:
        """A tensor for an output of an opened layer that does not depend on its inputs; None for None."""
        if value is None:
            return None
        tensor = keras.KerasTensor(tuple(value.shape), keras.backend.standardize_dtype(value.dtype))
        self.constants.append(tensor)
        return tensor

    def call(
        self, node: Any, actual: Mapping[int, keras.KerasTensor], prefix: str
    ) -> tuple[keras.KerasTensor | None, ...]:
        """Follows the call that `node` recorded. `actual` maps the ids of recorded tensors to those of this call."""
        layer, name = node.operation, prefix + node.operation.name
        inputs = tuple(actual[id(tensor)] for tensor in node.input_tensors)
        arguments = node.arguments.fill_in(actual)
        function = _function(layer)
        given = inputs
        if function is None and (isinstance(layer, keras.Layer) or is_loop(layer)) and not self.leaf(layer):
            function = opened(layer, arguments, self.leaf)
            given = tuple(_symbolic(arguments))
        index = self.count(layer)
        outputs = self.run(function, given, f"{name}/") if function else self.outputs(node, inputs, arguments)
        made = tuple(each for each in outputs if each is not None)
        record = self.calls if function is None else self.models
        call = Call(name, layer, index, inputs, made, arguments, len(self.calls), makers=self.makers)
        record.append(call)
        if function is None:
            self.makers.update((id(tensor), call) for tensor in made)
        return outputs if len(outputs) == len(node.output_tensors) else made

    def count(self, layer: Any) -> int:
        """The number of this call of a layer."""
        index = self.counts.get(id(layer), 0)
        self.counts[id(layer)] = index + 1
        return index

    def outputs(self, node: Any, inputs: Sequence[keras.KerasTensor], arguments: Any) -> tuple[keras.KerasTensor, ...]:
        """New output tensors of a call, with the recorded shapes, or with new ones if the inputs have other shapes."""
        if all(_alike(given.shape, recorded.shape) for given, recorded in zip(inputs, node.input_tensors, strict=True)):
            specs = [_for_one(tensor, self.batch) for tensor in node.output_tensors]
        else:
            args, kwargs = arguments
            spec = node.operation.compute_output_spec(*args, **kwargs)
            specs = keras.tree.flatten(sized(node.operation, spec, args))
        # With a name, because Keras would otherwise make one, which takes longer than all else here.
        return tuple(keras.KerasTensor(_shape_for_one(node, inputs, s.shape), s.dtype, name=s.name) for s in specs)


def _symbolic(arguments: Any) -> list[keras.KerasTensor]:
    """The symbolic tensors among some arguments, each once."""
    tensors = [each for each in keras.tree.flatten(arguments) if isinstance(each, keras.KerasTensor)]
    return list({id(tensor): tensor for tensor in tensors}.values())


def _nodes(function: Any) -> Iterator[Any]:
    """The recorded calls of a graph, without the nodes of its inputs."""
    if isinstance(function, Opened):
        yield from function.nodes
        return
    for depth in sorted(function._nodes_by_depth, reverse=True):
        yield from (node for node in function._nodes_by_depth[depth] if not node.is_input)


def _alike(given: Sequence[int | None], recorded: Sequence[int | None]) -> bool:
    """Whether two shapes are equal but for the batch, which may be unknown in one of them."""
    return tuple(given[1:]) == tuple(recorded[1:]) and len(given) == len(recorded)


def _shape_for_one(
    node: Any, inputs: Sequence[keras.KerasTensor], shape: Sequence[int | None]
) -> tuple[int | None, ...]:
    """The shape of an output for one picture. The first axis is None for one row, as it mostly is.

    A reshape can make rows of the windows of a picture, and a picture of rows; the layer `Reshape` does not.
    """
    if not shape:
        return ()
    if type(node.operation).__name__ == "Reshape" and not isinstance(node.operation, keras.Layer):
        given: Sequence[int | None] = inputs[0].shape
        old = [size for size in given[1:] if size is not None]
        new = [size for size in shape[1:] if size is not None]
        before, after = math.prod([given[0] or 1, *old]), math.prod(new)
        if len(old) == len(given) - 1 and len(new) == len(shape) - 1 and after:
            rows = before // after
            return (rows if rows > 1 else None, *shape[1:])
    pairs = zip(inputs, node.input_tensors, strict=True)
    kept = [tensor.shape[0] or 1 for tensor, recorded in pairs if recorded.shape and recorded.shape[0] == shape[0]]
    rows = max(kept, default=shape[0] or 1)
    return (rows if rows > 1 else None, *shape[1:])
