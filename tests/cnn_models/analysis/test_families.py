"""The rules of all families of layers and operations, against the gradient, and the opening of custom layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from cnn_models import layer_table, receptive_field
from tests.support.gradient_extent import corners, extents, smooth


def model_of(shape, network):
    inputs = keras.Input(shape)
    return keras.Model(inputs, network(inputs))


def places_of(field):
    """The axes of the tensor along which units see different positions."""
    positions = [axis if isinstance(axis, tuple) else (axis,) for axis in field.positions]
    return sorted({place for axes in positions for place in axes if place is not None})


def check(model, shape, *, spatial=None, clone=None, dtype="float64", compiled=False):
    """Compares the units at corners and in the middle of a model's output with the gradient; returns the field."""
    field = receptive_field(model)
    units = corners(model.outputs[0].shape, places_of(field))
    clone = clone or smooth(model, dtype=dtype)
    if ONE & {type(layer).__name__ for layer in clone.operations}:
        boxes = [extents(clone, [clone.outputs[0]], [[unit]], shape)[0][0] for unit in units]
    else:
        (boxes,) = extents(clone, [clone.outputs[0]], [units], shape, compiled=compiled)
    spatial = range(len(field.size)) if spatial is None else spatial
    assert [box and tuple(box[axis] for axis in spatial) for box in boxes] == [field.box(unit) for unit in units]
    return field


ONE = {"Slice", "BroadcastTo", "Concatenate"}
"""Operations with the batch among their arguments, so that the gradient is taken for one unit at a time."""


def conv(x, size=3, **options):
    return getattr(layers, f"Conv{len(x.shape) - 2}D")(2, size, **options)(x)


