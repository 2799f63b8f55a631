"""The part of a Keras model that computes one layer, with or without the layer's activation function."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from cnn_models.analysis.execution import outputs_of
from cnn_models.analysis.graph import Call, Graph

RECTIFIERS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.PReLU)


@dataclasses.dataclass(frozen=True)
class PartialModel:
    """The part of a model that computes one tensor, at inference.

    A `keras.Model` cannot be built for tensors inside nested models.

    Attributes:
        start: the input of the model.
        calls: the calls that the tensor depends on, in the order of computation.
        end: the tensor.
    """

    start: keras.KerasTensor
    calls: tuple[Call, ...]
    end: keras.KerasTensor

    def __call__(self, pictures: Any) -> Any:
        """The values of the tensor for a batch of pictures."""
        # Integers have no gradient; layers accept real numbers in their place.
        real = keras.backend.is_float_dtype(self.start.dtype)
        inputs = keras.ops.cast(pictures, self.start.dtype) if real else pictures
        made: dict[int, Any] = {id(self.start): inputs}
        for call in self.calls:
            made.update(zip(map(id, call.outputs), outputs_of(call, made), strict=True))
        return made[id(self.end)]


def _part(graph: Graph, end: keras.KerasTensor) -> PartialModel:
    """The part of a model that computes a tensor."""
    needed, calls = {id(end)}, []
    for call in reversed(graph.calls):
        if needed & set(map(id, call.outputs)):
            needed |= set(map(id, call.inputs))
            calls.append(call)
    return PartialModel(graph.inputs[0], tuple(reversed(calls)), end)


@contextlib.contextmanager
def up_to(graph: Graph, target: Call, before_activation: bool) -> Iterator[PartialModel]:
    """Yields the model up to a call. Within the block, its activation function is removed if `before_activation`."""
    if before_activation and isinstance(target.layer, RECTIFIERS):
        yield _part(graph, target.inputs[0])
        return
    own = getattr(target.layer, "activation", None)
    if before_activation and own is not None:
        target.layer.activation = keras.activations.linear
    try:
        yield _part(graph, target.outputs[0])
    finally:
        if own is not None:
            target.layer.activation = own


def rectifies(layer: Any) -> bool:
    """Whether a layer replaces negative values by 0."""
    if isinstance(layer, keras.layers.ReLU):
        return layer.negative_slope == 0 and layer.threshold == 0
    return getattr(layer, "activation", None) in (keras.activations.relu, keras.activations.relu6)
