"""Attention masks: which positions a mask admits, as far as it is the same for every input.

A mask that is computed from the input alone, as for padding, may admit all positions. A constant one, such as a causal
mask, excludes some of them whatever the input is. In models, both are combined by a few operations.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from cnn_models.analysis.families.common import UnknownError, axes_of, computed, touches
from cnn_models.analysis.fields import ReceptiveField, meet
from cnn_models.analysis.graph import Call
from cnn_models.analysis.sampling import Prefix, Sampling, Table, Window

Admitted = np.ndarray | None
"""The positions that a mask may admit, a Boolean array; None: all."""
_MOST = 1 << 24
"""Larger masks are not looked at."""
_EITHER: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "LogicalAnd": np.logical_and,
    "BitwiseAnd": np.logical_and,
    "Minimum": np.logical_and,
    "Multiply": np.logical_and,
}
_BOTH = {"LogicalOr": np.logical_or, "BitwiseOr": np.logical_or, "Maximum": np.logical_or}
_MOVED = ("Cast", "ExpandDims", "BroadcastTo", "Reshape", "Squeeze", "Transpose", "GetItem", "ConvertToTensor", "Copy")


def admitted(mask: Any, call: Call) -> Admitted:
    """The positions that a mask may admit.

    Args:
        mask: an argument of the call: a symbolic tensor, a constant, or None for no mask.
        call: the call.

    Raises:
        UnknownError: the mask contains a constant that may exclude positions, in a way that has no rule.
    """
    if mask is None:
        return None
    if not computed(mask):
        return _constant(mask)
    maker = call.makers.get(id(mask))
    if maker is None:
        return None  # an input of the model
    kind = type(maker.layer).__name__
    operands = [each for each in keras.tree.flatten((maker.arguments[0], dict(maker.arguments[1]))) if _is_array(each)]
    if kind in _EITHER or kind in _BOTH:
        return _combined(kind, [admitted(each, maker) for each in operands])
    if kind in _MOVED and len(operands) == 1:
        inner = admitted(operands[0], maker)
        return None if inner is None else _moved(maker, operands[0], inner)
    if kind == "Concatenate":
        return _joined(maker, operands)
    if restricts(mask, call):
        raise UnknownError(f"with a mask that {kind} makes of a constant")
    return None


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape")


def _constant(mask: Any) -> Admitted:
    values = np.asarray(keras.ops.convert_to_numpy(mask)) > 0.5
    return None if values.all() else values


def _combined(kind: str, parts: Sequence[Admitted]) -> Admitted:
    """The positions that all parts admit, or that any of them does."""
    known = [part for part in parts if part is not None]
    if kind in _BOTH and len(known) < len(parts):
        return None
    combine = _BOTH.get(kind) or _EITHER[kind]
    result: Admitted = None
    for part in known:
        result = part if result is None else combine(result, part)
    return result


def _joined(maker: Call, operands: Sequence[Any]) -> Admitted:
    """The values of masks that are joined along an axis."""
    parts = [(admitted(each, maker), (1, *each.shape[1:])) for each in operands]
    if all(part is None for part, _ in parts):
        return None
    if any(part is None and None in shape for part, shape in parts):
        raise UnknownError("with a mask of unknown size")
    whole = [np.ones(shape, bool) if part is None else np.broadcast_to(part, shape) for part, shape in parts]
    return np.concatenate(whole, axis=maker.layer.axis)


def _moved(maker: Call, operand: Any, values: np.ndarray) -> Admitted:
    """The values after an operation that only moves or repeats them."""
    given = keras.tree.map_structure(lambda each: values if each is operand else each, maker.arguments)
    try:
        return np.asarray(keras.ops.convert_to_numpy(maker.layer.call(*given[0], **given[1]))) > 0.5
    except Exception as error:  # as where a shape depends on the batch
        raise UnknownError("with a mask whose shape depends on the batch") from error


def restricts(mask: Any, call: Call) -> bool:
    """Whether a mask is or contains a constant that excludes positions whatever the input is, such as a causal mask."""
    waiting, seen = [mask], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not _is_array(value):
            continue
        seen.add(id(value))
        if computed(value):
            maker = call.makers.get(id(value))
            waiting += keras.tree.flatten((maker.arguments[0], dict(maker.arguments[1]))) if maker else []
        elif len(np.unique(keras.ops.convert_to_numpy(value))) > 1:
            return True
    return False


def rows(masks: Sequence[Admitted], queries: int | None, keys: int | None) -> Sampling | None:
    """Which keys each query reads behind some masks; None: all.

    Args:
        masks: what the masks admit, `(…, queries, keys)` each. Other axes, such as heads, are united.
        queries: the number of queries.
        keys: the number of keys.

    Raises:
        UnknownError: a number is not known or too large.
    """
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    if queries is None or keys is None or queries * keys > _MOST:
        raise UnknownError("with a mask of unknown or very large size")
    seen = np.ones((queries, keys), bool)
    for mask in known:
        seen &= np.broadcast_to(mask.reshape(-1, *mask.shape[-2:]).any(axis=0) if mask.ndim > 2 else mask, seen.shape)
    seen |= ~seen.any(axis=1, keepdims=True)  # where all scores are equally low, all values are averaged
    return None if seen.all() else _sampling(seen)


def _sampling(seen: np.ndarray) -> Sampling:
    """The sampling of a table of queries and keys: all before, a window, or any."""
    queries, keys = seen.shape
    places, positions = np.nonzero(seen)
    offsets = positions - places
    low, high = int(offsets.min()), int(offsets.max())
    grid = np.arange(keys) - np.arange(queries)[:, np.newaxis]
    if queries == keys and np.array_equal(seen, (grid >= low) & (grid <= high)):
        return Prefix() if (low, high) == (1 - keys, 0) else Window(high - low + 1, before=-low, after=high)
    return Table(tuple(tuple(map(int, np.flatnonzero(row))) for row in seen))


def routed(field: ReceptiveField, seen: Sampling | None, rank: int) -> ReceptiveField:
    """What each query reads of a tensor `(…, queries, keys)`; afterwards, units differ along the queries alone.

    Args:
        field: the field of the tensor.
        seen: which keys each query reads; None: all.
        rank: the number of axes of the tensor.

    Raises:
        UnknownError: a part of the field differs along both axes.
    """
    query, key = rank - 2, rank - 1
    if seen is None:
        return field.collapsed({key})
    places = {**{axis: axis for axis in range(rank)}, key: query}
    parts = [ReceptiveField((part,), field.unknown) for part in field.parts]
    if any(touches(part, key) and touches(part, query) for part in parts):
        raise UnknownError("with a mask, of scores that depend on neighbours")
    return meet([part.through({key: seen}).moved(places) if touches(part, key) else part for part in parts])


def softmax_mask(call: Call) -> Any:
    """The mask of a call of the layer Softmax; None if it has none."""
    positional, named = call.arguments
    return named.get("mask", positional[1] if len(positional) > 1 else None)


def softmax_rows(call: Call) -> Sampling | None:
    """Which positions along the last axis a masked softmax admits for each position along the one before; None: all.

    Raises:
        UnknownError: the softmax is along another axis, or it is not known what the mask excludes.
    """
    mask = admitted(softmax_mask(call), call)
    if mask is None:
        return None
    if axes_of(call.layer.axis, call.rank) != [call.rank - 1]:
        raise UnknownError("with a mask, along another axis than the last")
    return rows([mask], *call.inputs[0].shape[-2:])


_SAME = ("Dropout", "Cast", "Identity")


def weighted(tensor: Any, call: Call) -> Sampling | None:
    """If a tensor holds the weights of a masked attention: which keys have a weight for each query; otherwise None."""
    maker = call.makers.get(id(tensor))
    while maker is not None and type(maker.layer).__name__ in _SAME:
        maker = call.makers.get(id(maker.inputs[0]))
    if maker is None or not isinstance(maker.layer, keras.layers.Softmax):
        return None
    return softmax_rows(maker)
