"""Custom layers that do what Keras's symbolic tensors do not know, or know only in part."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_models import layer_table, receptive_field
from tests.cnn_models.analysis.test_families import check, conv, model_of


def from_second_row(x):
    """A single slice, of the first axis."""
    return ops.transpose(ops.transpose(x, (1, 0, 2, 3))[1:], (1, 0, 2, 3))


def before_the_last_row(x):
    """The number of axes says where to index."""
    index = [slice(None)] * ops.ndim(x)
    index[1] = slice(0, -1)
    return x[tuple(index)]


def compared(x):
    """The left side of the comparison is a real tensor."""
    return ops.where(ops.arange(x.shape[1], dtype="float32")[None, :, None, None] < 100 * x, x, 2 * x)


OPENED = {
    "one slice": (from_second_row, (9, 8, 2)),
    "the number of axes": (before_the_last_row, (9, 8, 2)),
    "a comparison": (compared, (9, 8, 2)),
    "capital indices": (lambda x: ops.einsum("BHWC,HK->BKWC", x, np.ones((9, 4), "float32")), (9, 8, 2)),
}


@pytest.mark.parametrize("name", OPENED)
def test_a_layer_is_opened(name):
    function, shape = OPENED[name]
    model = model_of(shape, lambda x: conv(layers.Lambda(function, name="own")(x)))
    assert check(model, shape, clone=model, dtype="float32").size
    assert any(row.name.startswith("own/") for row in layer_table(model))


class Shifted(layers.Layer):
    """Keras calls its own `compute_output_shape`, which does not work, on symbolic tensors alone."""

    def call(self, x):
        return ops.roll(x, 1, 1)

    def compute_output_shape(self, shape):
        raise TypeError("not known")


class Maker(layers.Layer):
    """It makes a layer in its call."""

    def call(self, x):
        return Shifted()(x)[:, 2:]


def test_a_layer_made_in_the_call_of_another_is_opened():
    model = model_of((9, 8, 2), lambda x: conv(Maker(name="maker")(x)))
    # Rows 2 to 8 of those moved by one are rows 1 to 7 of the input; the first window has rows 1 to 3.
    assert check(model, (9, 8, 2), clone=model, dtype="float32").unit((0, 0)) == ((1, 3), (0, 2))


class OneOfTwo(layers.Layer):
    """Keras records two outputs, of which the second is never made."""

    def call(self, x):
        return x[:, 1:], None

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] - 1, *shape[2:]), shape


def test_an_output_that_is_not_made():
    model = model_of((9, 8, 2), lambda x: conv(OneOfTwo(name="half")(x)[0]))
    assert receptive_field(model).unit((0, 0)) == ((1, 3), (0, 2))
    assert all(None not in row.receptive_field for row in layer_table(model))


LOOPS = {
    "each picture": lambda x: ops.map(lambda picture: picture[1:], x),
    "each picture, at once": lambda x: ops.vectorized_map(lambda picture: picture[:, 2:], x),
    "two tensors": lambda x: ops.map(lambda pair: pair[0][1:] + pair[1][:-1], (x, x)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_over_rows_is_followed(name):
    model = model_of((9, 8, 2), lambda x: conv(LOOPS[name](x)))
    check(model, (9, 8, 2), clone=model, dtype="float32")
    assert sum(row.parameters for row in layer_table(model)) == model.count_params()


def test_a_loop_over_the_rows_of_a_picture():
    """The rows are in the batch; each is summed up from the left, so a unit sees its row as far as itself."""
    inputs = keras.Input((3, 4, 2))
    rows = ops.map(lambda row: ops.cumsum(row, axis=0), ops.reshape(inputs, (-1, 4, 2)))
    field = receptive_field(keras.Model(inputs, ops.reshape(rows, (-1, 3, 4, 2))))
    assert (field.unit((1, 2)), field.unit((2, 0))) == (((1, 1), (0, 2)), ((2, 2), (0, 0)))


def test_rotation_of_no_channels():
    """A rotary embedding of part of the channels may turn none of them; what has no elements sees nothing."""
    inputs = keras.Input((6, 4))
    halves = ops.split(inputs[:, :, :0], 2, axis=-1)
    turned = ops.reshape(ops.stack(halves, axis=-2), (-1, 6, 0))
    model = keras.Model(inputs, conv(ops.concatenate([turned, inputs], axis=-1)))
    assert receptive_field(model).unit((1,)) == ((1, 3),)
    assert all(None not in row.receptive_field for row in layer_table(model))


def test_sums_along_a_vector():
    """A tensor with one axis is its own flattened form."""
    inputs = keras.Input((6, 2))
    field = receptive_field(keras.Model(inputs, ops.cumsum(ops.reshape(inputs[:, :, 0], (-1,)))))
    assert field.box({0: 3}) == ((0, 3),)


def test_a_shift_of_relative_positions():
    """Scores of 4 queries and 5 distances, cut into other rows without the first of these (Dai et al. 2019).

    Element e of the result is element e + 4 of the scores, which is that of query (e + 4) // 5.
    """
    inputs = keras.Input((4, 3))
    scores = layers.Dense(5)(inputs)
    shifted = ops.reshape(ops.reshape(scores, (-1, 5, 4))[:, 1:], (-1, 4, 4))
    field = receptive_field(keras.Model(inputs, shifted))
    for query in range(4):
        for key in range(4):
            row = (4 * query + key + 4) // 5
            assert field.box({1: query, 2: key}) == ((row, row),)
    check(keras.Model(inputs, conv(shifted, 2)), (4, 3))
