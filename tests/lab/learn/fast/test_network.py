"""Networks with fast operations, beside the Keras models."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnn_models.analysis.graph import trace
from lab.learn.fast.network import COMPILING_PAYS, FastNetwork, functions
from tests.support.zoo import built

PICTURES = 3
# One network for each way of replacing layers; the others of its family have more of the same.
FAMILIES = {
    "lenet1": {"h1", "h2", "h3", "h4"},
    "lenet4": {"c1", "s2", "s4"},
    "lenet5-1998": {"c1", "s2", "c3", "s4"},
    "lenet5": {"c1", "s2", "c3", "s4"},
    "lenet5-relu": {"c1", "s2", "c3", "s4"},
    "conv-flatten": {"c2", "s2"},
    "reduce-max": {"block1b", "reduction1", "block2b", "reduction2"},
    "deep-residual-8": {f"conv{number}_norm" for number in range(1, 9)},
    "deep-pooling-4": {f"conv{number}_norm" for number in range(1, 5)} | {"relu2", "pool2"},
    "bn-6": {f"norm{number}" for number in range(1, 7)} | {"relu2", "pool2", "relu4", "pool4"},
    "vgg-6": {f"{kind}{block}{last}" for kind, last in (("conv", "_2"), ("pool", "")) for block in (1, 2, 3)},
}


def replaced(model, compiling=True):
    """Names of the layers in whose place something else computes."""
    graph = trace(model)
    found = functions(graph, compiling)
    return {call.name for call in graph.calls if not isinstance(found[id(call)], functools.partial)}


def outcome(forward, model):
    """Logits, gradients and states after a step, and states are put back."""
    pictures = np.random.default_rng(0).uniform(-0.5, 0.5, (PICTURES, 28, 28, 1)).astype("float32")
    before = [variable.numpy() for variable in model.non_trainable_variables]
    with tf.GradientTape() as tape:
        logits = forward(pictures)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(range(PICTURES), logits))
    gradients = tape.gradient(loss, model.trainable_variables)
    after = [variable.numpy() for variable in model.non_trainable_variables]
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        variable.assign(value)
    return np.concatenate([np.ravel(gradient) for gradient in gradients]), np.asarray(logits), after


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_and_states_are_those_of_the_keras_model(name):
    model = built(name)
    assert replaced(model) == FAMILIES[name]
    gradients, logits, states = outcome(FastNetwork(model, COMPILING_PAYS), model)
    expected, expected_logits, expected_states = outcome(functools.partial(model, training=True), model)
    # The longest sums are over all positions of all pictures; rounding adds up from layer to layer, there and back.
    bound = 2 * len(model.layers) * PICTURES * 28 * 28 * np.finfo("float32").eps
    assert np.linalg.norm(gradients - expected) < bound * np.linalg.norm(expected)
    np.testing.assert_allclose(logits, expected_logits, rtol=0, atol=bound * np.abs(expected_logits).max())
    for found, other in zip(states, expected_states, strict=True):
        np.testing.assert_allclose(found, other, rtol=bound, atol=bound)


def test_for_a_few_steps_nothing_is_compiled():
    assert replaced(built("lenet5"), compiling=False) == {"c1", "c3"}
    assert replaced(built("lenet5-relu"), compiling=False) == FAMILIES["lenet5-relu"]
    assert replaced(built("bn-6"), compiling=False) == FAMILIES["bn-6"]


def test_what_makes_a_layer_another_one_leaves_it_as_it_is():
    inputs = keras.Input((8, 8, 3))
    convolution = keras.layers.Conv2D(6, 3, activation="relu", name="read_twice")(inputs)
    pooled = keras.layers.MaxPooling2D(2)(convolution)
    others = [
        keras.layers.MaxPooling2D(2)(keras.layers.Conv2D(6, 3, activation="tanh")(inputs)),
        keras.layers.MaxPooling2D(2)(keras.layers.ReLU(negative_slope=0.1)(keras.layers.Conv2D(6, 3)(inputs))),
        keras.layers.AveragePooling2D(3, strides=2, padding="same")(convolution),
    ]
    assert not replaced(keras.Model(inputs, keras.layers.Concatenate()([pooled, *others])))


def test_a_model_inside_a_model_is_opened():
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 1), keras.layers.AveragePooling2D(2)])
    model = keras.Sequential([keras.Input((8, 8, 1)), inner, keras.layers.Flatten()])
    assert len(replaced(model)) == 1
    pictures = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(FastNetwork(model, COMPILING_PAYS)(pictures), model(pictures))
