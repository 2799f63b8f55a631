"""Receptive fields of Keras models, against the gradient (`gradient_extent`) and published numbers."""

import subprocess
import sys
from fractions import Fraction

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers, ops

import cnn_models
from cnn_models import layer_table, receptive_field
from cnn_models.analysis.geometry.sampling import Window
from cnn_models.analysis.rules import Rule
from cnn_models.layers.blur import PADDINGS, BlurPool2D
from tests.support import zoo
from tests.support.gradient_extent import corners, extents, smooth


def sequence(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def answers(field, units):
    """What the library says that units read, in the order of the input's spatial axes."""
    return [field.unit([0 if axis is None else unit[axis] for axis in field.positions]) for unit in units]


def check(model, shape, *, spatial, dtype="float64", compiled=False, thin=False, mirrored=False):
    """Compares the units at corners and in the middle of a model's output with the gradient.

    Where a border is `mirrored` or rolled, a unit may read a pixel that its field in an endless input does not contain.
    """
    field = receptive_field(model)
    units = corners(model.outputs[0].shape, [axis for axis in field.positions if axis is not None])
    clone = smooth(model, thin=thin, dtype=dtype)
    (boxes,) = extents(clone, [clone.outputs[0]], [units], shape, compiled=compiled)
    read = [box and tuple(box[axis] for axis in spatial) for box in boxes]
    assert read == answers(field, units)
    for unit, box in zip(units, read, strict=True):
        for axis, position, interval in zip(field.axes, field.positions, () if mirrored else box or (), strict=False):
            check_closed_form(axis, unit.get(position, 0), *interval)
    return field


def check_closed_form(axis, index, first, last):
    """What a unit reads lies in the field that size, stride and padding give it, where they are defined."""
    if axis.size is not None:
        assert last - first < axis.size
    alike = all(view.period == 1 for view in axis.views)  # not the phases of an upsampling
    if alike and None not in (axis.stride, axis.padding) and not axis.whole:
        assert index * axis.stride - axis.padding <= first
        assert last < index * axis.stride - axis.padding + axis.size


LAYERS = {
    # One dimension.
    "conv1d dilated": ((9, 3), layers.Conv1D(2, 3, dilation_rate=2, padding="same")),
    "conv1d causal": ((9, 3), layers.Conv1D(2, 3, dilation_rate=2, padding="causal")),
    "conv1d causal strided": ((9, 3), layers.Conv1D(2, 3, strides=2, padding="causal")),
    "depthwise1d": ((9, 3), layers.DepthwiseConv1D(3, strides=2, padding="same")),
    "separable1d": ((9, 3), layers.SeparableConv1D(2, 3, strides=2, padding="same")),
    "transposed1d same": ((9, 3), layers.Conv1DTranspose(2, 3, strides=2, padding="same")),
    "transposed1d valid": ((9, 3), layers.Conv1DTranspose(2, 4, strides=2)),
    "transposed1d with gaps": ((4, 3), layers.Conv1DTranspose(2, 1, strides=2)),
    "pooling1d": ((9, 3), layers.MaxPooling1D(3, 2, padding="same")),
    "upsampling1d": ((5, 3), layers.UpSampling1D(3)),
    "padding1d": ((9, 3), layers.ZeroPadding1D((2, 1))),
    "cropping1d": ((9, 3), layers.Cropping1D((2, 1))),
    "dense": ((9,), layers.Dense(3)),
    "repeat": ((9,), layers.RepeatVector(3)),
    # Two dimensions.
    "conv2d dilated": ((9, 8, 3), layers.Conv2D(2, (3, 2), dilation_rate=(2, 1), padding="same")),
    "conv2d strided": ((9, 8, 3), layers.Conv2D(2, (3, 2), strides=(2, 1), padding="same")),
    "depthwise2d strided": ((9, 8, 3), layers.DepthwiseConv2D((3, 2), strides=2, padding="same")),
    "depthwise2d dilated": ((9, 8, 3), layers.DepthwiseConv2D((3, 2), dilation_rate=2, strides=2, padding="same")),
    "separable2d": ((9, 8, 3), layers.SeparableConv2D(2, (3, 2), strides=2)),
    "transposed2d same": ((5, 6, 3), layers.Conv2DTranspose(2, (3, 2), strides=(2, 3), padding="same")),
    "transposed2d valid": ((5, 6, 3), layers.Conv2DTranspose(2, (3, 2), strides=(2, 3))),
    "transposed2d same more": (
        (5, 6, 3),
        layers.Conv2DTranspose(2, (5, 4), strides=(2, 3), padding="same", output_padding=(0, 2)),
    ),
    "transposed2d valid more": ((5, 6, 3), layers.Conv2DTranspose(2, (5, 4), strides=(2, 3), output_padding=1)),
    "pooling2d": ((9, 8, 3), layers.MaxPooling2D((3, 2), (2, 1), padding="same")),
    "upsampling2d": ((9, 8, 3), layers.UpSampling2D((2, 3))),
    "upsampling2d bilinear": ((9, 7, 3), layers.UpSampling2D((2, 3), interpolation="bilinear")),
    "upsampling2d bicubic": ((9, 7, 3), layers.UpSampling2D((2, 3), interpolation="bicubic")),
    "padding2d": ((9, 8, 3), layers.ZeroPadding2D(((0, 1), (2, 0)))),
    "cropping2d": ((9, 8, 3), layers.Cropping2D(((0, 1), (2, 0)))),
    "permute": ((9, 8, 3), layers.Permute((2, 1, 3))),
    "permute channels": ((9, 8, 3), layers.Permute((3, 1, 2))),
    "flatten": ((9, 8, 3), layers.Flatten()),
    "dense at each position": ((9, 8, 3), layers.Dense(3)),
    "global pooling": ((9, 8, 3), layers.GlobalMaxPooling2D()),
    "reshape of channels": ((9, 8, 4), layers.Reshape((9, 8, 2, 2))),
    "layer normalisation of channels": ((9, 8, 4), layers.LayerNormalization()),
    "layer normalisation of rows": ((9, 8, 4), layers.LayerNormalization(axis=1)),
    "layer normalisation of pictures": ((9, 8, 4), layers.LayerNormalization(axis=(1, 2))),
    "group normalisation": ((9, 8, 4), layers.GroupNormalization(2)),
    "group normalisation of rows": ((9, 8, 4), layers.GroupNormalization(3, axis=1)),
    "group normalisation of columns": ((9, 8, 4), layers.GroupNormalization(2, axis=-2)),
    "group normalisation of each row": ((9, 8, 4), layers.GroupNormalization(-1, axis=1)),
    "group normalisation of a vector": ((8,), layers.GroupNormalization(2)),
    "rms normalisation": ((9, 8, 4), layers.RMSNormalization()),
    "unit normalisation": ((9, 8, 4), layers.UnitNormalization(axis=2)),
    "softmax": ((9, 8, 4), layers.Softmax(axis=1)),
    "spectral normalisation": ((9, 8, 4), layers.SpectralNormalization(layers.Conv2D(2, 3))),
    # Three dimensions.
    "conv3d strided": ((7, 8, 9, 2), layers.Conv3D(2, (3, 2, 1), strides=(2, 1, 3), padding="same")),
    "transposed3d": ((3, 4, 5, 2), layers.Conv3DTranspose(2, (3, 2, 1), strides=(2, 1, 1), padding="same")),
    "upsampling3d": ((3, 4, 5, 2), layers.UpSampling3D((3, 1, 2))),
    "padding3d": ((4, 5, 6, 3), layers.ZeroPadding3D(((0, 1), (2, 0), (1, 1)))),
    "cropping3d": ((4, 5, 6, 3), layers.Cropping3D(((0, 1), (2, 0), (1, 1)))),
}
CHANNELS_FIRST = {
    "pooling": ((3, 9, 8), layers.MaxPooling2D((3, 2), padding="same", data_format="channels_first")),
    "global pooling": ((3, 9, 8), layers.GlobalMaxPooling2D(keepdims=True, data_format="channels_first")),
    "depthwise": ((3, 9, 8), layers.DepthwiseConv2D((3, 2), padding="same", data_format="channels_first")),
    "upsampling": ((3, 9, 8), layers.UpSampling2D((3, 2), data_format="channels_first")),
    "padding": ((3, 9, 8), layers.ZeroPadding2D((3, 2), data_format="channels_first")),
    "cropping": ((3, 9, 8), layers.Cropping2D((3, 2), data_format="channels_first")),
}
# TensorFlow's CPU kernels lack these; XLA has them.
COMPILED = {
    "conv1d channels first": ((3, 9), layers.Conv1D(2, 3, strides=2, data_format="channels_first"), (1,)),
    "conv2d channels first": (
        (3, 9, 8),
        layers.Conv2D(2, (3, 2), padding="same", data_format="channels_first"),
        (1, 2),
    ),
    "transposed2d channels first": (
        (3, 5, 4),
        layers.Conv2DTranspose(2, (3, 2), strides=2, padding="same", data_format="channels_first"),
        (1, 2),
    ),
    "transposed2d dilated": ((5, 6, 3), layers.Conv2DTranspose(2, 3, dilation_rate=2, padding="same"), (0, 1)),
}
# And these have no gradient in double precision.
SINGLE = {
    "pooling3d": ((9, 8, 7, 2), layers.AveragePooling3D((3, 2, 2), (2, 1, 3), padding="same")),
    "lanczos3": ((12, 8, 2), layers.UpSampling2D((2, 3), interpolation="lanczos3")),
    "lanczos5": ((14, 12, 2), layers.UpSampling2D((4, 3), interpolation="lanczos5")),
}


# What mixes or moves the colours before a layer says where they are; and which axes of the picture are left.
BEFORE = {
    "dense": ((9, 8, 3), lambda x: layers.Conv2D(2, 3)(layers.Dense(4)(x)), (0, 1)),
    "dense 1d": ((9, 3), lambda x: layers.Conv1D(2, 3)(layers.Dense(4)(x)), (0,)),
    "dense 3d": ((5, 6, 7, 2), lambda x: layers.Conv3D(2, (3, 2, 1))(layers.Dense(4)(x)), (0, 1, 2)),
    "dense twice": ((9, 8, 3), lambda x: layers.AveragePooling2D(2)(layers.Dense(3)(layers.Dense(4)(x))), (0, 1)),
    "wrapped dense": (
        (9, 8, 3),
        lambda x: layers.Conv2D(2, 3)(layers.SpectralNormalization(layers.Dense(4))(x)),
        (0, 1),
    ),
    "wrapped convolution": (
        (3, 9, 8),
        lambda x: layers.SpectralNormalization(layers.Conv2D(2, 3))(layers.Permute((2, 3, 1))(x)),
        (1, 2),
    ),
    "grey": ((9, 8, 3), lambda x: layers.Conv2D(2, 3)(ops.mean(x, axis=-1, keepdims=True)), (0, 1)),
    "grey 1d": ((9, 3), lambda x: layers.Conv1D(2, 3)(ops.mean(x, axis=-1, keepdims=True)), (0,)),
    "grey, reshaped": (
        (9, 8, 3),
        lambda x: layers.Conv2D(2, 3)(layers.Reshape((9, 8, 1))(ops.mean(x, axis=3))),
        (0, 1),
    ),
    "grey, rows as steps": ((9, 8, 3), lambda x: layers.Conv1D(2, 3)(ops.sum(x, axis=3)), (0, 1)),
    "one colour, rows as steps": ((9, 8, 1), lambda x: layers.Conv1D(2, 3)(layers.Reshape((9, 8))(x)), (0, 1)),
    "grey, channels first": (
        (3, 9, 8),
        lambda x: layers.AveragePooling2D(3, 1, data_format="channels_first")(ops.mean(x, axis=1, keepdims=True)),
        (1, 2),
    ),
    "grey, then turned": (
        (3, 9, 8),
        lambda x: layers.Conv2D(2, 3)(layers.Permute((2, 3, 1))(ops.mean(x, axis=1, keepdims=True))),
        (1, 2),
    ),
    "softmax": ((9, 8, 3), lambda x: layers.Conv2D(2, 3)(layers.Softmax()(x)), (0, 1)),
    "rows mixed, and turned back": (
        (9, 8, 3),
        lambda x: layers.Conv2D(2, 3)(layers.Permute((3, 2, 1))(layers.Dense(9)(layers.Permute((3, 2, 1))(x)))),
        (0, 1),
    ),
    "rows and colours in one axis": ((9, 8, 3), lambda x: layers.Conv1D(2, 3)(layers.Reshape((9, 24))(x)), (0, 1)),
}


@pytest.mark.parametrize("name", BEFORE)
def test_the_colours_are_no_axis_of_the_picture(name):
    shape, network, spatial = BEFORE[name]
    inputs = keras.Input(shape)
    field = check(keras.Model(inputs, network(inputs)), shape, spatial=spatial)
    assert len(field.size) == len(spatial)


@pytest.mark.parametrize("name", [name for name in BEFORE if "row" not in name and "reshaped" not in name])
def test_nor_are_they_where_sizes_are_not_known(name):
    """The layers of the other networks need a size."""
    shape, network, spatial = BEFORE[name]
    inputs = keras.Input([None if axis in spatial else size for axis, size in enumerate(shape)])
    field = receptive_field(keras.Model(inputs, network(inputs)))
    inputs = keras.Input(shape)
    assert field.size == receptive_field(keras.Model(inputs, network(inputs))).size
    assert len(field.size) == len(spatial)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_blur(size, strides, padding):
    """Mirrored pixels too, along an odd and an even length; and behind a layer that pads."""
    blur = {"size": size, "strides": strides, "padding": padding}
    check(sequence((9, 8, 2), BlurPool2D(**blur)), (9, 8, 2), spatial=(0, 1), mirrored=True)
    before = layers.ZeroPadding2D(((0, 2), (1, 0)))
    check(
        sequence((9, 8, 1), before, BlurPool2D(**blur), layers.Conv2D(1, 2)), (9, 8, 1), spatial=(0, 1), mirrored=True
    )


def test_groups_along_an_axis_that_was_turned_to_the_channels():
    """Units of one group see each other's rows, those of the other group do not."""
    turned = [layers.ZeroPadding2D(0), layers.Permute((3, 2, 1))]
    normalised = sequence((8, 6, 3), *turned, layers.GroupNormalization(2))
    assert check(normalised, (8, 6, 3), spatial=(0, 1)).unit((0, 0)) == ((0, 3), (0, 5))
    convolved = sequence((8, 6, 3), *turned, layers.Conv2D(4, (1, 3), groups=2))
    field = check(convolved, (8, 6, 3), spatial=(0, 1), compiled=True)
    assert (field.unit((1, 0)), field.unit((2, 0))) == (((0, 3), (0, 2)), ((4, 7), (0, 2)))


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    shape, layer = LAYERS[name]
    check(sequence(shape, layer), shape, spatial=range(max(len(shape) - 1, 1)))


@pytest.mark.parametrize("name", CHANNELS_FIRST)
def test_channels_first(name):
    shape, layer = CHANNELS_FIRST[name]
    check(sequence(shape, layer), shape, spatial=(1, 2))


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name):
    shape, layer, spatial = COMPILED[name]
    check(sequence(shape, layer), shape, spatial=spatial, compiled=True)


