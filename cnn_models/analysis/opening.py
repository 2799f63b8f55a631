"""Opens custom layers and subclassed models: calls them on symbolic tensors and returns the graph of what they did.

Like `cnn_models.analysis.graph`, this module uses private attributes of Keras 3, which has no public ones for graphs.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.ops import core

from cnn_models.analysis.symbolic import completed

_NAMES = "object_name_uids"
_AT_ONCE = tuple(getattr(core, name) for name in ("VectorizedMap",) if hasattr(core, name))  # not in Keras 3.10
_MOST_ROWS = 256
"""Loops over more rows are not opened."""
Leaf = Callable[[Any], bool]
"""Whether a layer is one whole, which is not opened."""
Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


@dataclasses.dataclass
class Opened:
    """The graph of one call of a layer, for a batch of one.

    Attributes:
        inputs: the symbolic tensors among the arguments of the call, in their order.
        outputs: the outputs, None among them; those that are constants, or depend on the shapes of the inputs alone,
            are no symbolic tensors.
        nodes: the recorded calls of layers and operations, in the order of computation.
        prefixes: for the id of each recorded call, the names of the opened layers inside this layer that contain it.
        inside: the opened layers inside this layer, each with its name and its outputs.
    """

    inputs: list[keras.KerasTensor]
    outputs: list[Any]
    nodes: list[Any]
    prefixes: dict[int, str]
    inside: list[tuple[str, Any, list[keras.KerasTensor]]]


def opened(layer: Any, arguments: Arguments, leaf: Leaf) -> Opened | None:
    """Opens one call of a layer.

    Args:
        layer: a layer or model whose `call` works on symbolic tensors, that is, uses Keras's layers and operations; or
            an operation that calls a function for each row.
        arguments: positional and keyword arguments of the call; symbolic tensors say with which shapes.
        leaf: whether a layer inside is not opened.

    Returns:
        The graph; None if the layer cannot be opened.
    """
    positional, named = arguments
    inputs: dict[int, keras.KerasTensor] = {}

    def fresh(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        if id(value) not in inputs:
            shape = (value.shape[0] or 1, *value.shape[1:]) if value.shape else ()
            inputs[id(value)] = keras.Input(batch_shape=shape, dtype=value.dtype, name=f"argument_{len(inputs)}")
        return inputs[id(value)]

    with _own_names():
        given = keras.tree.map_structure(fresh, (positional, dict(named)))
        opener = _Opener(leaf)
        try:
            with opener.calls_in_line():
                outputs = _call(layer, *given)
            return opener.graph(list(inputs.values()), keras.tree.flatten(outputs))
        except Exception:  # whatever a layer's own code raises on symbolic tensors
            return None


def opened_model(model: keras.Model, leaf: Leaf) -> Opened | None:
    """The graph of a subclassed model, on the shapes with which it was built; None if it cannot be opened."""
    if isinstance(model, keras.Function):  # a functional model whose class overrides `call`
        return opened(model, ((model._inputs_struct,), {}), leaf)
    shapes = model._build_shapes_dict
    if not shapes:
        return None
    inputs = {
        name.removesuffix("_shape"): keras.tree.map_shape_structure(lambda shape: keras.KerasTensor(shape), each)
        for name, each in shapes.items()
    }
    values = list(inputs.values())
    return opened(model, (tuple(values), {}) if len(values) == 1 else ((), inputs), leaf)


def _call(layer: Any, positional: Sequence[Any], named: dict[str, Any]) -> Any:
    """The symbolic outputs of a layer at inference."""
    if is_loop(layer):
        return _unrolled(layer, *positional)
    if isinstance(layer, keras.layers.TimeDistributed):  # it works on NumPy's shapes, so it is written anew
        (inputs,) = positional
        steps = keras.ops.reshape(inputs, (-1, *inputs.shape[2:]))
        outputs = layer.layer(steps)
        return keras.ops.reshape(outputs, (1, -1, *outputs.shape[1:]))
    if getattr(layer, "_call_has_training_arg", False):
        named = {**named, "training": False}
        positional = positional[: list(layer.call_signature_parameters).index("training")]
    else:  # Keras drops the argument, too, where a layer does not take it
        named = {name: value for name, value in named.items() if name != "training"}
    return layer.call(*positional, **named)


def is_loop(operation: Any) -> bool:
    """Whether an operation calls a function for each row of its tensors."""
    return isinstance(operation, (core.Map, *_AT_ONCE))


def _unrolled(loop: Any, *arguments: Any) -> Any:
    """The outputs of `keras.ops.map`, whose first argument is the function, or of `vectorized_map`, row by row."""
    function, rows = (loop.function, *arguments) if isinstance(loop, _AT_ONCE) else arguments
    count = keras.tree.flatten(rows)[0].shape[0]
    if count > _MOST_ROWS:
        raise OverflowError("A loop has too many rows.")
    made = [function(keras.tree.map_structure(lambda tensor: tensor[i], rows)) for i in range(count)]  # noqa: B023
    return keras.tree.map_structure(lambda *results: keras.ops.stack(results), *made)


class _Opener:
    """Follows the calls inside a layer, also through the custom layers that it contains."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf
        self.path: list[str] = []
        self.prefixes: dict[int, str] = {}
        self.inside: list[tuple[str, Any, list[keras.KerasTensor]]] = []

    @contextlib.contextmanager
    def calls_in_line(self) -> Iterator[None]:
        """Within the block, calling a custom layer on symbolic tensors executes its `call`, where that works.

        Keras itself computes only the shapes of its outputs, and cannot record a call that returns None among them.
        """
        usual = keras.Layer.__call__
        opener = self

        def call(layer: Any, *positional: Any, **named: Any) -> Any:
            symbolic = any(isinstance(each, keras.KerasTensor) for each in keras.tree.flatten((positional, named)))
            if not symbolic or isinstance(layer, keras.Function) or opener.leaf(layer):
                return sized(layer, usual(layer, *positional, **named), positional)
            if not layer.built:  # as a layer that another one makes in its `call`; Keras builds it now
                try:
                    return usual(layer, *positional, **named)
                except Exception:  # whatever a layer's own code raises on symbolic tensors
                    if not layer.built:
                        raise
            return opener.enter(layer, positional, named, usual)

        keras.Layer.__call__ = call
        try:
            with completed():
                yield
        finally:
            keras.Layer.__call__ = usual

    def enter(self, layer: Any, positional: Sequence[Any], named: dict[str, Any], usual: Callable[..., Any]) -> Any:
        """Executes the call of a custom layer; records it as a whole if that fails."""
        self.path.append(layer.name)
        prefix = "".join(f"{name}/" for name in self.path)
        try:
            outputs = _call(layer, positional, named)
        except Exception:  # whatever a layer's own code raises on symbolic tensors
            return usual(layer, *positional, **named)
        finally:
            self.path.pop()
        tensors = [each for each in keras.tree.flatten(outputs) if isinstance(each, keras.KerasTensor)]
        given = [each for each in keras.tree.flatten((positional, named)) if isinstance(each, keras.KerasTensor)]
        for node in _behind(tensors, {id(tensor) for tensor in given}):
            self.prefixes.setdefault(id(node), prefix)
        self.inside.append((prefix.rstrip("/"), layer, tensors))
        return outputs

    def graph(self, inputs: list[keras.KerasTensor], outputs: list[Any]) -> Opened:
        """The graph between symbolic tensors."""
        nodes = _behind([each for each in outputs if isinstance(each, keras.KerasTensor)])
        for node in nodes:
            _forget(node)
        return Opened(inputs, outputs, nodes, self.prefixes, self.inside)


