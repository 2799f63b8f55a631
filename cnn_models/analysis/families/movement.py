"""Operations that only move units: reshapes, transpositions, slices, splits, padding, rolling, repeating, joining."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from cnn_models.analysis.families.common import (
    Kinds,
    UnknownError,
    argument,
    axes_of,
    computed,
    field_of,
    of_layers,
    of_operations,
    touches,
    without,
)
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.meeting import meet
from cnn_models.analysis.geometry.sampling import Flipped, Mirrored, Resampling, Rolled, Sampling, Table, Window
from cnn_models.analysis.graph import Call


def _flatten(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The field of the whole vector; those of its elements are not distinguished."""
    return fields[0].collapsed(range(1, call.rank)) if call.rank > 2 else fields[0]


def _reshape(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    before, after = call.inputs[0].shape, call.outputs[0].shape
    if len(after) == 2 and len(before) > 2 and (before[0] or 1) == (after[0] or 1):
        return _flatten(call, fields)
    return fields[0].reshaped(before, after)


def _permuted(call: Call, field: ReceptiveField, order: Sequence[int]) -> ReceptiveField:
    """Axis i of the result is axis `order[i]` of the tensor."""
    return field.moved({source % call.rank: place for place, source in enumerate(order)})


def _permute(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return _permuted(call, fields[0], (0, *call.layer.dims))


def _transpose(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return _permuted(call, fields[0], call.layer.axes or range(call.rank)[::-1])


def _by_numpy(change: Callable[[np.ndarray, Any], np.ndarray]) -> Callable[..., ReceptiveField]:
    """The rule of an operation that permutes axes, as NumPy's operation of the same name does."""

    def rule(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
        moved = change(np.empty(range(1, call.rank + 1)), call.layer)
        return _permuted(call, fields[0], [size - 1 for size in moved.shape])

    return rule


_swapaxes = _by_numpy(lambda tensor, layer: np.swapaxes(tensor, layer.axis1, layer.axis2))
_moveaxis = _by_numpy(lambda tensor, layer: np.moveaxis(tensor, layer.source, layer.destination))


def _expand(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    rank = len(call.outputs[0].shape)
    new = set(axes_of(call.layer.axis, rank))
    old = [axis for axis in range(rank) if axis not in new]
    return fields[0].moved(dict(enumerate(old)))


def _squeeze(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    shape = call.inputs[0].shape
    axis = call.layer.axis
    gone = [i for i, n in enumerate(shape) if n == 1] if axis is None else axes_of(axis, call.rank)
    return fields[0].moved(without(call.rank, gone, False))


def _repeat_vector(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].moved({1: 2})


# Slices.


def sliced(field: ReceptiveField, axis: int, positions: Any, size: int | None) -> ReceptiveField:
    """The units at some positions along an axis: a slice, or a list of positions.

    Args:
        field: the field.
        axis: the axis of the tensor.
        positions: a slice, or non-negative positions.
        size: size of the axis; None if not known.
    """
    if not touches(field, axis) or positions == slice(None):
        return field
    if isinstance(positions, slice):
        if size is None:
            return field.through({axis: _open_slice(positions)})
        positions = range(size)[positions]
    elif size is None:
        raise UnknownError("on an axis of unknown size")
    assert size is not None
    if isinstance(positions, range) and len(positions) and positions.step > 0:
        after = positions[-1] + 1 - size
        return field.through({axis: Window(stride=positions.step, before=-positions[0], after=after)})
    if isinstance(positions, range) and positions == range(size)[::-1]:
        return field.through({axis: Flipped(size)})
    return field.through({axis: Table(tuple((int(position) % size,) for position in positions))})


def _open_slice(positions: slice) -> Window:
    """The window of a slice of an axis of unknown size.

    Raises:
        UnknownError: it takes other positions for every size.
    """
    start, stop, step = positions.start or 0, positions.stop, positions.step or 1
    if start < 0 or step < 0 or (stop is not None and stop >= 0):
        raise UnknownError("on an axis of unknown size")
    return Window(stride=step, before=-start, after=stop or 0)


def selected(field: ReceptiveField, axis: int, index: int, size: int | None, rank: int) -> ReceptiveField:
    """The units at one position along an axis; the axis is gone."""
    positions = slice(index, None) if size is None else [index % size]
    if size is None and touches(field, axis):
        raise UnknownError("on an axis of unknown size")
    return sliced(field, axis, positions, size).moved(without(rank, [axis], False))


def _getitem(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    key = argument(call, "key")
    keys = list(key) if isinstance(key, tuple | list) else [key]
    if any(not (each is None or each is Ellipsis or isinstance(each, int | slice)) for each in keys):
        raise UnknownError("indexed by a tensor")
    named = sum(each is not None and each is not Ellipsis for each in keys)
    rest: list[Any] = [slice(None)] * (call.rank - named)
    at = next((i for i, each in enumerate(keys) if each is Ellipsis), None)
    keys = keys + rest if at is None else keys[:at] + rest + keys[at + 1 :]
    field, axis, rank, shape = fields[0], 0, call.rank, list(call.inputs[0].shape)
    for each in keys:
        if each is None:
            field = field.moved({i: i + (i >= axis) for i in range(rank)})
            shape.insert(axis, 1)
            rank, axis = rank + 1, axis + 1
        elif isinstance(each, slice):
            field = sliced(field, axis, each, shape[axis])
            axis += 1
        else:
            field = selected(field, axis, each, shape.pop(axis), rank)
            rank -= 1
    return field


def _slice(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """keras.ops.slice: as many positions from the start as the result has."""
    field = fields[0]
    for axis, (start, count) in enumerate(zip(argument(call, "start_indices"), call.outputs[0].shape, strict=True)):
        size = call.inputs[0].shape[axis]
        if count is not None and count != size:
            field = sliced(field, axis, slice(int(start), int(start) + count), size)
    return field


def _split(call: Call, fields: Sequence[ReceptiveField]) -> list[ReceptiveField]:
    (axis,) = axes_of(call.layer.axis, call.rank)
    counts = [output.shape[axis] for output in call.outputs]
    starts = [None if None in counts[:i] else sum(counts[:i]) for i in range(len(counts))]
    size = call.inputs[0].shape[axis]
    if not touches(fields[0], axis):
        return [fields[0]] * len(counts)
    if size is None or None in counts:
        raise UnknownError("along an axis of unknown size")
    return [sliced(fields[0], axis, slice(s, s + n), size) for s, n in zip(starts, counts, strict=True)]


def _unstack(call: Call, fields: Sequence[ReceptiveField]) -> list[ReceptiveField]:
    (axis,) = axes_of(call.layer.axis, call.rank)
    size = call.inputs[0].shape[axis]
    return [selected(fields[0], axis, index, size, call.rank) for index in range(len(call.outputs))]


def _take(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Rows of a constant table by computed numbers (an embedding), or constant positions of a tensor."""
    table, indices, axis = argument(call, "x"), argument(call, "indices"), call.layer.axis
    if computed(table) and computed(indices):
        return _looked_up(call, fields)
    if computed(indices):
        place = 0 if axis is None else axis % len(table.shape)
        return fields[0].moved({i: i + place for i in range(len(indices.shape))})
    if axis is None:
        raise UnknownError("of a flattened tensor")
    positions = np.asarray(keras.ops.convert_to_numpy(indices))
    (axis,) = axes_of(axis, call.rank)
    size = call.inputs[0].shape[axis]
    if positions.ndim == 0:
        return selected(fields[0], axis, int(positions), size, call.rank)
    taken = sliced(fields[0], axis, positions.reshape(-1).tolist(), size)
    if positions.ndim > 1 and touches(taken, axis):
        before = call.inputs[0].shape
        return taken.reshaped((*before[:axis], positions.size, *before[axis + 1 :]), call.outputs[0].shape)
    return taken.moved({i: i if i < axis else i + positions.ndim - 1 for i in range(call.rank)})


def _looked_up(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Positions that are computed from the input may be any along the axis."""
    table, indices, axis = argument(call, "x"), argument(call, "indices"), call.layer.axis
    place, rank, more = 0 if axis is None else axis % len(table.shape), len(table.shape), len(indices.shape)
    of_table = field_of(table, call, fields).collapsed(range(rank) if axis is None else {place})
    of_table = of_table.moved({i: i if i < place else i + more - 1 for i in range(rank)})
    of_indices = field_of(indices, call, fields).moved({i: i + place for i in range(more)})
    return meet([of_table, of_indices], shape=call.outputs[0].shape)


def _take_along_axis(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """As `_looked_up`, with positions of their own for each unit of the other axes."""
    table, indices, axis = argument(call, "x"), argument(call, "indices"), call.layer.axis
    if not computed(indices) or axis is None:
        raise UnknownError("at constant positions, or of a flattened tensor")
    of_table = field_of(table, call, fields).collapsed(axes_of(axis, len(table.shape)))
    return meet([of_table, field_of(indices, call, fields)], shape=call.outputs[0].shape)


def _scatter(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Each unit may be replaced by any of the updates."""
    names = [name for name in ("inputs", "indices", "values", "updates") if argument(call, name) is not None]
    given = [(argument(call, name), name) for name in names]
    seen = [(field_of(each, call, fields), len(each.shape), name) for each, name in given if hasattr(each, "shape")]
    parts = [field if name == "inputs" else field.collapsed(range(rank)) for field, rank, name in seen]
    return meet(parts, shape=call.outputs[0].shape)


# Padding, rolling, repeating.


def _pad(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    widths = list(call.layer.pad_width)
    pairs = widths * call.rank if len(widths) == 1 else widths
    kinds: dict[str, Callable[[int, int], Sampling]] = {
        "constant": lambda before, after: Window(before=before, after=after),
        "reflect": lambda before, after: Mirrored(before=before, after=after),
        "symmetric": lambda before, after: Mirrored(before=before, after=after, twice=True),
    }
    if call.layer.mode not in kinds:
        raise UnknownError(f"with the mode '{call.layer.mode}'")
    kind = kinds[call.layer.mode]
    return fields[0].through({axis: kind(*pair) for axis, pair in enumerate(pairs) if tuple(pair) != (0, 0)})


def _roll(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    if call.layer.axis is None:
        raise UnknownError("of a flattened tensor")
    axes = axes_of(call.layer.axis, call.rank)
    shifts = [call.layer.shift] * len(axes) if isinstance(call.layer.shift, int) else call.layer.shift
    return fields[0].through({axis: Rolled(int(shift)) for axis, shift in zip(axes, shifts, strict=True)})


def _flip(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    field = fields[0]
    for axis in axes_of(call.layer.axis, call.rank):
        field = sliced(field, axis, slice(None, None, -1), call.inputs[0].shape[axis])
    return field


def _repeat(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    if call.layer.axis is None or not isinstance(call.layer.repeats, int):
        raise UnknownError("by different numbers, or of a flattened tensor")
    (axis,) = axes_of(call.layer.axis, call.rank)
    return fields[0].through({axis: Resampling(call.layer.repeats)})


def _tile(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    repeats = call.layer.repeats
    repeats = [repeats] if isinstance(repeats, int) else list(repeats)
    rank = len(call.outputs[0].shape)
    field = fields[0].moved({axis: axis + rank - call.rank for axis in range(call.rank)})
    for axis, times in zip(range(rank - len(repeats), rank), repeats, strict=True):
        size = call.inputs[0].shape[axis - rank + call.rank] if axis >= rank - call.rank else 1
        if times != 1 and touches(field, axis):
            field = sliced(field, axis, list(range(size)) * times, size)
    return field


def _broadcast(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    shape = call.outputs[0].shape
    field = fields[0].moved({axis: axis + len(shape) - call.rank for axis in range(call.rank)})
    return meet([field, ReceptiveField.unseen([axis.length for axis in field.axes])], shape=shape)


# Joining.


def _tensors(call: Call) -> list[Any]:
    """The tensors that are joined: computed ones, weights and constants."""
    positional, named = call.arguments
    return keras.tree.flatten((positional, dict(named)))


def _concatenate(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    axis = call.layer.axis % call.rank
    tensors = [each for each in _tensors(call) if hasattr(each, "shape")]
    return meet([field_of(each, call, fields) for each in tensors], axis, [each.shape[axis] for each in tensors])


def _stack(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    tensors = [each for each in _tensors(call) if hasattr(each, "shape")]
    (axis,) = axes_of(call.layer.axis, call.rank + 1)
    places = {i: i + (i >= axis) for i in range(call.rank)}
    new = [field_of(each, call, fields).moved(places) for each in tensors]
    return meet(new, axis, [1] * len(new), apart=True)


def _joined(axis: int) -> Callable[..., ReceptiveField]:
    """The rule of hstack, vstack and dstack for tensors that have this axis."""

    def rule(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
        if call.rank <= axis:
            raise UnknownError("of tensors with few axes")
        tensors = [each for each in _tensors(call) if hasattr(each, "shape")]
        return meet([field_of(each, call, fields) for each in tensors], axis, [each.shape[axis] for each in tensors])

    return rule


def _unchanged(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0]


def _nothing(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The result depends on the shape alone."""
    return ReceptiveField.unseen([axis.length for axis in fields[0].axes])


def _one_hot(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    rank = call.rank + 1
    new = call.layer.axis % rank
    return fields[0].moved({i: i + (i >= new) for i in range(call.rank)})


KINDS: Kinds = {
    _flatten: of_layers("Flatten"),
    _reshape: [*of_layers("Reshape"), *of_operations("numpy", "Reshape")],
    _permute: of_layers("Permute"),
    _transpose: of_operations("numpy", "Transpose"),
    _swapaxes: of_operations("numpy", "Swapaxes"),
    _moveaxis: of_operations("numpy", "Moveaxis"),
    _expand: of_operations("numpy", "ExpandDims"),
    _squeeze: of_operations("numpy", "Squeeze"),
    _repeat_vector: of_layers("RepeatVector"),
    _getitem: of_operations("numpy", "GetItem"),
    _slice: of_operations("core", "Slice"),
    _split: of_operations("numpy", "Split ArraySplit"),
    _unstack: of_operations("core", "Unstack"),
    _take: of_operations("numpy", "Take"),
    _take_along_axis: of_operations("numpy", "TakeAlongAxis"),
    _scatter: of_operations("core", "Scatter ScatterUpdate SliceUpdate"),
    _pad: of_operations("numpy", "Pad"),
    _roll: of_operations("numpy", "Roll"),
    _flip: of_operations("numpy", "Flip"),
    _repeat: of_operations("numpy", "Repeat"),
    _tile: of_operations("numpy", "Tile"),
    _broadcast: of_operations("numpy", "BroadcastTo"),
    _concatenate: [*of_layers("Concatenate"), *of_operations("numpy", "Concatenate")],
    _stack: of_operations("numpy", "Stack"),
    _joined(0): of_operations("numpy", "Vstack"),
    _joined(1): of_operations("numpy", "Hstack"),
    _joined(2): of_operations("numpy", "Dstack"),
    _unchanged: of_layers("Embedding"),
    _one_hot: of_operations("nn", "OneHot"),
    _nothing: of_operations("numpy", "OnesLike ZerosLike FullLike EmptyLike"),
}
