"""Opens custom layers and subclassed models: calls them on symbolic tensors and returns the graph of what they did.

Like `cnn_models.analysis.graph`, this module uses private attributes of Keras 3, which has no public ones for graphs.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
from keras.src.backend.common import global_state

_NAMES = "object_name_uids"


def opened(layer: Any, arguments: tuple[tuple[Any, ...], Mapping[str, Any]]) -> keras.Function | None:
    """The graph of one call of a layer, for a batch of one.

    Args:
        layer: a layer or model whose `call` works on symbolic tensors, that is, uses Keras's layers and operations.
        arguments: positional and keyword arguments of the call; symbolic tensors say with which shapes.

    Returns:
        The graph. Its inputs have the names `argument_0`, `argument_1`, … after the symbolic tensors among the
        arguments; those that the layer does not use are missing. None if the layer cannot be opened.
    """
    positional, named = arguments
    with _own_names():
        inputs: dict[int, keras.KerasTensor] = {}

        def fresh(value: Any) -> Any:
            if not isinstance(value, keras.KerasTensor):
                return value
            if id(value) not in inputs:
                shape = (value.shape[0] or 1, *value.shape[1:])
                name = f"argument_{len(inputs)}"
                inputs[id(value)] = keras.Input(batch_shape=shape, dtype=value.dtype, name=name)
            return inputs[id(value)]

        given = keras.tree.map_structure(fresh, (positional, dict(named)))
        try:
            outputs = _call(layer, *given)
            return _function(list(inputs.values()), keras.tree.flatten(outputs))
        except Exception:  # whatever a layer's own code raises on symbolic tensors
            return None


def opened_model(model: keras.Model) -> keras.Function | None:
    """The graph of a subclassed model, on the shapes with which it was built; None if it cannot be opened."""
    if isinstance(model, keras.Function):  # a functional model whose class overrides `call`
        return opened(model, ((model._inputs_struct,), {}))
    shapes = model._build_shapes_dict
    if not shapes:
        return None
    inputs = {
        name.removesuffix("_shape"): keras.tree.map_shape_structure(lambda shape: keras.KerasTensor(shape), each)
        for name, each in shapes.items()
    }
    values = list(inputs.values())
    return opened(model, (tuple(values), {}) if len(values) == 1 else ((), inputs))


def _call(layer: Any, positional: Sequence[Any], named: dict[str, Any]) -> Any:
    """The symbolic outputs of a layer at inference."""
    if isinstance(layer, keras.layers.TimeDistributed):  # it works on NumPy's shapes, so it is written anew
        (inputs,) = positional
        steps = keras.ops.reshape(inputs, (-1, *inputs.shape[2:]))
        outputs = layer.layer(steps)
        return keras.ops.reshape(outputs, (1, -1, *outputs.shape[1:]))
    if getattr(layer, "_call_has_training_arg", False):
        named = {**named, "training": False}
        positional = positional[: list(layer.call_signature_parameters).index("training")]
    return layer.call(*positional, **named)


def _function(inputs: Sequence[keras.KerasTensor], outputs: Sequence[keras.KerasTensor]) -> keras.Function | None:
    """The graph between symbolic tensors; None if an output depends on none of the inputs."""
    reached, nodes = _behind(outputs)
    used = [tensor for tensor in inputs if id(tensor) in reached]
    try:
        return keras.Function(used, list(outputs)) if used else None
    finally:
        for node in nodes:
            _forget(node)


def _forget(node: Any) -> None:
    """Leaves layers as they were before a call: a layer with two calls would have no one `output`."""
    makers = [tensor._keras_history.operation for tensor in node.input_tensors]
    for recorded in (node.operation._inbound_nodes, *(maker._outbound_nodes for maker in makers)):
        if node in recorded:
            recorded.remove(node)


def _behind(outputs: Sequence[Any]) -> tuple[set[int], list[Any]]:
    """The ids of all tensors that some tensors depend on, and the recorded calls that made them."""
    reached: set[int] = set()
    nodes: dict[int, Any] = {}
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in reached:
            continue
        reached.add(id(tensor))
        made = tensor._keras_history
        node = made.operation._inbound_nodes[made.node_index]
        if not node.is_input:
            nodes[id(node)] = node
            waiting += node.input_tensors
    return reached, list(nodes.values())


@contextlib.contextmanager
def _own_names() -> Iterator[None]:
    """Within the block, Keras numbers new layers and operations from 0; afterwards, as if there had been none."""
    before = global_state.get_global_attribute(_NAMES)
    global_state.set_global_attribute(_NAMES, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAMES, before)