@pytest.mark.parametrize("name", SINGLE)
def test_single_precision(name):
    shape, layer = SINGLE[name]
    check(sequence(shape, layer), shape, spatial=range(len(shape) - 1), dtype="float32")


# Random networks: a plan is data, so that Hypothesis can shrink it; `grow` makes it a model.

numbers = st.tuples(st.integers(1, 4), st.integers(1, 4))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.sampled_from(["same", "valid"])
plans = st.lists(
    st.one_of(
        st.tuples(st.just("conv"), numbers, strides, paddings),
        st.tuples(st.just("dilated"), numbers, strides, paddings),
        st.tuples(st.just("depthwise"), numbers, st.integers(1, 2).map(lambda n: (n, n)), paddings),
        st.tuples(st.just("pool"), numbers, strides, paddings),
        st.tuples(st.just("transposed"), numbers, strides, paddings),
        st.tuples(st.just("upsample"), strides, strides, paddings),
        st.tuples(st.just("pad"), strides, strides, paddings),
        st.tuples(st.just("crop"), strides, strides, paddings),
        st.tuples(st.just("twice"), numbers, strides, paddings),
        st.tuples(st.sampled_from(["custom", "slice", "split", "roll", "attend"]), numbers, strides, paddings),
        st.tuples(
            st.sampled_from(["add", "average", "maximum", "multiply", "concatenate", "subtract"]),
            st.integers(1, 2),
            st.lists(st.tuples(st.sampled_from(["conv", "dilated", "pool"]), numbers), min_size=2, max_size=3),
        ),
    ),
    min_size=1,
    max_size=5,
)