def windows(x, side, shift=0):
    """A picture as rows of windows, as in Swin (Liu et al. 2021)."""
    _, height, width, maps = x.shape
    x = ops.roll(x, (-shift, -shift), (1, 2)) if shift else x
    x = ops.reshape(x, (-1, height // side, side, width // side, side, maps))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, side * side, maps))


def picture(x, height, width, side, shift=0):
    maps = x.shape[-1]
    x = ops.reshape(x, (-1, height // side, width // side, side, side, maps))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, maps))
    return ops.roll(x, (shift, shift), (1, 2)) if shift else x


def swin(x, side, shift=0):
    tokens = windows(x, side, shift)
    return picture(tokens + ops.mean(tokens, axis=1, keepdims=True), *x.shape[1:3], side, shift)


def shuffled(x, block):
    """Pixels from channels, by a reshape."""
    _, height, width, maps = x.shape
    x = ops.reshape(x, (-1, height, width, block, block, maps // block**2))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height * block, width * block, maps // block**2))


KERNEL = np.ones((3, 2, 2, 2))
CASES = {
    # Slices, splits and stacks.
    "rows from the second": ((9, 8, 2), lambda x: conv(x)[:, 1:]),
    "every other row, columns without the border": ((9, 8, 2), lambda x: conv(x)[:, ::2, 1:-1]),
    "every third from the second": ((13, 2), lambda x: conv(x)[:, 1::3]),
    "the last row": ((9, 8, 2), lambda x: conv(x)[:, -1]),
    "one column": ((9, 8, 2), lambda x: conv(x)[:, :, 2]),
    "a new axis": ((9, 8, 2), lambda x: conv(x)[:, 1:, None]),
    "an ellipsis": ((9, 8, 2), lambda x: conv(x)[..., 1:, :]),
    "the last first": ((9, 8, 2), lambda x: conv(x)[:, ::-1]),
    "every other, the last first": ((9, 8, 2), lambda x: conv(x)[:, 5:1:-2]),
    "a layer on a flipped row": ((9, 2), lambda x: conv(ops.flip(x, 1)[:, 2:], 2, strides=2)),
    "a slice": ((9, 8, 2), lambda x: ops.slice(conv(x), (0, 2, 1, 0), (1, 3, 4, 2))[:, :, 1:]),
    "a half of the rows": ((10, 8, 2), lambda x: ops.split(conv(x), 2, axis=1)[1]),
    "parts of the columns": ((9, 9, 2), lambda x: ops.split(conv(x), [2, 5], axis=2)[1]),
    "one of the unstacked rows": ((5, 8, 2), lambda x: ops.unstack(conv(x), axis=1)[2]),
    "rows by number": ((9, 8, 2), lambda x: ops.take(conv(x), [4, 0, 4], axis=1)),
    "rows by a table": ((9, 8, 2), lambda x: ops.take(conv(x), [[4, 0], [1, 5], [2, 3]], axis=1)),
    "one row by number": ((9, 8, 2), lambda x: ops.take(conv(x), 3, axis=1)),
    "two pictures stacked": ((6, 5, 2), lambda x: ops.stack([x, conv(x, padding="same")], axis=1)),
    "one of two stacked": ((6, 5, 2), lambda x: ops.stack([x, conv(x, padding="same")], axis=2)[:, :, 0]),
    "with a constant in front": (
        (6, 2),
        lambda x: conv(ops.concatenate([np.ones((1, 2, 2)), conv(x)], axis=1), 2),
    ),
    "one below the other": ((5, 4, 2), lambda x: ops.hstack([x, conv(x, padding="same")])),
    # Movements.
    "transposed": ((9, 8, 2), lambda x: conv(ops.transpose(x, (0, 2, 1, 3)), (3, 1))),
    "axes swapped": ((9, 8, 2), lambda x: ops.swapaxes(conv(x, (3, 1)), 1, 2)),
    "an axis moved": ((9, 8, 2), lambda x: ops.moveaxis(conv(x, (3, 1)), 1, -1)),
    "axes added and removed": ((9, 8, 2), lambda x: ops.squeeze(ops.expand_dims(conv(x), 2), 2)[:, 1:]),
    "rolled": ((9, 8, 2), lambda x: conv(ops.roll(x, (2, -3), (1, 2)))),
    "repeated": ((5, 4, 2), lambda x: conv(ops.repeat(x, 3, axis=1))),
    "tiled": ((5, 4, 2), lambda x: conv(ops.tile(x, (1, 2, 1, 1)))),
    "broadcast": ((5, 2), lambda x: ops.broadcast_to(ops.expand_dims(conv(x), 1), (1, 4, 3, 2))),
    "padded": ((9, 8, 2), lambda x: conv(ops.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), strides=2)),
    "mirrored": ((9, 8, 2), lambda x: conv(ops.pad(x, ((0, 0), (2, 1), (3, 0), (0, 0)), "reflect"))),
    "mirrored with the border": ((9, 8, 2), lambda x: conv(ops.pad(x, ((0, 0), (2, 1), (3, 0), (0, 0)), "symmetric"))),
    "rows as one sequence": ((4, 5, 2), lambda x: conv(ops.reshape(conv(x, 2), (-1, 12, 2)), 2)),
    "a sequence as rows": ((14, 2), lambda x: conv(ops.reshape(conv(x), (-1, 3, 4, 2)), 2)),
    "pixels from channels": ((4, 3, 8), lambda x: conv(shuffled(layers.Conv2D(8, 2, padding="same")(x), 2))),
    "depth to space": ((4, 3, 8), lambda x: conv(ops.depth_to_space(layers.Conv2D(8, 2)(x), 2))),
    "space to depth": ((8, 6, 2), lambda x: conv(ops.space_to_depth(x, 2), 2)),
    # Reductions and normalisations along axes.
    "variance of rows": ((9, 8, 2), lambda x: ops.var(conv(x), axis=1)),
    "deviation, kept": ((9, 8, 2), lambda x: x + ops.std(x, axis=2, keepdims=True)),
    "sum of exponentials": ((9, 8, 2), lambda x: ops.logsumexp(conv(x), axis=1)),
    "mean and variance": ((9, 8, 2), lambda x: ops.moments(conv(x), axes=[2])[1]),
    "sums so far": ((6, 5, 2), lambda x: ops.cumsum(conv(x, 2), axis=1)),
    "softmax of rows": ((6, 5, 2), lambda x: ops.softmax(conv(x, 2), axis=1)),
    "normalised": ((6, 5, 2), lambda x: ops.normalize(conv(x, 2), axis=2)),
    "halves": ((6, 5, 4), lambda x: ops.glu(conv(x, 2), axis=-1)),
    "halves of rows": ((7, 5, 2), lambda x: ops.glu(conv(x, 2), axis=1)),
    "activations": (
        (6, 5, 2),
        lambda x: keras.activations.relu(keras.activations.relu(conv(x, 2)) + 1.0, negative_slope=0.1),
    ),
    # Windows.
    "convolution": ((9, 8, 2), lambda x: ops.conv(x, KERNEL, strides=(2, 1), padding="same")),
    "dilated convolution": ((9, 8, 2), lambda x: ops.conv(x, KERNEL, dilation_rate=2)),
    "depthwise": ((9, 8, 2), lambda x: ops.depthwise_conv(x, KERNEL, strides=1, padding="same")),
    "separable": (
        (9, 8, 2),
        lambda x: ops.separable_conv(x, KERNEL, np.ones((1, 1, 4, 3)), strides=1),
    ),
    "average pool": ((9, 8, 2), lambda x: ops.average_pool(x, (3, 2), (2, 1), padding="same")),
    "pool as large as its step": ((9, 8, 2), lambda x: ops.average_pool(x, 2)),
    "adaptive": ((9, 8, 2), lambda x: layers.AdaptiveAveragePooling2D((4, 2))(x)),
    "patches": ((9, 8, 2), lambda x: conv(ops.image.extract_patches(x, (3, 2)), 1)),
    "centre": ((9, 8, 2), lambda x: conv(layers.CenterCrop(6, 5)(x))),
    # Products.
    "einsum": ((5, 4, 2), lambda x: ops.einsum("bhwc,hk->bkwc", conv(x, 2), np.ones((4, 3)))),
    "scores": ((6, 2), lambda x: ops.einsum("bqc,bkc->bqk", conv(x, 2), x)),
    "attention by hand": (
        (6, 2),
        lambda x: ops.einsum("bqk,bkc->bqc", ops.softmax(ops.einsum("bqc,bkc->bqk", x, x)), conv(x, padding="same")),
    ),
    "a matrix from the left": ((5, 4, 2), lambda x: ops.matmul(np.ones((3, 4)), conv(x, 2)[..., 0])),
    "two matrices": ((5, 4, 2), lambda x: ops.matmul(conv(x, (2, 1))[..., 0], conv(x, (2, 2))[..., 1])),
    "einsum of a layer": ((5, 4, 2), lambda x: layers.EinsumDense("abcd,bk->akcd", (3, 4, 2))(x)),
    "dense by einsum": ((5, 4, 2), lambda x: conv(ops.einsum("...x,xy->...y", x, np.ones((2, 3))), 2)),
    # Sequences.
    "recurrent": ((6, 3), lambda x: layers.LSTM(2, return_sequences=True)(conv(x, 2))),
    "recurrent, to the end": ((6, 3), lambda x: layers.GRU(2)(conv(x, 2)[:, 1:])),
    "recurrent, from the end": (
        (6, 3),
        lambda x: layers.SimpleRNN(2, return_sequences=True, go_backwards=True)(conv(x, 2)),
    ),
    "both ways": ((6, 3), lambda x: layers.Bidirectional(layers.LSTM(2, return_sequences=True))(conv(x, 2)[:, 1:])),
    "pictures in time": ((3, 9, 7, 2), lambda x: layers.ConvLSTM2D(2, (3, 2), padding="same")(x)[:, 4:, 3:]),
    "pictures in time, with steps": ((3, 9, 7, 2), lambda x: layers.ConvLSTM2D(2, (3, 2), strides=2)(x)),
    "a layer at each step": (
        (3, 9, 7, 2),
        lambda x: layers.TimeDistributed(layers.Conv2D(2, (3, 2), strides=2, dtype="float64"))(x),
    ),
    # Windows of attention.
    "windows": ((6, 4, 2), lambda x: swin(x, 2)),
    "shifted windows": ((6, 4, 2), lambda x: swin(swin(x, 2), 2, 1)),
    "windows of patches": ((8, 8, 2), lambda x: swin(swin(conv(x, 2, strides=2), 2), 2, 1)),
    "a grid": ((6, 4, 2), lambda x: x + ops.repeat(ops.mean(ops.reshape(x, (-1, 3, 2, 4, 2)), 1), 3, axis=1)),
    "merged patches": (
        (8, 6, 2),
        lambda x: layers.Dense(2)(ops.concatenate([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=-1)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    shape, network = CASES[name]
    check(model_of(shape, network), shape)


def test_a_transposed_convolution_as_an_operation_is_that_of_the_layer():
    """Keras's operation has no gradient on real tensors; the layer is checked elsewhere."""
    operation = model_of((5, 4, 2), lambda x: ops.conv_transpose(x, KERNEL, strides=2, padding="same"))
    layer = model_of((5, 4, 2), layers.Conv2DTranspose(2, (3, 2), strides=2, padding="same"))
    fields = [receptive_field(model) for model in (operation, layer)]
    assert fields[0].parts == fields[1].parts


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(6, 3), (12, 10), (9, 12)])
def test_resizing(kind, size):
    """Larger and smaller; a fraction repeats its pattern."""
    shape = (9, 6, 2)
    model = model_of(shape, lambda x: ops.image.resize(conv(x, padding="same"), size, interpolation=kind))
    check(model, shape, dtype="float32")
    check(model_of(shape, layers.Resizing(*size, interpolation=kind)), shape, dtype="float32")


def test_a_causal_mask_is_a_prefix():
    model = model_of((6, 3), lambda x: layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    field = check(model, (6, 3), clone=model)
    assert (field.size, field.unit((2,))) == ((6,), ((0, 2),))


AUGMENTATION = {
    **dict.fromkeys(("RandomBrightness", "RandomContrast", "RandomRotation", "RandomZoom", "RandomShear"), (0.5,)),
    **dict.fromkeys(("RandomHue", "RandomColorDegeneration", "RandomSharpness", "RandomSaturation"), (0.5,)),
    **dict.fromkeys(("RandomFlip", "RandomErasing", "RandomGrayscale", "RandomInvert", "RandomGaussianBlur"), ()),
    **dict.fromkeys(("RandomElasticTransform", "RandomPerspective", "MixUp", "CutMix", "AugMix", "RandAugment"), ()),
    "RandomTranslation": (0.3, 0.3),
    "RandomPosterization": (4,),
    "RandomColorJitter": (),
}


@pytest.mark.parametrize("name", AUGMENTATION)
def test_augmentation_is_the_identity_at_inference(name):
    layer = getattr(layers, name)(*AUGMENTATION[name])
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 9, 8, 3)).astype("float32")
    assert np.array_equal(layer(pictures, training=False), pictures)
    assert receptive_field(model_of((9, 8, 3), lambda x: conv(layer(x)))).size == (3, 3)


def test_a_shifted_window_has_a_closed_form():
    """Patches of two pixels in windows of two, shifted by one: each unit sees two windows."""
    model = model_of((16, 16, 2), lambda x: swin(swin(conv(x, 2, strides=2), 2), 2, 1))
    field = receptive_field(model)
    assert (field.size, field.stride) == ((8, 8), (2, 2))
    assert field.unit((3, 3)) == ((4, 11), (4, 11))
    assert field.unit((0, 0)) == ((0, 15), (0, 15))  # rolled to the other end


# Layers and models made of Keras's layers.


class Scaled(layers.Layer):
    """Weights of its own, and a layer inside."""

    def __init__(self, filters, **options):
        super().__init__(**options)
        self.inner = layers.Conv2D(filters, 3, padding="same", name="inner")
        self.spare = layers.Dense(4, name="spare")

    def build(self, shape):
        self.inner.build(shape)
        self.spare.build((None, 2))
        self.factor = self.add_weight(shape=(1,), name="factor", initializer="ones")
        self.offset = self.add_weight(shape=(1,), name="offset", trainable=False, initializer="ones")

    def call(self, x, mask=None, training=False):
        x = self.inner(x) * self.factor + self.offset
        return ops.dropout(x, 0.5) if training else x

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.inner.filters)


class Twice(layers.Layer):
    """One layer inside another, called twice, with two outputs and two inputs."""

    def __init__(self, **options):
        super().__init__(**options)
        self.block = Scaled(2, name="block")

    def call(self, x, other):
        once = self.block(x)
        return {"once": once, "twice": self.block(once) + other}

    def compute_output_shape(self, x_shape, other_shape):
        return {"once": x_shape, "twice": x_shape}


class Opaque(layers.Layer):
    """It calls TensorFlow, so it cannot be opened."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(1,), name="factor")

    def call(self, x):
        return tf.multiply(x, self.factor)


def test_a_custom_layer_is_opened():
    model = model_of((9, 8, 2), lambda x: conv(Scaled(3, name="scaled")(x)))
    assert check(model, (9, 8, 2), clone=model, dtype="float32").size == (5, 5)
    table = layer_table(model)
    rows = [(row.name, row.type, row.parameters, row.trainable) for row in table]
    assert rows[:4] == [
        ("scaled/inner", "Conv2D", 57, 57),
        ("scaled/multiply", "Multiply", 0, 0),
        ("scaled/add", "Add", 0, 0),
        ("scaled", "Scaled", 2, 1),
    ]
    assert [(row.name, row.type, row.parameters) for row in table if row.call is None] == [
        ("scaled/spare", "not called", 12)
    ]
    assert sum(row.parameters for row in table) == model.count_params()
    assert table[3].receptive_field == (3, 3)
    assert receptive_field(model, "scaled").size == receptive_field(model, "scaled/inner").size == (3, 3)


def test_opening_leaves_the_model_as_it_was():
    """The layers inside are called by nobody else, and names of new layers go on where they were."""
    layer = Scaled(2)
    model = model_of((9, 8, 2), layer)
    layer_table(model)
    assert not layer.inner._inbound_nodes
    first, second = layers.Conv2D(1, 1), layers.Conv2D(1, 1)
    assert int(second.name.rpartition("_")[2]) == int(first.name.rpartition("_")[2] or 0) + 1
    again = layer_table(model)
    assert [row.name for row in again] == [row.name for row in layer_table(model)]


def test_layers_inside_opened_layers():
    inputs = keras.Input((9, 8, 2))
    made = Twice(name="outer")(inputs, ops.roll(inputs, 4, 1))
    model = keras.Model(inputs, made["twice"])
    rows = {(row.name, row.call): row for row in layer_table(model)}
    assert rows["outer/block/inner", 0].receptive_field == (3, 3)
    assert rows["outer/block/inner", 1].receptive_field == (5, 5)
    assert (rows["outer/block/inner", 0].parameters, rows["outer/block/inner", 1].parameters) == (38, 0)
    assert sum(row.parameters for row in rows.values()) == model.count_params()
    check(model, (9, 8, 2), clone=model, dtype="float32")


class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.stem, self.block = layers.Conv2D(2, 3, strides=2, name="stem"), Scaled(4, name="block")

    def call(self, x, training=False):
        return self.block(self.stem(x), training=training)


def test_a_subclassed_model_is_opened():
    model = Network()
    with pytest.raises(TypeError, match="no input shape yet: call it once"):
        layer_table(model)
    model(np.zeros((2, 9, 8, 1), "float32"))
    assert receptive_field(model).size == (7, 7)
    assert receptive_field(model, "block/inner").size == (7, 7)
    assert sum(row.parameters for row in layer_table(model)) == model.count_params()
    nested = model_of((9, 8, 1), lambda x: conv(model(x), 2))
    assert receptive_field(nested).size == (9, 9)


class Halved(keras.Model):
    """A functional model, but for its call."""

    def __init__(self):
        inputs = keras.Input((9, 8, 1))
        super().__init__(inputs, layers.Conv2D(1, 3, padding="same")(inputs))

    def call(self, x):
        return super().call(x)[:, ::2]


def test_the_call_of_a_functional_model_counts():
    assert receptive_field(model_of((9, 8, 1), lambda x: conv(Halved()(x), (3, 1)))).size == (7, 3)


def test_an_unknown_layer_hides_what_depends_on_it_alone():
    inputs = keras.Input((9, 8, 2))
    known = conv(inputs)
    strange = Opaque(name="strange")(known)
    other = Opaque(name="other")(known)
    model = keras.Model(inputs, layers.Add(name="sum")([conv(strange), conv(layers.ReLU()(other))]))
    table = layer_table(model)
    rows = {row.name: row for row in table}
    assert table[0].receptive_field == (3, 3)
    assert rows["strange"].receptive_field == rows["sum"].receptive_field == (None, None)
    assert (rows["strange"].macs, rows["strange"].parameters, rows["sum"].macs) == (None, 1, 0)
    assert sum(row.parameters for row in table) == model.count_params()
    assert "?: Layer 'strange' is a Opaque, called on (None, 7, 6, 2)" in str(table)
    assert receptive_field(model, table[0].name).size == (3, 3)
    with pytest.raises(TypeError, match=r"(?s)'strange' is a Opaque.*rules = {Opaque: Rule\(sees="):
        receptive_field(model)


def test_all_unknown_kinds_are_listed_at_once_with_advice_that_works():
    class Another(Opaque):
        def call(self, x):
            return tf.multiply(x, 2.0)

    model = model_of((9, 8, 2), lambda x: conv(Another(name="b")(Opaque(name="a")(conv(x)))))
    with pytest.raises(TypeError, match="'a' is a Opaque") as caught:
        receptive_field(model)
    _, *lines = str(caught.value).splitlines()
    code = "\n".join(line.strip() for line in lines if line.startswith("    "))
    scope = {"Opaque": Opaque, "Another": Another, "model": model, "receptive_field": receptive_field}
    exec(code, scope)
    assert receptive_field(model, rules=scope["rules"]).size == (9, 9)  # four layers of 3×3


def test_gates_can_be_left_out():
    """Squeeze and excitation: with its gate a unit sees everything, without it what the convolutions see."""

    def block(x):
        gate = layers.Dense(2, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        return layers.Multiply()([x, gate])

    for height in (9, None):
        model = model_of((height, 8, 2), lambda x: conv(block(conv(x))))
        assert receptive_field(model).whole == (True, True)
        assert receptive_field(model, gates=False).size == (5, 5)
        last = layer_table(model)[-1]
        assert (last.without_gates, last.receptive_field) == ((5, 5), (height, 8))
    local = model_of((9, 8, 2), lambda x: layers.Multiply()([x, conv(x, padding="same", activation="sigmoid")]))
    assert receptive_field(local, gates=False).size == (3, 3)  # a mask that sees little is no gate
    everything = model_of((9, 8, 2), lambda x: block(layers.GlobalAveragePooling2D(keepdims=True)(x)))
    assert receptive_field(everything, gates=False).size == (9, 8)


def test_a_fixed_batch_changes_nothing():
    def network(x):
        tokens = windows(Scaled(2, name="scaled")(x), 2)
        return layers.Dense(3)(tokens)

    def rows(**shape):
        inputs = keras.Input(**shape)
        return [
            (row.name.partition("_")[0], row.macs, row.activation_bytes, row.receptive_field)
            for row in layer_table(keras.Model(inputs, network(inputs)))
        ]

    assert rows(shape=(6, 4, 2)) == rows(batch_shape=(5, 6, 4, 2))
    assert rows(shape=(6, 4, 2))[-2][1] == 6 * 4 * 2 * 3


def test_tensors_without_elements():
    """As where a rotary embedding turns all channels, and the rest of them is empty."""
    inputs = keras.Input((6, 4, 2))
    empty = ops.reshape(conv(inputs)[:, :0], (-1, 0, 1))
    model = keras.Model(inputs, ops.concatenate([ops.reshape(conv(inputs), (-1, 8, 2))[:, :, :1], empty], axis=1))
    assert receptive_field(model).box({1: 0}) == ((0, 2), (0, 2))
    assert all(None not in row.receptive_field for row in layer_table(model))