def sized(layer: Any, output: Any, given: Sequence[Any]) -> Any:
    """The symbolic output of a call, with the sizes that Keras leaves open.

    An EinsumDense whose `output_shape` contains None makes tensors of unknown size of tensors of known size.
    """
    if type(layer) is not keras.layers.EinsumDense or not isinstance(output, keras.KerasTensor):
        return output
    (first, _, result) = layer.equation.replace("->", ",").split(",")
    if None in output.shape[1:] and given and "." not in layer.equation:
        known = dict(zip(first, given[0].shape, strict=True))
        pairs = zip(result, output.shape, strict=True)
        output._shape = tuple(known.get(letter) if size is None else size for letter, size in pairs)
    return output


def _forget(node: Any) -> None:
    """Leaves layers as they were before a call: a layer with two calls would have no one `output`."""
    makers = [tensor._keras_history.operation for tensor in node.input_tensors]
    for recorded in (node.operation._inbound_nodes, *(maker._outbound_nodes for maker in makers)):
        if node in recorded:
            recorded.remove(node)


def _behind(outputs: Sequence[keras.KerasTensor], until: Collection[int] = ()) -> list[Any]:
    """The recorded calls that made some tensors, in the order of computation.

    Args:
        outputs: the tensors.
        until: ids of tensors that are not followed.
    """
    nodes: dict[int, Any] = {}
    reached: set[int] = set()
    waiting: list[Any] = list(outputs)
    while waiting:
        each = waiting.pop()
        if not isinstance(each, keras.KerasTensor):  # a call, all of whose inputs have been made
            nodes.setdefault(id(each), each)
        elif id(each) not in reached and id(each) not in until:
            reached.add(id(each))
            made = each._keras_history
            node = made.operation._inbound_nodes[made.node_index]
            if not node.is_input:
                waiting += [node, *node.input_tensors]
    return list(nodes.values())


@contextlib.contextmanager
def _own_names() -> Iterator[None]:
    """Within the block, Keras numbers new layers and operations from 0; afterwards, as if there had been none."""
    before = global_state.get_global_attribute(_NAMES)
    global_state.set_global_attribute(_NAMES, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAMES, before)