class Residual(layers.Layer):
    """A custom layer, which is opened."""

    def __init__(self, filters, size, **options):
        super().__init__(**options)
        self.filters, self.size = filters, size
        kind = getattr(layers, f"Conv{len(size)}D")
        self.inner = kind(filters, size, padding="same", dtype=self.dtype_policy)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x) + x

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "size": self.size}


def operate(x, kind, first, second):
    """A custom layer or an operation along the first axis of the picture; the same tensor if it does not fit."""
    rank, (n, *_), a, s = len(x.shape) - 2, x.shape[1:], first[0], second[0]
    match kind:
        case "custom":
            return Residual(x.shape[-1], first[:rank])(x)
        case "slice":
            return x[:, a - 1 :: s] if n >= a else x
        case "split":
            return sum(ops.split(x, s, axis=1)) if n % s == 0 else x
        case "roll":
            return ops.roll(x, a, axis=rank)
        case "attend":  # to all positions of a row or column, without a softmax, whose gradient vanishes
            return x + ops.mean(x, axis=rank, keepdims=True) if s == 3 else x
    raise AssertionError(kind)


MERGES = {
    "add": layers.Add,
    "average": layers.Average,
    "maximum": layers.Maximum,
    "multiply": layers.Multiply,
    "concatenate": layers.Concatenate,
    "subtract": layers.Subtract,
}


def layer_of(kind, first, second, padding, filters, rank):
    """A layer, for one or two axes."""
    first, second = first[:rank], second[:rank]
    suffix = f"{rank}D"
    match kind:
        case "conv":
            return getattr(layers, f"Conv{suffix}")(filters, first, strides=second, padding=padding)
        case "dilated":
            return getattr(layers, f"Conv{suffix}")(filters, first, dilation_rate=second, padding=padding)
        case "depthwise":
            return getattr(layers, f"DepthwiseConv{suffix}")(first, strides=second, padding=padding)
        case "pool":
            return getattr(layers, f"MaxPooling{suffix}")(first, strides=second, padding=padding)
        case "transposed":
            return getattr(layers, f"Conv{suffix}Transpose")(filters, first, strides=second, padding=padding)
        case "upsample":
            return getattr(layers, f"UpSampling{suffix}")(first if rank > 1 else first[0])
        case "pad" | "crop":
            amounts = tuple((a - 1, b - 1) for a, b in zip(first, second, strict=True))
            name = {"pad": "ZeroPadding", "crop": "Cropping"}[kind] + suffix
            return getattr(layers, name)(amounts if rank > 1 else amounts[0])
    raise AssertionError(kind)


