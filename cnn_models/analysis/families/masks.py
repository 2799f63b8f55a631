"""Attention masks: which positions a mask admits, as far as it is the same for every input.

A mask that is computed from the input alone, as for padding, may admit all positions. A constant one, such as a causal
mask, excludes some of them whatever the input is. In models, both are combined by a few operations, through which the
least and the greatest value at each position is followed.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from cnn_models.analysis.families.common import UnknownError, axes_of, computed, touches
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.meeting import meet
from cnn_models.analysis.geometry.sampling import Prefix, Sampling, Table, Window
from cnn_models.analysis.graph import Call

Admitted = np.ndarray | None
"""The positions that a mask may admit, a Boolean array; None: all."""
Range = tuple[np.ndarray, np.ndarray]
"""The least and the greatest value that a tensor can have at each position, whatever the input is; both broadcast."""
_MOST = 1 << 24
"""Larger masks are not looked at."""
_BY_SHAPE = {"OnesLike": 1.0, "ZerosLike": 0.0}
"""Operations whose result depends on the shape of their operand alone, with its value."""
_MOVED = ("ExpandDims", "BroadcastTo", "Reshape", "Squeeze", "Transpose", "GetItem", "ConvertToTensor", "Copy")


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
    values = _range(mask, call)[1] > 0.5
    return None if values.all() else values


def _range(value: Any, call: Call) -> Range:
    """The range of a value: a symbolic tensor, a constant, or a number."""
    if not computed(value):
        constant = np.asarray(keras.ops.convert_to_numpy(value)).astype(np.float32)
        return constant, constant
    maker = call.makers.get(id(value))
    if maker is not None:
        kind = type(maker.layer).__name__
        if kind in _BY_SHAPE:
            return _same(_BY_SHAPE[kind], _BY_SHAPE[kind])
        if kind in _RANGES:
            return _RANGES[kind](*(_range(each, maker) for each in _operands(maker)))
        if kind in _MOVED and len(maker.inputs) == 1:
            return _moved(maker)
        if kind == "Concatenate":
            return _joined(maker)
        if kind == "Cast":
            inner = _range(maker.inputs[0], maker)
            return _truth(inner) if value.dtype == "bool" else inner
        if restricts(value, call):
            raise UnknownError(f"with a mask that {kind} makes of a constant")
    return _same(0.0, 1.0) if value.dtype == "bool" else _same(-np.inf, np.inf)


def _same(low: float, high: float) -> Range:
    """A range that is the same everywhere."""
    return np.array(low, np.float32), np.array(high, np.float32)


def _operands(call: Call) -> list[Any]:
    """The tensors and numbers among the arguments of a call."""
    arguments = keras.tree.flatten((call.arguments[0], dict(call.arguments[1])))
    return [each for each in arguments if _is_array(each) or isinstance(each, int | float)]


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape")


def _truth(values: Range) -> Range:
    """Whether values differ from zero, as 0 and 1."""
    low, high = values
    return ((low > 0) | (high < 0)).astype(np.float32), ((low < 0) | (high > 0)).astype(np.float32)


def _negative(values: Range) -> Range:
    return -values[1], -values[0]


def _not(values: Range) -> Range:
    low, high = _truth(values)
    return 1 - high, 1 - low


def _sum(left: Range, right: Range) -> Range:
    return left[0] + right[0], left[1] + right[1]


def _product(left: Range, right: Range) -> Range:
    with np.errstate(invalid="ignore"):
        ends = [np.nan_to_num(one * other, nan=0.0, posinf=np.inf, neginf=-np.inf) for one in left for other in right]
    return functools.reduce(np.minimum, ends), functools.reduce(np.maximum, ends)


def _both(left: Range, right: Range) -> Range:
    return np.minimum(left[0], right[0]), np.minimum(left[1], right[1])


def _either(left: Range, right: Range) -> Range:
    return np.maximum(left[0], right[0]), np.maximum(left[1], right[1])


def _greater(left: Range, right: Range) -> Range:
    return (left[0] > right[1]).astype(np.float32), (left[1] > right[0]).astype(np.float32)


def _at_least(left: Range, right: Range) -> Range:
    return _not(_greater(right, left))


def _equal(left: Range, right: Range) -> Range:
    """Equal for certain if both are known and equal; perhaps, if neither is greater for certain."""
    certain = (left[0] == left[1]) & (right[0] == right[1]) & (left[0] == right[0])
    return certain.astype(np.float32), 1 - np.maximum(_greater(left, right)[0], _greater(right, left)[0])


def _chosen(condition: Range, left: Range, right: Range) -> Range:
    """Of the first where the condition can be true, and of the second where it can be false."""
    never, may = 1 - _truth(condition)[1], _truth(condition)[1] * (1 - _truth(condition)[0])
    ends = [np.where(never > 0, other, one) for one, other in zip(left, right, strict=True)]
    low = np.where(may > 0, np.minimum(left[0], right[0]), ends[0])
    return low, np.where(may > 0, np.maximum(left[1], right[1]), ends[1])


_RANGES: Mapping[str, Callable[..., Range]] = {
    **dict.fromkeys(("LogicalAnd", "BitwiseAnd"), lambda left, right: _both(_truth(left), _truth(right))),
    **dict.fromkeys(("LogicalOr", "BitwiseOr"), lambda left, right: _either(_truth(left), _truth(right))),
    "Minimum": _both,
    "Maximum": _either,
    "LogicalNot": _not,
    "Negative": _negative,
    "Add": _sum,
    "Subtract": lambda left, right: _sum(left, _negative(right)),
    "Multiply": _product,
    "Greater": _greater,
    "GreaterEqual": _at_least,
    "Less": lambda left, right: _greater(right, left),
    "LessEqual": lambda left, right: _at_least(right, left),
    "Equal": _equal,
    "NotEqual": lambda left, right: _not(_equal(left, right)),
    "Where": _chosen,
}
"""How operations change ranges, by the names of their classes."""


def _filled(values: Range, shape: Sequence[int | None]) -> Range:
    """A range of the shape of its tensor, for one picture; one that is the same everywhere stays a number.

    Raises:
        UnknownError: a size is not known.
    """
    if all(end.ndim == 0 for end in values):
        return values
    if None in shape[1:]:
        raise UnknownError("with a mask of unknown size")
    low, high = (np.broadcast_to(end, (shape[0] or 1, *shape[1:])) for end in values)  # type: ignore[arg-type]
    return low, high


def _joined(maker: Call) -> Range:
    """The values of masks that are joined along an axis."""
    operands = _operands(maker)
    parts = [_range(each, maker) for each in operands]
    if all(low.ndim == high.ndim == 0 for low, high in parts) and len({high > 0.5 for _, high in parts}) == 1:
        return np.min([low for low, _ in parts]), np.max([high for _, high in parts])
    wide = [(np.atleast_1d(low), np.atleast_1d(high)) for low, high in parts]
    ends = [_filled(part, each.shape) for part, each in zip(wide, operands, strict=True)]
    low, high = (np.concatenate(each, axis=maker.layer.axis) for each in zip(*ends, strict=True))
    return low, high


def _moved(maker: Call) -> Range:
    """The values after an operation that only moves or repeats them."""
    operand = maker.inputs[0]
    low, high = _filled(_range(operand, maker), operand.shape)
    if low.ndim == 0:
        return low, high

    def moved(values: np.ndarray) -> np.ndarray:
        given = keras.tree.map_structure(lambda each: values if each is operand else each, maker.arguments)
        return np.asarray(keras.ops.convert_to_numpy(maker.layer.call(*given[0], **given[1])))

    try:
        return moved(low), moved(high)
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
            if maker and type(maker.layer).__name__ not in _BY_SHAPE:
                waiting += keras.tree.flatten((maker.arguments[0], dict(maker.arguments[1])))
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
