"""Gradient ascent finds known templates, at their size and reproducibly."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import cnn_models
from cnn_models.gradients import targets
from cnn_models.gradients.maximisation import NAIVE, Ascent, maximise
from lab.learn import devices


def templates(count=4, side=7):
    """Smooth random patterns with mean 0, `(side, side, 1, count)`."""
    noise = np.random.default_rng(7).normal(size=(count, side + 2, side + 2))
    smooth = sum(noise[:, dy : dy + side, dx : dx + side] for dy in range(3) for dx in range(3))
    return np.moveaxis(smooth - smooth.mean(axis=(1, 2), keepdims=True), 0, -1)[:, :, np.newaxis].astype("float32")


def planted(activation=None, bias=0.0, normalised=False, side=20):
    """A network whose first convolution has known templates as kernels."""
    layers = [keras.Input((side, side, 1)), keras.layers.Conv2D(4, 7, activation=activation, name="conv")]
    if normalised:
        layers += [keras.layers.BatchNormalization(name="norm"), keras.layers.ReLU(name="relu")]
    model = keras.Sequential(layers)
    model.get_layer("conv").set_weights([templates(), np.full(4, bias, "float32")])
    if normalised:
        scale, shift, mean, variance = np.full(4, 0.7), np.full(4, -5.0), np.arange(4.0), np.full(4, 9.0)
        model.get_layer("norm").set_weights([scale, shift, mean, variance])
    return model


def correlations(pictures, channels=range(4)):
    wanted = np.moveaxis(templates(), -1, 0)[list(channels)]
    pairs = zip(pictures, wanted, strict=True)
    return [np.corrcoef(found.ravel(), template.ravel())[0, 1] for found, template in pairs]


@pytest.mark.parametrize(
    ("options", "layer"),
    [
        ({}, "conv"),
        ({"activation": "relu", "bias": -50.0}, "conv"),  # silent on noise: no slope but before the activation
        ({"normalised": True}, "relu"),
    ],
)
def test_a_planted_template_is_recovered(options, layer):
    found = maximise(planted(**options), layer)
    assert found.pictures.shape == (4, 7, 7, 1)
    assert min(correlations(found.pictures)) > 0.9  # 0.980, whatever the noise it begins with
    assert (found.after > found.before).all()


def test_plain_ascent_finds_nothing_behind_a_silent_rectifier():
    found = maximise(planted(normalised=True), "relu", NAIVE)
    assert not found.after.any()
    assert max(np.abs(correlations(found.pictures))) < 0.5  # the noise's own: 0.14 to 0.40 with seeds 0 to 4


def test_equal_seeds_give_equal_pictures_for_every_batch_size():
    model = planted()
    first = maximise(model, "conv", seed=3)
    np.testing.assert_array_equal(maximise(model, "conv", seed=3).pictures, first.pictures)
    # Each step adds a gradient, which is that of a linear layer, so what it rounds off is not amplified: a few
    # epsilons a step. Pictures in another order, or other noise, are off by tenths.
    apart = 10 * Ascent().steps * np.finfo("float32").eps
    np.testing.assert_allclose(maximise(model, "conv", seed=3, batch_size=1).pictures, first.pictures, atol=apart)
    short = Ascent(steps=2)  # many steps lead from any noise to the one template there is
    assert (
        np.abs(maximise(model, "conv", short, seed=4).pictures - maximise(model, "conv", short, seed=3).pictures).max()
        > 1e-3
    )


def test_pictures_are_bounded_and_plain_ascent_is_rougher_on_a_normalised_network():
    keras.utils.set_random_seed(1)
    model = cnn_models.build("bn-6")
    ours, plain = (maximise(model, "relu6", how, channels=range(8)).pictures for how in (Ascent(), NAIVE))
    assert np.sqrt((ours**2).mean(axis=(1, 2, 3))).max() <= 0.5 + 1e-5  # a hundred roundings of 6e-8
    assert np.abs(plain).max() <= 1
    assert roughness(plain) > 1.2 * roughness(ours)  # networks of seeds 0 to 3: 1.33 to 1.42


def roughness(pictures):
    """Mean squared difference of neighbouring pixels, relative to the mean square."""
    return sum((np.diff(pictures, axis=axis) ** 2).mean() for axis in (1, 2)) / (pictures**2).mean()


@pytest.mark.parametrize(("layer", "side"), [("c1", 5), ("s2", 6), ("c3", 14), ("c5", 28)])
def test_pictures_have_the_size_of_the_receptive_field(layer, side):
    found = maximise(cnn_models.build("lenet5-relu"), layer, Ascent(steps=1), channels=[0, 2])
    assert found.pictures.shape == (2, side, side, 1)
    (top, bottom), (left, right) = found.box
    assert (bottom - top + 1, right - left + 1) == (side, side)


def test_the_ascent_does_not_change_the_network():
    model = planted("relu")
    maximise(model, "conv", Ascent(steps=1))
    assert model.get_layer("conv").activation is keras.activations.relu
    assert model(np.random.default_rng(0).normal(size=(1, 20, 20, 1))).numpy().min() == 0


def test_a_network_of_open_size_gets_one_and_keeps_its_colours():
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, strides=2, name="conv")])
    found = maximise(model, "conv", Ascent(steps=2), low=0, high=255)
    assert found.pictures.shape == (2, 3, 3, 3)


def nested(model=None):
    """A model inside a model inside a model."""
    inner = keras.Sequential([keras.Input((20, 20, 1)), *(model or planted()).layers], name="inner")
    middle = keras.Sequential([keras.Input((20, 20, 1)), inner, keras.layers.Conv2D(3, 3, name="next")], name="middle")
    inputs = keras.Input((20, 20, 1))
    return keras.Model(inputs, keras.layers.GlobalMaxPooling2D(name="most")(middle(inputs)))


@pytest.mark.parametrize("layer", ["middle/inner/conv", "conv", "middle/inner"])
def test_a_layer_of_a_nested_model_gives_the_same_pictures_as_alone(layer):
    found, alone = (maximise(model, name, Ascent(steps=8)) for model, name in ((nested(), layer), (planted(), "conv")))
    np.testing.assert_allclose(found.pictures, alone.pictures, atol=1e-5)


def test_a_nested_activation_is_removed_and_restored():
    model = nested(planted("relu", bias=-50.0))
    assert min(correlations(maximise(model, "conv").pictures)) > 0.9
    assert model.get_layer("middle").get_layer("inner").get_layer("conv").activation is keras.activations.relu


def test_nested_models_of_open_size_get_one():
    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, name="conv")], name="inner")
    inputs = keras.Input((None, None, 3))
    found = maximise(keras.Model(inputs, inner(inputs)), "inner/conv", Ascent(steps=2))
    assert found.pictures.shape == (2, 3, 3, 3)


def shared():
    """One convolution, called on the picture and again on its own output."""
    conv = keras.layers.Conv2D(1, 3, name="conv")
    inputs = keras.Input((9, 9, 1))
    return keras.Model(inputs, conv(conv(inputs)))


@pytest.mark.parametrize(("call", "side"), [(0, 3), (1, 5)])
def test_a_call_of_a_shared_layer_is_chosen_by_its_number(call, side):
    assert maximise(shared(), "conv", Ascent(steps=1), call=call).pictures.shape == (1, side, side, 1)


def whole_numbers(dtype="uint8"):
    """`planted` with a layer that scales brightnesses."""
    inputs = keras.Input((20, 20, 1), dtype=dtype)
    return keras.Model(inputs, planted()(keras.layers.Rescaling(1 / 255, -0.5)(inputs)))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_pictures_of_a_model_of_integers_range_from_0_to_255(dtype):
    bounds = {} if dtype != "float16" else {"low": 0, "high": 255}
    assert min(correlations(maximise(whole_numbers(dtype), "conv", **bounds).pictures)) > 0.9


def test_a_model_in_bfloat16_has_finite_responses():
    with devices.precision("mixed_bfloat16"):
        model = planted()
    found = maximise(model, "conv", Ascent(steps=4))
    assert found.after.dtype == "float32"
    assert (found.after > found.before).all()


def spoilt(channel, value):
    """`planted` with the weights of one channel set to a value."""
    model = planted("relu")
    kernel, bias = (weights.copy() for weights in model.get_layer("conv").get_weights())
    kernel[..., channel] = value
    model.get_layer("conv").set_weights([kernel, bias])
    return model


def test_dead_and_broken_channels_are_reported():
    model = planted()
    model.get_layer("conv").set_weights([templates() * np.array([1, 1e20, 1, 1], "float32"), np.zeros(4)])
    scale = keras.layers.Rescaling([1, 1e30, 0, 1], name="scaled")  # 1e50 is more than float32 can hold
    found = maximise(keras.Sequential([model, scale]), "scaled")
    assert found.broken.tolist() == [False, True, False, False]
    assert found.dead.tolist() == [False, False, True, False]
    assert min(correlations(found.pictures[[0, 3]], [0, 3])) > 0.9


def test_a_rectified_channel_is_silent():
    model = planted("relu")
    model.get_layer("conv").set_weights([templates(), np.array([0, 0, 0, -1e4], "float32")])
    assert maximise(model, "conv").silent.tolist() == [False, False, False, True]


def test_a_linear_channel_with_negative_response_is_not_silent():
    assert not maximise(planted(bias=-1e4), "conv", Ascent(steps=2)).silent.any()
    behind = keras.Sequential([keras.Input((20, 20, 1)), planted(bias=-1e4), keras.layers.ReLU(name="relu")])
    assert maximise(behind, "relu", Ascent(steps=2)).silent.all()


def vector_model():
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, name="dense")])


def of_input(shape, dtype="float32", **options):
    """A convolution on an unusual input."""
    inputs = keras.Input(shape, dtype=dtype)
    grey = keras.layers.Reshape((8, 8, 1))(inputs) if len(shape) < 3 else inputs
    return keras.Model(inputs, keras.layers.Conv2D(2, 3, name="conv", **options)(grey))


def of_two():
    one, other = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
    return keras.Model([one, other], keras.layers.Conv2D(2, 3, name="conv")(one + other))


def rounded():
    inputs = keras.Input((8, 8, 1))
    whole = keras.ops.cast(inputs, "int32")
    return keras.Model(inputs, keras.layers.Conv2D(2, 3, name="conv")(keras.ops.cast(whole, "float32")))


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def mistaken(x):
    """An activation function that fails when it runs, but not when a model is built."""
    if tf.executing_eagerly():
        raise KeyError("of the user's own\nin two lines")
    return x


def with_a_mistake():
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, activation=mistaken)]
    return keras.Sequential([*layers, keras.layers.Conv2D(2, 3, name="conv")])


@pytest.mark.parametrize(
    ("model", "layer", "options", "message"),
    [
        (planted, "convv", {}, "Did you mean conv"),
        (planted, "conv", {"channels": [4]}, "channels 0 to 3"),
        (planted, "conv", {"channels": []}, "channels 0 to 3"),
        (planted, "conv", {"low": 1}, "smaller number than white"),
        (planted, "conv", {"high": np.inf}, "smaller number than white"),
        (vector_model, "dense", {}, "not one picture"),
        (lambda: of_input((8, 8)), "conv", {}, r"\(8, 8\) of float32, not one picture"),
        (lambda: of_input((3, 8, 8), data_format="channels_first"), "conv", {}, "channels first"),
        (of_two, "conv", {}, r"2 inputs, 'left' \(8, 8, 1\), 'right' \(8, 8, 1\), not one picture"),
        (shared, "conv", {}, r"called 2 times: pass as `call` \(--call\) one of 0 to 1"),
        (shared, "conv", {"call": 2}, "called 2 times"),
        (rounded, "conv", {}, "has no gradient"),
        (with_a_mistake, "conv", {}, r"cannot be run on pictures \(8, 8, 1\): KeyError: .*of the user's own"),
        (lambda: spoilt(1, np.nan), "conv", {}, "Weights of conv are NaN or infinite"),
        (lambda: nested(spoilt(0, np.inf)), "next", {}, "Weights of middle/inner/conv are NaN or infinite"),
    ],
)
def test_impossible_requests_are_refused(model, layer, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        maximise(model(), layer, **options)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(TypeError, match="no graph of layers"):
        maximise(Subclassed(), "conv")


def test_a_layer_that_gives_no_maps_is_refused():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Reshape((8, 8), name="lines")])
    with pytest.raises(ValueError, match="neither maps"):
        targets.named(model, "lines")