def fits(x, kind, first, second, padding):
    """Whether a layer leaves something of a tensor, and not too much."""
    for n, a, b in zip(x.shape[1:-1], first, second, strict=False):
        window = (a - 1) * b + 1 if kind == "dilated" else a
        if kind in ("conv", "dilated", "depthwise", "pool") and padding == "valid" and window > n:
            return False
        if (kind == "crop" and a - 1 + b - 1 >= n) or (kind in ("transposed", "upsample") and n * max(a, b) > 30):
            return False
    return True


def grow(shape, plan):
    x = inputs = keras.Input(shape)
    rank = len(shape) - 1
    for kind, *rest in plan:
        filters = x.shape[-1]
        if kind == "twice":
            layer = layer_of("conv", rest[0], (1, 1), "same", filters, rank)
            x = layer(layer(x))
        elif kind in MERGES:
            stride, branches = rest
            tensors = [x] if stride == 1 else []
            for name, size in branches:
                name = "conv" if stride > 1 and name == "dilated" else name  # Keras allows one or the other
                step = (2, 3) if name == "dilated" else (stride, stride)
                tensors.append(layer_of(name, size, step, "same", filters, rank)(x))
            x = MERGES[kind]()(tensors[:2] if kind == "subtract" else tensors)
        elif kind in ("custom", "slice", "split", "roll", "attend"):
            x = operate(x, kind, *rest[:2])
        elif fits(x, kind, *rest):
            x = layer_of(kind, *rest, filters, rank)(x)
    return keras.Model(inputs, x)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.integers(5, 13), min_size=1, max_size=2), plans)
@pytest.mark.slow
def test_random_networks(sizes, plan):
    shape = (*sizes, 1)
    model = grow(shape, plan)
    assume(len(model.layers) > 1)
    rolled = any(kind == "roll" for kind, *_ in plan)  # what leaves at one end comes back at the other
    check(model, shape, spatial=range(len(sizes)), mirrored=rolled)


strided = st.tuples(st.just("conv"), numbers, strides, st.just("same"))
branch = st.tuples(st.sampled_from(["conv", "pool"]), numbers)
fork = st.tuples(st.just("add"), st.integers(1, 2), st.lists(branch, min_size=2, max_size=2))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(8, 20), st.lists(st.one_of(fork, fork, strided, plans.map(lambda plan: plan[0])), max_size=4))
def test_what_is_defined_for_an_unknown_size_is_right_for_every_size(size, plan):
    model = grow((size, 1), plan)
    assume(len(model.layers) > 1)
    anysize = keras.models.clone_model(model, input_tensors=keras.Input((None, 1)))
    known, unknown = receptive_field(model), receptive_field(anysize)
    for name in ("size", "stride", "padding", "centre"):
        assert getattr(unknown, name) in ((None,), getattr(known, name))
    assert unknown.centres in (((),), known.centres)
    assert unknown.aligned in (None, known.aligned)


# Whole networks.


@pytest.mark.parametrize("name", zoo.LARGEST)
def test_every_layer_of_the_zoo(name):
    model = zoo.built(name)
    clone = smooth(model)
    called = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = [clone.get_layer(layer.name).output for layer in called]
    fields = [receptive_field(model, layer) for layer in called]
    questions = [
        corners(tensor.shape, [axis for axis in field.positions if axis is not None])
        for tensor, field in zip(outputs, fields, strict=True)
    ]
    boxes = extents(clone, outputs, questions, (28, 28, 1))
    for field, units, read in zip(fields, questions, boxes, strict=True):
        # Pixels along height and width; a layer with weights for each position knows of the channel axis as well.
        assert [box and box[:2] for box in read] == [box and box[:2] for box in answers(field, units)]


def test_lenet_5_of_1998():
    """LeCun 1998, II.B, in pixels of the padded picture: C1 5, S2 6, C3 14, S4 16, C5 32, which is all of it."""
    model = cnn_models.build("lenet5-1998")
    fields = [receptive_field(model, name) for name in ("c1", "s2", "c3", "s4", "c5")]
    assert [field.size for field in fields] == [(size, size) for size in (5, 6, 14, 16, 32)]
    assert [field.stride for field in fields] == [(stride, stride) for stride in (1, 2, 2, 4, 4)]
    assert fields[-1].unit((0, 0)) == ((0, 27), (0, 27))


# Name, size of the input, last layer, and from google-research/receptive_field's README: size, stride,
# padding. Its ResNets subsample at the end of a block and Keras's at the beginning, hence no padding there.
PUBLISHED = [
    ("VGG16", 256, "block5_pool", 212, 32, 90),
    ("MobileNet", 352, "conv_pw_13_relu", 315, 32, 126),
    ("ResNet50", 544, "conv5_block3_out", 483, 32, None),
    ("ResNet50V2", 512, "post_relu", 483, 32, None),
    ("ResNet152", 224, "conv5_block3_out", 1507, 32, None),
    ("InceptionV3", 299, "mixed10", 1311, 32, 618),
    ("InceptionResNetV2", 299, "conv_7b_ac", 3039, 32, 1482),
]


@pytest.mark.parametrize(("name", "side", "layer", "size", "stride", "padding"), PUBLISHED)
@pytest.mark.slow
def test_published_values(name, side, layer, size, stride, padding):
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(side, side, 3))
    field = receptive_field(model, layer)
    assert (field.size, field.stride, field.aligned) == ((size, size), (stride, stride), True)
    assert padding is None or field.padding == (padding, padding)
    if size < side:  # some unit sees all of its field, so the gradient can confirm it
        check(model, (side, side, 3), spatial=(0, 1), thin=True)
        middle = side // stride // 2
        assert all(last - first + 1 == size for first, last in field.unit((middle, middle)))


def test_published_values_of_an_unknown_size():
    """InceptionV3 of any size: 1183, 32 and 554 (google-research/receptive_field, RF_Keras_Applications.ipynb)."""
    keras.backend.clear_session()  # so that its layers have the names of the notebook
    model = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(None, None, 3))
    field = receptive_field(model, "conv2d_85")
    assert (field.size, field.stride, field.padding) == ((1183, 1183), (32, 32), (554, 554))


def test_a_published_network_whose_branches_do_not_align():
    """Xception's 3×3 pooling of stride 2 pads an even size behind only, its 1×1 shortcut not at all."""
    model = keras.applications.Xception(weights=None, include_top=False, input_shape=(299, 299, 3))
    field = check(model, (299, 299, 3), spatial=(0, 1), thin=True)
    assert not field.aligned
    assert (field.size, field.stride, field.padding) == ((1083, 1083), (32, 32), (534, 534))
    assert (field.centre, field.centres) == ((None, None), ((3.0, 7.0), (3.0, 7.0)))


