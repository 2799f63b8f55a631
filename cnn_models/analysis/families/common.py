"""What the rules of all families share."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.graph import Call

Sees = Callable[[Call, Sequence[ReceptiveField]], ReceptiveField | Sequence[ReceptiveField]]
"""A rule: from a call and the fields of its inputs, the field of its output, or one for each output."""
Kinds = Mapping[Sees, Sequence[Any]]
"""The layers and operations that a rule is for: classes, or qualified names of classes that Keras does not export."""


class UnknownError(TypeError):
    """A layer is used in a way that its rule does not cover; the message says which, without the layer's name."""


def of_layers(names: str) -> list[Any]:
    """Keras's layers of these names; those that the installed version lacks are left out."""
    return [getattr(layers, name) for name in names.split() if hasattr(layers, name)]


def of_operations(module: str, names: str) -> list[str]:
    """The qualified names of operations in a module of `keras.src.ops`."""
    return [f"keras.src.ops.{module}.{name}" for name in names.split()]


def argument(call: Call, name: str, default: Any = None) -> Any:
    """The value of an argument of a call, by the name of the parameter of the layer's `call`."""
    positional, named = call.arguments
    signature = inspect.signature(call.layer.call)
    own = {key: value for key, value in named.items() if key in signature.parameters}  # without Keras's `training`
    return signature.bind(*positional, **own).arguments.get(name, default)


def computed(value: Any) -> bool:
    """Whether an argument is computed from the model's inputs, and is no weight or constant."""
    return isinstance(value, keras.KerasTensor)


def field_of(value: Any, call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The field of an argument of a call; that of a weight or constant is one that sees nothing."""
    for tensor, field in zip(call.inputs, fields, strict=True):
        if tensor is value:
            return field
    return ReceptiveField.unseen([axis.length for axis in fields[0].axes])


def axes_of(axes: int | Iterable[int] | None, rank: int) -> list[int]:
    """Axes without negative numbers; all axes if None."""
    if axes is None:
        return list(range(rank))
    return [int(axis) % rank for axis in ([axes] if isinstance(axes, int) else axes)]


def activated(call: Call, field: ReceptiveField) -> ReceptiveField:
    """A softmax reads the whole last axis; other activation functions work element by element."""
    mixing = (keras.activations.softmax, keras.activations.log_softmax, getattr(keras.activations, "sparsemax", None))
    activation = getattr(call.layer, "activation", None)
    if activation is not None and activation in mixing:
        return field.mixed({len(call.outputs[0].shape) - 1})
    return field


def without(rank: int, reduced: Iterable[int], keepdims: bool) -> dict[int, int | None]:
    """The new numbers of a tensor's axes after some are reduced."""
    gone = set() if keepdims else set(reduced)
    kept = [axis for axis in range(rank) if axis not in gone]
    return {axis: place for place, axis in enumerate(kept)}


def touches(field: ReceptiveField, place: int) -> bool:
    """Whether units differ along an axis of the tensor."""
    return any(place in line.places for part in field.parts for line in part)
