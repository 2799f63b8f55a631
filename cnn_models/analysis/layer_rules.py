"""The rules of Keras's layers (see `cnn_models.analysis.rules`), one function for each family of layers.

A rule says which units a layer reads, not with which weights. At inference, activations, dropout and batch
normalisation change nothing. Every activation function except softmax is assumed to work element by element.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from cnn_models.analysis.fields import ReceptiveField, meet
from cnn_models.analysis.graph import Call, channels, operands, spatial
from cnn_models.analysis.sampling import Groups, Mirrored, Resampling, Sampling, Transposed, Window, same
from cnn_models.layers.blur import BlurPool2D
from cnn_models.layers.lecun1998 import RBFOutput, SparseConv2D, TrainableSubsampling2D
from cnn_models.layers.local import LocallyConnected

Sees = Callable[[Call, Sequence[ReceptiveField]], ReceptiveField]


def _activated(call: Call, field: ReceptiveField) -> ReceptiveField:
    """A softmax reads the whole last axis; other activation functions work element by element."""
    mixing = (keras.activations.softmax, keras.activations.log_softmax, keras.activations.sparsemax)
    if getattr(call.layer, "activation", None) in mixing:
        return field.mixed({len(call.outputs[0].shape) - 1})
    return field


def _unchanged(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0]


def _elementwise(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Element-wise layers and operations. A tensor with fewer axes is extended after the batch (broadcasting)."""
    rank = len(call.outputs[0].shape)
    aligned = []
    for tensor, field in zip(call.inputs, fields, strict=True):
        shift = rank - len(tensor.shape)
        aligned.append(field.moved({axis: axis + shift for axis in range(len(tensor.shape))}) if shift else field)
    return _activated(call, meet(aligned))