def test_a_published_network_whose_alignment_depends_on_the_size():
    """An even size moves the 3×3 pooling by a pixel and not the 1×1 shortcut that it meets."""
    model = keras.applications.Xception(weights=None, include_top=False, input_shape=(None, None, 3))
    rows = layer_table(model)
    first = next(i for i, row in enumerate(rows) if row.type == "Add")
    assert [row.type for row in rows[:first] if row.centres == ((), ())] == ["MaxPooling2D"]
    assert {row.centres for row in rows[first:]} == {((), ())}
    assert receptive_field(model).aligned is None


@pytest.mark.slow
def test_a_published_network_that_never_reads_its_last_row():
    """NASNet-Mobile's `valid` stem drops the last of 224 rows and columns."""
    model = keras.applications.NASNetMobile(weights=None, include_top=False, input_shape=(224, 224, 3))
    field = check(model, (224, 224, 3), spatial=(0, 1), thin=True)
    assert field.unit((6, 6)) == ((0, 222), (0, 222))


# Graphs.


def test_squeeze_and_excitation():
    """Behind a product with a global branch every unit sees the whole picture, and keeps its stride."""
    inputs = keras.Input((9, 8, 2))
    x = layers.Conv2D(2, 3, strides=2)(inputs)
    gate = layers.Dense(2, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, layers.Multiply()([x, layers.Reshape((1, 1, 2))(gate)]))
    field = receptive_field(model)
    assert (field.size, field.stride, field.whole) == ((9, 7), (2, 2), (True, True))
    (boxes,) = extents(model, [model.output], [[{1: 0, 2: 2}]], (9, 8, 2))
    assert [box[:2] for box in boxes] == [field.unit((0, 2))] == [((0, 8), (0, 6))]


def test_a_softmax_reads_the_last_axis():
    """With the channels first that is an axis of the picture, also where the softmax is an activation."""
    first = {"data_format": "channels_first"}
    for last in (layers.Activation("softmax"), layers.DepthwiseConv1D(1, activation="softmax", **first)):
        model = sequence((2, 9), layers.AveragePooling1D(2, **first), last)
        assert receptive_field(model).size == (8,)
        (boxes,) = extents(model, [model.outputs[0]], [[{1: 0, 2: 3}]], (2, 9))
        assert [box[1:] for box in boxes] == [receptive_field(model).unit((3,))]
    assert receptive_field(sequence((9, 2), layers.Conv1D(2, 3, activation="softmax"))).size == (3,)


def test_a_tensor_of_fewer_axes_is_broadcast_from_the_first():
    """Keras adds the missing axes behind the batch: column means are added to every row."""
    inputs = keras.Input((9, 8, 2))
    x = layers.Conv2D(2, 3)(inputs)
    total = layers.Add()([x, ops.mean(x, axis=1)])
    assert check(keras.Model(inputs, total), (9, 8, 2), spatial=(0, 1)).size == (9, 3)


def test_a_map_of_one_unit_is_broadcast():
    """One window in a corner, added everywhere: what every unit reads, and the most that one reads."""
    inputs = keras.Input((6, 5, 1))
    corner = layers.Cropping2D(((0, 4), (0, 3)))(inputs)
    field = check(
        keras.Model(inputs, layers.Add()([inputs, layers.AveragePooling2D(2)(corner)])), (6, 5, 1), spatial=(0, 1)
    )
    assert (field.size, field.centres) == ((6, 5), ((0.0, 0.5), (0.0, 0.5)))
    assert field.unit((5, 0)) == ((0, 5), (0, 1))


def test_operations_of_keras_ops():
    """Models may be written with `+`, `*` and `keras.ops` instead of layers."""
    inputs = keras.Input((9, 8, 2))
    x = layers.Conv2D(2, 3, padding="same")(inputs)
    gate = ops.sigmoid(ops.mean(x, axis=2, keepdims=True))
    model = keras.Model(inputs, ops.relu(x * gate + 2.0 * x))
    assert receptive_field(model).size == (3, 8)
    check(model, (9, 8, 2), spatial=(0, 1))


def test_shared_layers_are_told_apart_by_call():
    shared = layers.Conv2D(2, 3, name="shared")
    inputs = keras.Input((9, 9, 2))
    model = keras.Model(inputs, shared(shared(inputs)))
    assert receptive_field(model).size == (5, 5)
    assert receptive_field(model, "shared", call=0).size == (3, 3)
    assert receptive_field(model, shared, call=1).size == (5, 5)
    with pytest.raises(ValueError, match="'shared' is called 2 times: pass as `call` one of 0, 1"):
        receptive_field(model, "shared")
    with pytest.raises(ValueError, match="one of 0, 1"):
        receptive_field(model, "shared", call=2)


def nested(side=None):
    block = keras.Sequential(
        [keras.Input((None, None, 2)), layers.Conv2D(2, 3, padding="same", name="conv")], name="block"
    )
    half = layers.MaxPooling2D(2, padding="same", name="half")
    inputs = keras.Input((side, side, 2))
    return keras.Model(inputs, block(half(block(inputs)))), block


def test_nested_models_are_opened_and_take_the_size_of_their_call():
    """The inner model was built for any size, and is called on 9 and on 5 rows."""
    model, block = nested(9)
    assert check(model, (9, 9, 2), spatial=(0, 1)).size == (8, 8)
    assert receptive_field(model, "block/conv", call=0).size == receptive_field(model, block, call=0).size == (3, 3)
    assert receptive_field(model, "conv", call=1).size == (8, 8)
    assert receptive_field(model, "half").size == (4, 4)


def test_what_depends_on_an_unknown_size_is_undefined():
    model, _ = nested()
    assert receptive_field(model, "half").padding == (1, 1)  # of 2×2 windows, no size puts padding in front
    inputs = keras.Input((None, 9, 2))
    strided = keras.Model(inputs, layers.Conv2D(2, 3, strides=2, padding="same")(inputs))
    field = receptive_field(strided)
    assert (field.size, field.stride, field.padding, field.centre) == ((3, 3), (2, 2), (None, 1), (None, 0.0))
    assert field.beyond is False
    with pytest.raises(ValueError, match="not known"):
        field.unit((0, 0))
    pooled = keras.Model(inputs, layers.GlobalAveragePooling2D()(inputs))
    assert (receptive_field(pooled).size, receptive_field(pooled).whole) == ((None, 9), (True, True))


