"""Runs the calls of a model one after another, on the backend that Keras has, and measures how long each takes."""

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from cnn_models.analysis.graph import Call, Graph


def outputs_of(call: Call, values: Mapping[int, Any]) -> list[Any]:
    """What one call makes at inference.

    Args:
        call: the call.
        values: the values of the tensors before it, by the ids of the symbolic tensors.

    Returns:
        The values of `call.outputs`.
    """
    arguments, options = keras.tree.map_structure(lambda each: values.get(id(each), each), call.arguments)
    if isinstance(call.layer, keras.Layer):
        options = {**options, "training": False}
    return keras.tree.flatten(call.layer(*arguments, **options))


def seconds(graph: Graph, batch: int = 1, repeats: int = 5) -> list[float | None]:
    """How long each call takes by itself, on random pictures.

    Layers run one at a time, as Keras calls them eagerly: the sum is more than a compiled model takes.

    Args:
        graph: a model, whose inputs have known sizes.
        batch: number of pictures.
        repeats: how often each call is measured, after one run that is not.

    Returns:
        The median of each of `graph.calls`, in seconds; None for a call that cannot be run by itself.

    Raises:
        ValueError: the size of an input is not known.
    """
    values = {id(tensor): _random(tensor, batch) for tensor in graph.inputs}
    uses = Counter(id(tensor) for call in graph.calls for tensor in call.inputs)
    found: list[float | None] = []
    for call in graph.calls:
        try:
            outputs, median = _measured(call, values, repeats)
        except Exception:  # a layer may raise anything; those that need its output cannot run either
            outputs, median = [], None
        values.update(zip(map(id, call.outputs), outputs, strict=False))
        found.append(median)
        uses.subtract(map(id, call.inputs))
        for tensor in call.inputs:
            if uses[id(tensor)] <= 0:
                values.pop(id(tensor), None)
    return found


def _measured(call: Call, values: Mapping[int, Any], repeats: int) -> tuple[list[Any], float]:
    """The outputs of a call, and the median of its seconds."""
    outputs = outputs_of(call, values)
    _wait(outputs)
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        _wait(outputs_of(call, values))
        took.append(time.perf_counter() - began)
    return outputs, statistics.median(took)


def _wait(outputs: Sequence[Any]) -> None:
    """Waits until values are there: some backends return before."""
    for output in outputs:
        keras.ops.convert_to_numpy(output)


def _random(tensor: keras.KerasTensor, batch: int) -> Any:
    """Random values for an input: real numbers from 0 to 1, whole numbers 0 or 1."""
    sizes = tensor.shape[1:]
    if None in sizes:
        raise ValueError(
            f"The size of input '{tensor.name}', {tuple(sizes)}, is not known: give one, as input_shape=(224, 224, 3) "
            "or --input 224,224,3."
        )
    generator = np.random.default_rng(0)
    real = keras.backend.is_float_dtype(tensor.dtype)
    drawn = generator.random((batch, *sizes)) if real else generator.integers(0, 2, (batch, *sizes))
    return keras.ops.convert_to_tensor(drawn, dtype=tensor.dtype)
