"""Layers that read windows: convolution, pooling, transposed convolution, resizing, padding and cropping by layers."""

import math
from collections.abc import Sequence
from typing import Any

from cnn_models.analysis.families.common import (
    Kinds,
    UnknownError,
    activated,
    argument,
    computed,
    of_layers,
    of_operations,
    touches,
    without,
)
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.sampling import (
    Groups,
    Mirrored,
    Resampling,
    Sampling,
    Table,
    Transposed,
    Window,
    same,
)
from cnn_models.analysis.graph import Call, channels, spatial

RADII = {"nearest": 0, "bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}


def _numbers(value: Any, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)


def _windows(call: Call, kernel: Any, stride: Any, dilation: Any = 1) -> dict[int, Sampling]:
    """One window for each spatial axis, with the layer's padding."""
    axes = spatial(call)
    sizes = [_numbers(each, len(axes)) for each in (kernel, stride, dilation)]
    result: dict[int, Sampling] = {}
    for axis, k, s, d in zip(axes, *sizes, strict=True):
        match call.layer.padding.lower():
            case "same":
                result[axis] = same(k, s, d, call.inputs[0].shape[axis])
            case "causal":
                result[axis] = Window(k, s, d, before=(k - 1) * d)
            case _:
                result[axis] = Window(k, s, d)
    return result


def _convolution(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    layer = call.layer
    windows = _windows(call, layer.kernel_size, layer.strides, layer.dilation_rate)
    return activated(call, _by_group(call, fields[0], getattr(layer, "groups", 1)).through(windows))


def _by_group(call: Call, field: ReceptiveField, groups: int) -> ReceptiveField:
    """A convolution reads all channels; with `groups`, each output channel reads those of its group."""
    axis = channels(call)
    if groups == 1:
        return field.collapsed({axis})
    made = call.outputs[0].shape[axis] // groups
    return field.through({axis: Groups(call.inputs[0].shape[axis] // groups, made)})


def _kernel(call: Call, name: str = "kernel") -> tuple[int, ...]:
    """The shape of the kernel of an operation."""
    kernel = argument(call, name)
    if computed(kernel):
        raise UnknownError("whose kernel is computed from the input")
    return tuple(kernel.shape)


def _convolution_operation(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    kernel = _kernel(call)
    groups = call.inputs[0].shape[channels(call)] // kernel[-2]
    windows = _windows(call, kernel[:-2], call.layer.strides, call.layer.dilation_rate)
    return _by_group(call, fields[0], groups).through(windows)


def _separable_operation(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    kernel = _kernel(call, "depthwise_kernel")
    windows = _windows(call, kernel[:-2], call.layer.strides, call.layer.dilation_rate)
    return fields[0].collapsed({channels(call)}).through(windows)


def _depthwise(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    windows = _windows(call, call.layer.kernel_size, call.layer.strides, call.layer.dilation_rate)
    windows[channels(call)] = Resampling(call.layer.depth_multiplier)
    return activated(call, fields[0].through(windows))


def _depthwise_operation(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    kernel = _kernel(call)
    windows = _windows(call, kernel[:-2], call.layer.strides, call.layer.dilation_rate)
    windows[channels(call)] = Resampling(kernel[-1])
    return fields[0].through(windows)


def _pooling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].through(_windows(call, call.layer.pool_size, call.layer.strides or call.layer.pool_size))


def _global_pooling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    reduced = spatial(call)
    return fields[0].collapsed(reduced).moved(without(call.rank, reduced, call.layer.keepdims))


def _adaptive_pooling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Unit i of m reads positions ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉ - 1 of n."""
    result: dict[int, Sampling] = {}
    for axis in spatial(call):
        n, m = call.inputs[0].shape[axis], call.outputs[0].shape[axis]
        if n is None or m is None:
            raise UnknownError("on an input of unknown size")
        rows = tuple(tuple(range(i * n // m, -(-(i + 1) * n // m))) for i in range(m))
        result[axis] = Table(rows) if n % m else Window(n // m, n // m)
    return fields[0].through(result)


def _transposed(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return activated(call, _scattered(call, fields[0], call.layer.kernel_size))


def _transposed_operation(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return _scattered(call, fields[0], _kernel(call)[:-2])


def _scattered(call: Call, field: ReceptiveField, kernel: Sequence[int]) -> ReceptiveField:
    """TensorFlow's transposed convolution is the gradient of a convolution, so `same` crops its output."""
    layer, axes = call.layer, spatial(call)
    more = (None,) * len(axes) if layer.output_padding is None else _numbers(layer.output_padding, len(axes))
    steps = (_numbers(layer.strides, len(axes)), _numbers(layer.dilation_rate, len(axes)))
    result: dict[int, Sampling] = {}
    for axis, size, stride, dilation, extra in zip(axes, kernel, *steps, more, strict=True):
        extent = (size - 1) * dilation + 1
        if layer.padding == "same":
            last = stride if extra is None else extent % 2 + extra
            result[axis] = Transposed(size, stride, dilation, crop=max(extent - last, 0) // 2, extra=last)
        else:
            last = max(extent, stride) if extra is None else extent + extra
            result[axis] = Transposed(size, stride, dilation, crop=0, extra=last)
    return field.collapsed({channels(call)}).through(result)


def _upsampling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    radius = RADII[getattr(call.layer, "interpolation", "nearest")]
    factors = _numbers(call.layer.size, call.rank - 2)
    return fields[0].through(
        {axis: Resampling(factor, radius) for axis, factor in zip(spatial(call), factors, strict=True)}
    )


def _resizing(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Positions and units are aligned by their centres; pictures keep their aspect ratio only if asked."""
    layer = call.layer
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio:
        raise UnknownError("that keeps the aspect ratio")
    result: dict[int, Sampling] = {}
    for axis in spatial(call):
        n, m = call.inputs[0].shape[axis], call.outputs[0].shape[axis]
        if n is None or m is None:
            raise UnknownError("on an input of unknown size")
        if layer.antialias and m < n:
            raise UnknownError("with anti-aliasing")
        common = math.gcd(n, m)
        result[axis] = Resampling(m // common, RADII[layer.interpolation], n // common)
    return fields[0].through(result)


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


def _centre_crop(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    windows = {}
    for axis in spatial(call):
        n, m = call.inputs[0].shape[axis], call.outputs[0].shape[axis]
        if n is None or m is None or m > n:
            raise UnknownError("that may enlarge the picture")
        windows[axis] = Window(before=-((n - m) // 2), after=-(n - m - (n - m) // 2))
    return fields[0].through(windows)


def _patches(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Windows as vectors; the field of a whole vector, whose elements are not distinguished."""
    layer, axes = call.layer, spatial(call)
    size = _numbers(layer.size, len(axes))
    return (
        fields[0].collapsed({channels(call)}).through(_windows(call, size, layer.strides or size, layer.dilation_rate))
    )


def _depth_to_space(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return _exchanged(call, fields[0]).through({axis: Resampling(call.layer.block_size) for axis in spatial(call)})


def _space_to_depth(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Blocks as vectors; the field of a whole vector, whose elements are not distinguished."""
    block = call.layer.block_size
    return _exchanged(call, fields[0]).through({axis: Window(block, block) for axis in spatial(call)})


def _exchanged(call: Call, field: ReceptiveField) -> ReceptiveField:
    axis = channels(call)
    return field.moved({i: i for i in range(call.rank)}, shuffled=(axis,)) if touches(field, axis) else field


def _own_convolution(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    window = Window(call.layer.kernel_size)
    return fields[0].collapsed({3}).through({1: window, 2: window})


def _own_subsampling(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].through({1: Window(2, 2), 2: Window(2, 2)})


def _local(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    windows = _windows(call, call.layer.kernel_size, call.layer.strides)
    return activated(call, fields[0].collapsed({call.rank - 1}).through(windows))


def _blur(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    before, after = call.layer.borders
    kind = Mirrored if call.layer.padding == "reflect" else Window
    window = kind(call.layer.size, call.layer.strides, before=before, after=after)
    return fields[0].through({1: window, 2: window})


def _named(names: str) -> list[Any]:
    """The layers of one, two and three dimensions."""
    return of_layers(" ".join(name.replace("#", n) for name in names.split() for n in "123"))


KINDS: Kinds = {
    _convolution: [*_named("Conv#D SeparableConv#D")],
    _depthwise: _named("DepthwiseConv#D"),
    _transposed: _named("Conv#DTranspose"),
    _pooling: [*_named("MaxPooling#D AveragePooling#D"), *of_operations("nn", "MaxPool AveragePool")],
    _global_pooling: _named("GlobalMaxPooling#D GlobalAveragePooling#D"),
    _adaptive_pooling: [
        *_named("AdaptiveMaxPooling#D AdaptiveAveragePooling#D"),
        *of_operations("nn", "AdaptiveMaxPool AdaptiveAveragePool"),
    ],
    _upsampling: _named("UpSampling#D"),
    _padding: _named("ZeroPadding#D"),
    _cropping: _named("Cropping#D"),
    _centre_crop: of_layers("CenterCrop"),
    _resizing: [*of_layers("Resizing"), *of_operations("image", "Resize")],
    _patches: of_operations("image", "ExtractPatches"),
    _convolution_operation: of_operations("nn", "Conv"),
    _depthwise_operation: of_operations("nn", "DepthwiseConv"),
    _separable_operation: of_operations("nn", "SeparableConv"),
    _transposed_operation: of_operations("nn", "ConvTranspose"),
    _depth_to_space: of_operations("nn", "DepthToSpace"),
    _space_to_depth: of_operations("nn", "SpaceToDepth"),
    _own_convolution: ["cnn_models.layers.lecun1998.SparseConv2D"],
    _own_subsampling: ["cnn_models.layers.lecun1998.TrainableSubsampling2D"],
    _local: ["cnn_models.layers.local.LocallyConnected"],
    _blur: ["cnn_models.layers.blur.BlurPool2D"],
}