def test_one_of_several_inputs():
    left, right = keras.Input((9, 9, 2), name="left"), keras.Input((7, 9, 2), name="right")
    narrow = layers.Conv2D(2, 3, name="narrow")(left)
    model = keras.Model([left, right], layers.Add(name="sum")([narrow, layers.Conv2D(2, (1, 3), name="flat")(right)]))
    assert receptive_field(model, source="left").size == (3, 3)
    assert receptive_field(model, source="right").size == (1, 3)
    unseen = receptive_field(model, "narrow", source="right")
    assert (unseen.size, unseen.unit((3, 3))) == ((0, 0), None)
    clone = smooth(model)
    units = corners((None, 7, 7, 2), (1, 2))
    for i, name in enumerate(["left", "right"]):
        (boxes,) = extents(clone, [clone.output], [units], model.inputs[i].shape[1:], source=i)
        assert [box[:2] for box in boxes] == answers(receptive_field(model, source=name), units)
    with pytest.raises(ValueError, match="inputs are left, right"):
        receptive_field(model)


def test_channels_are_where_the_first_convolution_has_them():
    """A picture with its channels first is turned round before channels-last layers read it."""
    turned = sequence((2, 9, 8), layers.Permute((2, 3, 1)), layers.Conv2D(3, (3, 1)))
    assert receptive_field(turned).size == (3, 1)
    assert receptive_field(turned).unit((0, 7)) == ((0, 2), (7, 7))
    spectrum = sequence((9, 4), layers.Reshape((9, 4, 1)), layers.Conv2D(3, (3, 2)))
    assert receptive_field(spectrum).size == (3, 2)
    words = sequence((9,), layers.Embedding(10, 4), layers.Conv1D(3, 5))
    assert receptive_field(words).size == (5,)


def test_a_mixer_reads_along_the_axis_that_was_turned_to_the_end():
    """A dense layer on a turned picture mixes rows, not channels (Tolstikhin et al. 2021, MLP-Mixer)."""
    model = sequence((9, 8, 2), layers.ZeroPadding2D(0), layers.Permute((3, 2, 1)), layers.Dense(5))
    field = check(model, (9, 8, 2), spatial=(0, 1))
    assert (field.size, field.positions) == ((9, 1), (None, 2))


def test_depthwise_convolutions_keep_channels_apart():
    """Also where the channels are the rows of the picture, turned to the end; each makes two."""
    turned = [layers.ZeroPadding2D(0), layers.Permute((3, 2, 1))]
    model = sequence((9, 8, 2), *turned, layers.DepthwiseConv2D((1, 3), depth_multiplier=2))
    field = check(model, (9, 8, 2), spatial=(0, 1))
    assert (field.size, field.stride, field.positions) == ((1, 3), (Fraction(1, 2), 1), (3, 2))


def test_concatenation_along_rows():
    inputs = keras.Input((5, 4, 1))
    model = keras.Model(inputs, layers.Concatenate(axis=1)([inputs, layers.Conv2D(1, 3, padding="same")(inputs)]))
    field = check(model, (5, 4, 1), spatial=(0, 1))
    assert (field.size, field.stride) == ((3, 3), (None, 1))


def test_reshapes():
    """The units of a row of tokens are still where they were: 7 is row 1, column 1 of the picture's six by six."""
    tokens = [layers.Conv2D(4, 3, name="patches"), layers.Reshape((36, 4), name="tokens")]
    model = sequence((8, 8, 1), *tokens, layers.Dense(3), layers.GlobalAveragePooling1D(name="pooled"))
    field = receptive_field(model, "tokens")
    assert (field.size, field.positions, field.box({1: 7})) == ((3, 3), (1, 1), ((1, 3), (1, 3)))
    with pytest.raises(ValueError, match="Axis 1 of the tensor has one index, not both 0 and 1"):
        field.unit((0, 1))
    assert receptive_field(model, "pooled").size == (8, 8)
    kept = sequence((8, 8, 1), layers.Conv2D(4, 3), layers.Reshape((6, 12, 2)))
    assert receptive_field(kept).size == (3, 3)
    assert receptive_field(kept).positions == (1, 2)
    mixed = sequence((8, 8, 1), layers.Conv2D(4, 3), layers.Reshape((9, 16)))
    # Rows of 6 columns by 4 maps, cut anew into rows of 16: element 4·16 + 9 = 73 is row 3, column 0, map 1.
    assert receptive_field(mixed).box({1: 4, 2: 9}) == ((3, 5), (0, 2))
    with pytest.raises(ValueError, match="rearranged"):
        receptive_field(mixed).unit((0, 0))
    assert receptive_field(sequence((8, 8, 1), layers.Conv2D(4, 3), layers.Reshape((-1,)))).size == (8, 8)
    assert receptive_field(sequence((None, 4), layers.Conv1D(4, 3), layers.Reshape((-1, 2, 2)))).size == (3,)
    one = sequence((8, 8, 1), layers.Conv2D(4, 3), layers.AveragePooling2D(6), layers.Reshape((4, 1)))
    assert (receptive_field(one).size, receptive_field(one).positions) == ((8, 8), (None, None))


def test_dot_products():
    """A matrix of similarities, each of two units; and what all of them see."""
    inputs = keras.Input((6, 3))
    x = layers.Conv1D(3, 3)(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(layers.Dot(axes=2)([x, x])))
    assert receptive_field(model, model.layers[-2]).size == (6,)
    vectors = layers.GlobalAveragePooling1D()(x)
    assert receptive_field(keras.Model(inputs, layers.Dot(axes=1)([vectors, vectors]))).size == (6,)


ATTENTION = {
    "heads": lambda x: layers.MultiHeadAttention(2, 4)(x, x),
    "grouped heads": lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x),
    "one head": lambda x: layers.Attention()([x, x]),
    "additive": lambda x: layers.AdditiveAttention()([x, x]),
    "own values": lambda x: layers.Attention()([layers.Conv1D(3, 3, padding="same")(x), x]),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_reads_all_positions(name):
    inputs = keras.Input((8, 3))
    cropped = layers.Cropping1D((1, 2))(inputs)
    model = keras.Model(inputs, ATTENTION[name](cropped))
    field = receptive_field(model)
    assert (field.size, field.stride, field.unit((0,))) == ((5,), (1,), ((1, 5),))
    (boxes,) = extents(model, model.outputs, [[{1: 0}, {1: 4}]], (8, 3))
    assert [box[:1] for box in boxes] == [field.unit((0,)), field.unit((4,))]


