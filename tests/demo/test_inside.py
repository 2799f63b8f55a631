"""The page shows the numbers that Keras computes."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.layers.blur import BlurPool2D
from cnn_models.layers.local import LocallyConnected2D
from demo import inside
from demo.inside import Network
from lab.data import datasets


@pytest.fixture(scope="module")
def inputs():
    return datasets.load("mnist").test.images[:1].astype("float32") / 255 - 0.5


def odd():
    """A network with strides, dilation, groups, padding on both sides, and custom layers."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(4, (3, 5), strides=2, padding="same", activation="gelu"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(6, 3, dilation_rate=2, padding="same", activation="tanh"),
            keras.layers.SeparableConv2D(4, 3, padding="same"),
            keras.layers.ReLU(),
            LocallyConnected2D(3, 3),
            BlurPool2D(),
            keras.layers.Conv2DTranspose(2, 3, strides=2),
            keras.layers.AveragePooling2D(3, padding="same"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(10, activation="sigmoid"),
        ],
        name="odd",
    )


def blocks():
    """A residual network, whose sums have two inputs."""
    given = keras.Input((28, 28, 1))
    first = keras.layers.Conv2D(3, 3, padding="same", name="first")(given)
    second = keras.layers.Conv2D(3, 3, padding="same", activation="relu", name="second")(first)
    joined = keras.layers.Add(name="sum")([first, second])
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(joined)
    return keras.Model(given, keras.layers.Dense(10, name="output")(pooled), name="blocks")


def units(network):
    """Three random units of each layer, the same in every order of tests."""
    chance = np.random.default_rng(0)
    for number, layer in enumerate(network.layers):
        shape = layer.output.shape[1:]
        for _ in range(3):
            yield number, layer, [int(chance.integers(side)) for side in shape]


NETWORKS = ("fc-matched", "lenet1", "lenet4", "lenet5-1998", "lenet5-relu", "conv-global-max", "ladder-local")


@pytest.mark.parametrize("build", [*NETWORKS, odd, blocks])
def test_the_sum_of_products_equals_keras_value(build, inputs):
    model = cnn_models.build(build) if isinstance(build, str) else build()
    network = Network(model)
    keras_says = keras.Model(model.inputs[0], [layer.output for layer in network.layers])(inputs)
    for number, layer, index in units(network):
        unit = network.unit(inputs, number, index)
        # In float32, through up to 13 layers of up to 1,152 products each: 1e-3 at the very most, of numbers about 1.
        assert unit.value == pytest.approx(float(np.asarray(keras_says[number])[(0, *index)]), rel=1e-3, abs=1e-3)
        if type(layer).__name__ in ("RBFOutput", "Add", "ReLU"):
            continue
        weighted_sum = unit.weighted_sum
        assert weighted_sum is not None, layer.name
        total = weighted_sum.products + weighted_sum.bias
        parts = np.abs(weighted_sum.patch * weighted_sum.kernel)
        rounding = float((parts.size + 4) * np.finfo("float32").eps * (parts.sum() + abs(weighted_sum.bias)))
        assert total == pytest.approx(weighted_sum.before, rel=0, abs=rounding)
        assert weighted_sum.answer == pytest.approx(unit.value, rel=1e-6, abs=2 * rounding)  # no activation is steeper
        assert weighted_sum.patch.shape == weighted_sum.kernel.shape


def test_kernel_and_patch_are_those_of_the_layer_and_its_input(inputs):
    model = cnn_models.build("lenet5-relu")
    network = Network(model)
    corner = network.unit(inputs, 0, (0, 27, 4)).weighted_sum
    assert (corner.kernel == model.get_layer("c1").kernel.numpy()[..., 4]).all()
    assert corner.corner == (-2, 25)
    assert (corner.patch[2:, :3] == inputs[0, :3, 25:]).all()
    assert not corner.patch[:2].any()
    assert not corner.patch[:, 3:].any()
    pooled = network.unit(inputs, 1, (3, 4, 5)).weighted_sum
    assert pooled.channels == [5]
    assert sorted(pooled.kernel.ravel()) == [0, 0, 0, 1]
    dense = network.unit(inputs, 4, (7,)).weighted_sum
    assert (dense.kernel == model.get_layer("c5").kernel.numpy()[:, 7].reshape(5, 5, 16)).all()


def test_the_sparse_layer_of_1998_shows_only_the_maps_it_reads(inputs):
    network = Network(cnn_models.build("lenet5-1998"))
    number = [layer.name for layer in network.layers].index("c3")
    assert network.unit(inputs, number, (4, 4, 0)).weighted_sum.channels == [0, 1, 2]


def test_the_field_is_that_of_cnn_models(inputs):
    network = Network(cnn_models.build("lenet5-1998"))
    for number, layer, index in units(network):
        field = cnn_models.receptive_field(network.model, layer)
        assert network.unit(inputs, number, index).field == field.unit((*index[:-1], 0, 0)[:2])


def test_values_that_are_no_sum_of_products_have_no_weighted_sum(inputs):
    squares = Network(cnn_models.build("lenet5-1998"))
    for weight in squares.model.get_layer("f6").weights:
        weight.assign(weight + 0.1)  # so that its codes are not near zero, where the squares vanish
    squares = Network(squares.model)
    assert squares.unit(inputs, len(squares.layers) - 1, (3,)).weighted_sum is None
    network = Network(blocks())
    sums = [layer.name for layer in network.layers].index("sum")
    assert network.unit(inputs, sums, (3, 3, 1)).weighted_sum is None
    last = network.unit(inputs, len(network.layers) - 1, (3,)).weighted_sum
    assert last.patch.shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("layer", "index"), [(99, (0,)), (-1, (0,)), (0, (28, 0, 0)), (0, (0, 0)), (0, (-1, 0, 0)), (0, ())]
)
def test_an_unknown_layer_or_unit_is_refused(inputs, layer, index):
    with pytest.raises(ValueError, match="There is no"):
        Network(cnn_models.build("lenet5-relu")).unit(inputs, layer, index)


def test_a_shared_layer_is_refused():
    given = keras.Input((28, 28, 1))
    shared = keras.layers.Conv2D(1, 3, padding="same")
    with pytest.raises(ValueError, match="shared"):
        Network(keras.Model(given, shared(shared(given))))


def test_maps_move_along_and_dense_layers_do_not(inputs):
    network = Network(cnn_models.build("lenet5-relu"))
    moved = np.full_like(inputs, -0.5)
    moved[:, :, 4:] = inputs[:, :, :-4]
    then = network.activations(np.concatenate([inputs, moved]))
    found = {
        layer.name: inside.correlations(answer[0], answer[1], field, (0, 4))
        for layer, answer, field in zip(network.layers, then, network.fields, strict=True)
    }
    for name in ("c1", "s2", "c3", "s4"):
        assert found[name]["along"] == pytest.approx(1)
        assert found[name]["stays"] < 0.99
    assert found["c5"]["along"] is None
    assert found["c5"]["stays"] < 1
    flat = np.zeros((28, 28, 6))
    assert inside.correlations(flat, flat, network.fields[0], (0, 4)) == {"stays": None, "along": None}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(1.23456, 1.234561)], 4),
        ([(1.23454, 1.23456)], 3),
        ([(1.0, 1.0), (0.4, 0.6)], 0),
        ([(-0.0, 0.0)], 4),
        ([(-1e-6, 1e-6)], 4),
    ],
)
def test_numbers_are_shown_with_the_decimals_in_which_they_agree(pairs, expected):
    assert inside.decimals(pairs) == expected