def _windows(call: Call, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> dict[int, Sampling]:
    """One window for each spatial axis, with the layer's padding."""
    result: dict[int, Sampling] = {}
    for axis, k, s, d in zip(spatial(call), kernel, stride, dilation, strict=True):
        match call.layer.padding:
            case "same":
                result[axis] = same(k, s, d, call.inputs[0].shape[axis])
            case "causal":
                result[axis] = Window(k, s, d, before=(k - 1) * d)
            case _:
                result[axis] = Window(k, s, d)
    return result


def _convolution(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    windows = _windows(call, call.layer.kernel_size, call.layer.strides, call.layer.dilation_rate)
    return _activated(call, _by_group(call, fields[0].through(windows)))


def _by_group(call: Call, field: ReceptiveField) -> ReceptiveField:
    """A convolution reads all channels; with `groups`, each output channel reads those of its group."""
    axis, groups = channels(call), getattr(call.layer, "groups", 1)
    if groups == 1:
        return field.collapsed({axis})
    return field.through({axis: Groups(call.inputs[0].shape[axis] // groups, call.layer.filters // groups)})


def _depthwise(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    windows = _windows(call, call.layer.kernel_size, call.layer.strides, call.layer.dilation_rate)
    windows[channels(call)] = Resampling(call.layer.depth_multiplier)
    return _activated(call, fields[0].through(windows))


def _pooling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    ones = (1,) * len(call.layer.pool_size)
    return fields[0].through(_windows(call, call.layer.pool_size, call.layer.strides, ones))


def _transposed(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """TensorFlow's transposed convolution is the gradient of a convolution, so `same` crops its output."""
    layer = call.layer
    more = layer.output_padding or (None,) * len(layer.kernel_size)
    result: dict[int, Sampling] = {}
    sizes = zip(spatial(call), layer.kernel_size, layer.strides, layer.dilation_rate, more, strict=True)
    for axis, kernel, stride, dilation, extra in sizes:
        extent = (kernel - 1) * dilation + 1
        if layer.padding == "same":
            last = stride if extra is None else extent % 2 + extra
            result[axis] = Transposed(kernel, stride, dilation, crop=max(extent - last, 0) // 2, extra=last)
        else:
            last = max(extent, stride) if extra is None else extent + extra
            result[axis] = Transposed(kernel, stride, dilation, crop=0, extra=last)
    return _activated(call, fields[0].through(result).collapsed({channels(call)}))


def _upsampling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    radii = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}
    radius = radii[getattr(call.layer, "interpolation", "nearest")]
    factors = call.layer.size if isinstance(call.layer.size, tuple) else (call.layer.size,)
    return fields[0].through(
        {axis: Resampling(factor, radius) for axis, factor in zip(spatial(call), factors, strict=True)}
    )


def _border(call: Call, fields: Sequence[ReceptiveField], amounts: Any, sign: int) -> ReceptiveField:
    """Padding by zeros (sign 1) or cropping (sign -1)."""
    pairs = (amounts,) if isinstance(amounts[0], int) else amounts
    windows = {
        axis: Window(before=sign * before, after=sign * after)
        for axis, (before, after) in zip(spatial(call), pairs, strict=True)
    }
    return fields[0].through(windows)


def _padding(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return _border(call, fields, call.layer.padding, 1)


def _cropping(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return _border(call, fields, call.layer.cropping, -1)


def _own_convolution(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    window = Window(call.layer.kernel_size)
    return fields[0].through({1: window, 2: window}).collapsed({3})


def _own_subsampling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].through({1: Window(2, 2), 2: Window(2, 2)})


def _local(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    windows = _windows(call, call.layer.kernel_size, call.layer.strides, (1,) * call.layer.rank)
    return _activated(call, fields[0].through(windows).collapsed({call.rank - 1}))


def _blur(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    before, after = call.layer.borders
    kind = Mirrored if call.layer.padding == "reflect" else Window
    window = kind(call.layer.size, call.layer.strides, before=before, after=after)
    return fields[0].through({1: window, 2: window})


def _dense(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """A dense layer reads the whole last axis, which holds the channels unless a Flatten came first."""
    return _activated(call, fields[0].collapsed({call.rank - 1}))


def _flatten(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The field of the whole vector; those of its elements are not distinguished."""
    return fields[0].collapsed({*range(1, call.rank), None}) if call.rank > 2 else fields[0]


def _without(rank: int, reduced: Iterable[int], keepdims: bool) -> dict[int, int | None]:
    """The new numbers of a tensor's axes after some are reduced."""
    kept = [axis for axis in range(rank) if keepdims or axis not in set(reduced)]
    return {axis: place for place, axis in enumerate(kept)}


def _global_pooling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    reduced = spatial(call)
    return fields[0].collapsed(reduced).moved(_without(call.rank, reduced, call.layer.keepdims))


def _reduction(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """keras.ops.mean, max, min and sum."""
    axes = range(call.rank) if call.layer.axis is None else _axes(call.layer.axis, call.rank)
    return fields[0].collapsed(axes).moved(_without(call.rank, axes, call.layer.keepdims))


def _axes(axes: int | Iterable[int], rank: int) -> list[int]:
    return [axis % rank for axis in ([axes] if isinstance(axes, int) else axes)]


def _along_axis(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Normalisations and softmax: a unit reads all units along the layer's `axis`."""
    return fields[0].mixed(_axes(call.layer.axis, call.rank))


def _group_normalisation(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Mean and variance, also at inference, are taken over one group along `axis` and all positions of other axes."""
    (axis,) = _axes(call.layer.axis, call.rank)
    members = call.inputs[0].shape[axis] // call.layer.groups
    others = [other for other in range(1, call.rank) if other != axis]
    return fields[0].mixed(others).through({axis: Groups(members, members)})


def _concatenate(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    axis = call.layer.axis % call.rank
    return meet(fields, axis, [tensor.shape[axis] for tensor in call.inputs])


def _dot(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The contracted axes are read completely; along the other axes, units are not distinguished."""
    rank = max(len(tensor.shape) for tensor in call.inputs)
    axes = (call.layer.axes,) * 2 if isinstance(call.layer.axes, int) else call.layer.axes
    pairs = zip(fields, call.inputs, axes, strict=True)
    contracted = [field.collapsed(_axes(axis, len(tensor.shape))) for field, tensor, axis in pairs]
    return meet([field.moved({}, shuffled=range(rank)) for field in contracted])


def _attention(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Each query reads all positions of keys and values. Masks and sliding windows are not supported.

    Raises:
        TypeError: the call has a mask or a sliding window, or returns scores.
    """
    named = {name for name, value in call.arguments[1].items() if value is not None and value is not False}
    masked = named & {"mask", "attention_mask", "query_mask", "value_mask", "key_mask", "use_causal_mask"}
    if masked or len(call.outputs) > 1 or getattr(call.layer, "_sliding_window", None):
        raise TypeError(
            f"Layer '{call.name}' is a {type(call.layer).__name__} with {', '.join(sorted(masked)) or 'more'}, and no "
            f"rule says what it sees then. Pass one: rules = {{{type(call.layer).__name__}: Rule(sees=...)}}"
        )
    axes = getattr(call.layer, "attention_axes", None) or (call.rank - 2,)
    seen = {id(tensor): field for tensor, field in zip(call.inputs, fields, strict=True)}
    query, value, key = (seen[id(tensor)] for tensor in operands(call))
    last = {call.rank - 1}
    if query is value is key:  # this is exact even if the order of the positions is unknown
        return query.mixed(axes).collapsed(last)
    value = value if isinstance(call.layer, layers.Attention) else value.collapsed(last)
    return meet([query.collapsed(last), key.collapsed({*axes, *last}), value.collapsed(axes)])


def _matrix_product(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Rows of the first operand are multiplied with columns of the second; other axes are combined element-wise."""
    rank = len(call.outputs[0].shape)
    seen = {id(tensor): field for tensor, field in zip(call.inputs, fields, strict=True)}
    result = []
    for operand, contracted in zip(call.arguments[0], (-1, -2), strict=True):
        size = len(operand.shape)
        if size < 2:
            raise TypeError(f"Operation '{call.name}' multiplies by a vector, and no rule says what it sees then.")
        if id(operand) in seen:
            field = seen[id(operand)].collapsed({size + contracted})
            result.append(field.moved({axis: axis + rank - size for axis in range(size)}))
    return meet(result)


def _permute(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].moved({source: place for place, source in enumerate(call.layer.dims, start=1)})


def _repeat_vector(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].moved({1: 2})


def _reshape(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Axes at either end that keep their length stay; the axes between are rearranged."""
    before, after = call.inputs[0].shape[1:], call.outputs[0].shape[1:]
    if len(after) == 1 and len(before) > 1:
        return _flatten(call, fields)
    head = tail = 0
    if _comparable(before, after):
        head = _common(before, after)
        tail = _common(before[head:][::-1], after[head:][::-1])
    places: dict[int, int | None] = {axis: axis for axis in range(1, head + 1)}
    places |= {len(before) - i: len(after) - i for i in range(tail)}
    middle = range(head + 1, len(before) - tail + 1)
    target = [axis for axis in range(head + 1, len(after) - tail + 1) if after[axis - 1] != 1]
    long = [axis for axis in middle if before[axis - 1] != 1]
    places |= {axis: target[0] for axis in long if len(target) == 1}
    return fields[0].moved(places, shuffled=long)


def _common(before: Sequence[int | None], after: Sequence[int | None]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _comparable(before: Sequence[int | None], after: Sequence[int | None]) -> bool:
    """Whether equal entries of two shapes mean equal lengths: at most one is unknown, and the known sizes agree."""
    known = [[n for n in shape if n is not None] for shape in (before, after)]
    return all(len(n) >= len(s) - 1 for n, s in zip(known, (before, after), strict=True)) and (
        math.prod(known[0]) == math.prod(known[1])
    )


def _names(module: str, names: str) -> list[str]:
    return [f"keras.src.{module}.{name}" for name in names.split()]


_KINDS: dict[Sees, Sequence[Any]] = {
    _convolution: [layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.SeparableConv1D, layers.SeparableConv2D],
    _depthwise: [layers.DepthwiseConv1D, layers.DepthwiseConv2D],
    _transposed: [layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose],
    _pooling: [
        *(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D),
        *(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D),
    ],
    _global_pooling: [
        *(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D),
        *(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D),
    ],
    _upsampling: [layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D],
    _padding: [layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D],
    _cropping: [layers.Cropping1D, layers.Cropping2D, layers.Cropping3D],
    _own_convolution: [SparseConv2D],
    _own_subsampling: [TrainableSubsampling2D],
    _local: [LocallyConnected],
    _blur: [BlurPool2D],
    _dense: [layers.Dense, RBFOutput],
    _flatten: [layers.Flatten],
    _permute: [layers.Permute],
    _reshape: [layers.Reshape],
    _repeat_vector: [layers.RepeatVector],
    _concatenate: [layers.Concatenate, *_names("ops.numpy", "Concatenate")],
    _dot: [layers.Dot],
    _attention: [
        *(layers.Attention, layers.AdditiveAttention, layers.MultiHeadAttention, layers.GroupQueryAttention),
    ],
    _matrix_product: _names("ops.numpy", "Matmul"),
    _along_axis: [
        *(layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization, layers.Softmax),
        *_names("ops.nn", "Softmax LogSoftmax"),
    ],
    _group_normalisation: [layers.GroupNormalization],
    _reduction: _names("ops.numpy", "Mean Max Min Sum"),
    _unchanged: [layers.Embedding],
    _elementwise: [
        *(layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum),
        *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Identity, layers.Masking),
        *(layers.BatchNormalization, layers.Rescaling, layers.Normalization, layers.ActivityRegularization),
        *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
        *(layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise),
        *_names("ops.numpy", "Add Subtract Multiply Divide TrueDivide Power Maximum Minimum Negative Absolute Abs"),
        *_names("ops.numpy", "Square Sqrt Reciprocal Exp Expm1 Log Log1p Sin Cos Tanh Sign Clip Where"),
        *_names("ops.math", "Rsqrt Erf"),
        *_names("ops.core", "Cast StopGradient"),
        *_names("ops.nn", "Relu Relu6 Sigmoid LogSigmoid HardSigmoid Silu HardSilu Gelu Elu Selu Celu LeakyRelu"),
        *_names("ops.nn", "Softplus Softsign HardTanh"),
        *_names("applications.convnext", "LayerScale StochasticDepth"),
        *_names("applications.inception_resnet_v2", "CustomScaleLayer"),
    ],
}
SEES: Mapping[Any, Sees] = {kind: rule for rule, kinds in _KINDS.items() for kind in kinds}