def test_attention_along_one_axis_and_of_tokens():
    """Along the columns alone; and of a picture's pixels, whose order a reshape has mixed."""
    inputs = keras.Input((4, 5, 3))
    columns = keras.Model(inputs, layers.MultiHeadAttention(1, 4, attention_axes=(2,))(inputs, inputs))
    field = receptive_field(columns)
    assert (field.size, field.unit((3, 0))) == ((1, 5), ((3, 3), (0, 4)))
    (boxes,) = extents(columns, columns.outputs, [[{1: 3, 2: 0}]], (4, 5, 3))
    assert [box[:2] for box in boxes] == [field.unit((3, 0))]
    tokens = layers.Reshape((20, 3))(inputs)
    assert receptive_field(keras.Model(inputs, layers.MultiHeadAttention(1, 4)(tokens, tokens))).size == (4, 5)


class Masked(layers.Layer):
    """Attention of one head, written out with a masked softmax."""

    def __init__(self, mask, **options):
        super().__init__(**options)
        self.mask, self.softmax = mask, layers.Softmax()

    def call(self, x):
        scores = ops.matmul(x, ops.swapaxes(x, 1, 2))
        padding = ops.any(ops.not_equal(x, 7.0), axis=-1)[:, None, :]
        return ops.matmul(self.softmax(scores, ops.logical_and(self.mask, padding)), x)


BAND = np.tri(8, 8, 1, bool) & ~np.tri(8, 8, -3, bool)
RANDOM = (np.random.default_rng(3).random((8, 8)) < 0.3) | np.eye(8, dtype=bool)


@pytest.mark.parametrize("mask", [np.tri(8, dtype=bool), BAND, RANDOM], ids=["causal", "band", "any"])
@pytest.mark.parametrize("kind", ["heads", "operation", "written out"])
def test_attention_behind_a_mask_that_excludes_positions(kind, mask):
    """What each query reads, by gradient; a query that reads nothing averages all."""
    attend = {
        "heads": lambda x: layers.MultiHeadAttention(1, 4)(x, x, attention_mask=ops.convert_to_tensor(mask[None])),
        "operation": lambda x: ops.dot_product_attention(
            *[x[:, :, None]] * 3, mask=ops.convert_to_tensor(mask[None, None])
        ),
        "written out": lambda x: Masked(ops.convert_to_tensor(mask[None]))(x),
    }
    inputs = keras.Input((8, 3))
    model = keras.Model(inputs, attend[kind](inputs))
    field = receptive_field(model)
    places = [{1: unit} for unit in range(8)]
    (boxes,) = extents(model, model.outputs, [places], (8, 3))
    assert [box[:1] for box in boxes] == [field.box(place) for place in places]


EYE = np.eye(8, dtype="float32")
DERIVED = {
    "not itself": (lambda x: 1.0 - ops.ones_like(x[:, :, :1]) * EYE, ~np.eye(8, dtype=bool)),
    "not itself, and padding": (lambda x: ops.cast(x[:, None, :, 0] > 0, "float32") - EYE > 0, ~np.eye(8, dtype=bool)),
    "not, twice": (lambda x: ops.logical_not(ops.logical_not(BAND) | (x[:, None, :, 0] > 7)), BAND),
    "chosen": (lambda x: ops.where(ops.convert_to_tensor(BAND), x[:, None, :, 0] < 7, False), BAND),
    "at least": (lambda x: ops.zeros_like(x[:, :, :1]) + np.arange(8) <= np.arange(8)[:, None], np.tri(8, dtype=bool)),
    "equal": (lambda x: ops.equal(ops.zeros_like(x[:, :, :1]) + np.arange(8) // 4, np.arange(8)[:, None] // 4), None),
    "padding and a beginning": (
        lambda x: ops.concatenate([ops.ones_like(x[:, None, :2, 0]), ops.cast(x[:, None, 2:, 0] < 7, "float32")], -1),
        np.ones((8, 8), bool),
    ),
    "as long as the first": (lambda x: ops.cast(9 * x[:, :1, :1], "int32") > np.arange(8), np.ones((8, 8), bool)),
}


@pytest.mark.parametrize("name", DERIVED)
def test_masks_that_are_computed_from_constants_and_the_input(name):
    """What a mask excludes whatever the input is; what it admits for some input counts as read."""
    mask, admits = DERIVED[name]
    admits = np.kron(np.eye(2, dtype=bool), np.ones((4, 4), bool)) if admits is None else admits
    inputs = keras.Input((8, 3))
    scores = ops.matmul(inputs, ops.ones((3, 8)))
    weights = layers.Softmax()(scores, ops.cast(mask(inputs), "bool"))
    field = receptive_field(keras.Model(inputs, ops.matmul(weights, inputs)))
    read = [np.flatnonzero(row | (np.arange(8) == query)) for query, row in enumerate(admits)]  # its scores are its own
    assert [field.box({1: query}) for query in range(8)] == [((row[0], row[-1]),) for row in read]


def test_matrix_products():
    """Rows of one operand, columns of the other; by a constant, a layer like any other."""
    inputs = keras.Input((6, 8, 2))
    x = layers.Conv2D(1, 3)(inputs)
    mixed = keras.Model(inputs, ops.matmul(np.ones((5, 4), "float32"), layers.Reshape((4, 6))(x)))
    field = receptive_field(mixed)
    assert (field.size, field.positions) == ((6, 3), (None, 2))
    (boxes,) = extents(mixed, mixed.outputs, [[{1: 0, 2: 0}, {1: 4, 2: 5}]], (6, 8, 2))
    assert [box[:2] for box in boxes] == [field.unit((0, 0)), field.unit((0, 5))]
    rows = layers.Reshape((4, 6))(x)
    crossed = keras.Model(inputs, ops.matmul(rows, layers.Permute((2, 1))(rows)))
    assert receptive_field(crossed).size == (6, 8)


# Layers that nobody has heard of.


class Blur(layers.Layer):
    """It calls TensorFlow, so it cannot be opened."""

    def call(self, x):
        return tf.nn.avg_pool2d(x, 3, strides=2, padding="VALID")

    def compute_output_shape(self, shape):
        return (shape[0], *((n - 3) // 2 + 1 for n in shape[1:3]), shape[3])


class Widen(layers.Layer):
    """The picture and its blurred copy, channel by channel."""

    def call(self, x):
        return tf.concat([x, tf.nn.avg_pool2d(x, 3, strides=1, padding="SAME")], axis=-1)

    def compute_output_shape(self, shape):
        return (*shape[:-1], 2 * shape[-1])


class Patches(layers.Layer):
    """Rows of pixels as vectors."""

    def call(self, x):
        return tf.reshape(x, (-1, 9, 18))

    def compute_output_shape(self, shape):
        return (shape[0], 9, 18)


class NamedConvolution(layers.Conv2D):
    pass


class OwnConvolution(layers.Conv2D):
    def call(self, x):
        return super().call(x[:, ::2])


def test_an_unknown_layer_is_named_and_can_be_given_a_rule():
    model = sequence((9, 9, 2), layers.Conv2D(2, 3), Blur(name="blur"))
    with pytest.raises(
        TypeError, match=r"(?s)'blur' is a Blur, called on \(None, 7, 7, 2\).*rules = {Blur: Rule\(sees="
    ):
        receptive_field(model)
    rules = {Blur: Rule(sees=lambda call, fields: fields[0].through({1: Window(3, 2), 2: Window(3, 2)}))}
    field = receptive_field(model, rules=rules)
    assert (field.size, field.stride) == ((5, 5), (2, 2))
    wrong = {Blur: Rule(sees=lambda call, fields: fields[0])}
    with pytest.raises(ValueError, match="gives 7 units along axis 1 of its output, but Keras gives 3"):
        receptive_field(model, rules=wrong)


@pytest.mark.parametrize("before", [[], [layers.Dense(2)], [layers.Permute((2, 1, 3))]], ids=["", "dense", "turned"])
def test_a_rule_need_not_speak_of_channels(before):
    """As the message advises it, for a layer before any that says where the channels are."""
    model = sequence((9, 9, 2), *before, Widen(), layers.Conv2D(1, 3))
    same = Window(3, before=1, after=1)
    field = receptive_field(model, rules={Widen: Rule(sees=lambda call, fields: fields[0].through({1: same, 2: same}))})
    assert field.size == (5, 5)
    units = corners(model.outputs[0].shape, (1, 2))
    (boxes,) = extents(model, model.outputs, [units], (9, 9, 2))
    assert [box[:2] for box in boxes] == answers(field, units)
    narrow = {Widen: Rule(sees=lambda call, fields: fields[0].through({1: Window(3), 2: Window(3)}))}
    with pytest.raises(ValueError, match=r"gives 7 units along axis \d of its output, but Keras gives 9"):
        receptive_field(model, rules=narrow)


def test_a_rule_that_forgets_an_axis_is_wrong():
    model = sequence((9, 9, 2), layers.Conv2D(2, 1), Patches(name="patches"))
    with pytest.raises(ValueError, match=r"'patches'.*gives 9 units along axis 2 of its output, but Keras gives 18"):
        receptive_field(model, rules={Patches: Rule(sees=lambda call, fields: fields[0])})
    turned = {Patches: Rule(sees=lambda call, fields: fields[0].moved({1: 1, 2: 3}))}
    with pytest.raises(ValueError, match=r"'patches'.*axis 3 of its output, but Keras gives 0"):
        receptive_field(model, rules=turned)


def test_a_subclass_inherits_a_rule_with_the_computation():
    assert receptive_field(sequence((9, 9, 2), NamedConvolution(2, 3))).size == (3, 3)
    own = sequence((9, 9, 2), OwnConvolution(2, 3, name="own"))
    assert receptive_field(own).size == (5, 3)
    rows = [(row.name, row.parameters) for row in layer_table(own)]
    assert rows == [("own/get_item", 0), ("own/conv", 0), ("own/add", 0), ("own", 38)]


def test_models_without_a_graph():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(TypeError, match="no graph of layers"):
        receptive_field(Subclassed())
    with pytest.raises(ValueError, match="no input shape"):
        receptive_field(keras.Sequential([layers.Dense(3)]))


def test_names_that_do_not_exist():
    model = cnn_models.build("lenet5")
    with pytest.raises(ValueError, match=r"Unknown layer 'c33'\. Did you mean c3"):
        receptive_field(model, "c33")
    with pytest.raises(ValueError, match="'stranger' is not called"):
        receptive_field(model, layers.Dense(3, name="stranger"))
    with pytest.raises(ValueError, match="inputs are"):
        receptive_field(model, source="nothing")
    inputs = keras.Input((9, 9, 2))
    forked = keras.Model(inputs, [layers.Conv2D(2, 3)(inputs), layers.Conv2D(2, 5)(inputs)])
    with pytest.raises(ValueError, match="consists of 2 tensors"):
        receptive_field(forked)


def test_upsampling_has_fractional_strides():
    field = receptive_field(sequence((9, 9, 2), layers.Conv2D(2, 3), layers.UpSampling2D((1, 2))))
    assert (field.size, field.stride) == ((3, 3), (1, Fraction(1, 2)))


def test_the_package_imports_no_framework_until_it_is_asked():
    program = "import sys, cnn_models; sys.exit(str({'keras', 'tensorflow', 'pandas'} & set(sys.modules) or ''))"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert imported.stderr.strip() == ""
    assert cnn_models.receptive_field is receptive_field
    assert {"layer_table", "receptive_field"} <= set(cnn_models.__all__)
    with pytest.raises(AttributeError, match="no attribute 'layers_table'"):
        cnn_models.layers_table  # noqa: B018


def test_the_units_that_see_a_pixel_are_those_whose_fields_hold_it():
    inputs = keras.Input((17, 12, 1))
    x = layers.Conv2D(1, 5, strides=2, dilation_rate=1, padding="same")(inputs)
    x = layers.UpSampling2D(3)(layers.MaxPooling2D(2)(x))
    field = receptive_field(keras.Model(inputs, x))
    units = np.array([[field.unit((row, column)) for column in range(9)] for row in range(12)])
    for pixel in ((0, 0), (8, 5), (16, 11)):
        seen = np.all((units[..., 0] <= pixel) & (pixel <= units[..., 1]), axis=-1)
        rows, columns = field.seeing(pixel)
        np.testing.assert_array_equal(np.argwhere(seen), [(row, column) for row in rows for column in columns])
    with pytest.raises(IndexError, match="17 positions"):
        field.seeing((17, 0))
    with pytest.raises(ValueError, match="2 indices"):
        field.seeing((1,))


def test_of_an_unknown_size_no_unit_is_said_to_see_a_pixel():
    inputs = keras.Input((None, None, 1))
    with pytest.raises(ValueError, match="not known"):
        receptive_field(keras.Model(inputs, layers.Conv2D(1, 3)(inputs))).seeing((0, 0))
