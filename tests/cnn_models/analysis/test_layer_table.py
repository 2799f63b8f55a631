"""The table of layers: parameters against Keras, MACs against counts by hand and TensorFlow's profiler."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import cnn_models
from cnn_models import layer_table
from cnn_models.analysis import cost
from cnn_models.analysis.graph import trace
from cnn_models.analysis.rules import Rule
from tests.support import zoo


def sequence(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def column(model, name):
    return {row.name: getattr(row, name) for row in layer_table(model)}


@pytest.mark.parametrize("name", cnn_models.MODELS)
def test_columns_add_up_for_the_zoo(name):
    model = zoo.built(name)
    table = layer_table(model)
    called = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    assert [row.name for row in table] == [layer.name for layer in called]
    assert sum(row.parameters for row in table) == model.count_params()
    assert sum(row.macs for row in table) == cost.macs(model)
    for row, layer in zip(table, called, strict=True):
        assert row.output_shape == layer.output.shape[1:]
        assert row.activation_bytes == 4 * math.prod(layer.output.shape[1:])


def test_macs_of_lenet5_by_hand():
    """Positions times weights used at each; biases are not products."""
    expected = {
        "c1": 28 * 28 * 6 * 25,
        "c3": 10 * 10 * 16 * 6 * 25,
        "c5": 120 * 400,
        "f6": 84 * 120,
        "output": 10 * 84,
    }
    macs = column(cnn_models.build("lenet5"), "macs")
    assert {name: count for name, count in macs.items() if count} == expected
    assert sum(macs.values()) == 416_520


def test_macs_of_lenet5_as_printed_in_1998():
    """The paper's 340,908 connections are these products, the biases, and four inputs to a subsampling unit."""
    expected = {
        "c1": 784 * 6 * 25,
        "s2": 196 * 6,
        "c3": 100 * 60 * 25,
        "s4": 25 * 16,
        "c5": 120 * 400,
        "f6": 84 * 120,
        "output": 10 * 84,
    }
    macs = column(cnn_models.build("lenet5-1998"), "macs")
    assert {name: count for name, count in macs.items() if count} == expected
    biases = 784 * 6 + 100 * 16 + 120 + 84
    subsampling = (196 * 6 + 25 * 16) * (5 - 1)
    assert sum(macs.values()) + biases + subsampling == 340_908


def profiled(model, kinds):
    """Half the floating-point operations that TensorFlow's profiler counts in operations of these kinds."""

    @tf.function
    def forward(x):
        return model(x, training=False)

    shape = (1, *model.inputs[0].shape[1:])
    return operations(forward.get_concrete_function(tf.TensorSpec(shape, model.inputs[0].dtype)).graph, kinds)


def operations(graph, kinds):
    """Half the floating-point operations that TensorFlow's profiler counts in a graph in operations of these kinds."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    root = tf.compat.v1.profiler.profile(graph, cmd="scope", options=options)
    found, queue = 0, [root]
    while queue:
        node = queue.pop()
        queue.extend(node.children)
        if node.name != "_TFProfRoot" and graph.get_operation_by_name(node.name).type in kinds:
            found += node.float_ops
    return found // 2


CONVOLUTIONS = {"Conv2D", "DepthwiseConv2dNative", "MatMul"}


@pytest.mark.parametrize(
    "name", [name for name in cnn_models.MODELS if name not in ("lenet1", "lenet4", "lenet5-1998", "ladder-local")]
)
def test_macs_of_the_zoo_by_the_profiler(name):
    model = zoo.built(name)
    assert cost.macs(model) == profiled(model, CONVOLUTIONS)


@pytest.mark.parametrize("name", ["lenet1", "lenet4", "lenet5-1998", "ladder-local"])
def test_macs_of_dense_and_complete_layers_by_the_profiler(name):
    """Of the networks with sparse or locally connected layers, which TensorFlow computes in other ways, the rest."""
    model = zoo.built(name)
    kinds = (layers.Conv2D, layers.Dense)
    for layer in (layer for layer in model.layers if isinstance(layer, kinds)):
        alone = sequence(layer.input.shape[1:], type(layer).from_config(layer.get_config()))
        assert column(model, "macs")[layer.name] == profiled(alone, CONVOLUTIONS)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(8, (3, 2), strides=2, padding="same"),
        layers.Conv2D(8, 3, dilation_rate=2),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.SeparableConv2D(8, 3, padding="same"),
        layers.Conv1D(8, 3, strides=2),
        layers.Dense(5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_macs_of_layers_by_the_profiler(layer):
    model = sequence((9, 4) if isinstance(layer, layers.Conv1D) else (12, 10, 4), layer)
    assert cost.macs(model) == profiled(model, CONVOLUTIONS)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.Conv2D(8, 3, groups=2), (6, 5, 4), 4 * 3 * 9 * 2 * 8),
        (layers.Conv2D(8, 3, data_format="channels_first"), (4, 6, 5), 4 * 3 * 9 * 4 * 8),
        (layers.Conv2DTranspose(8, 3, strides=2), (6, 5, 4), 6 * 5 * 9 * 4 * 8),
        (layers.Conv3D(8, 2), (3, 4, 5, 4), 2 * 3 * 4 * 8 * 4 * 8),
        (layers.DepthwiseConv1D(3), (9, 4), 7 * 3 * 4),
        (layers.SeparableConv1D(8, 3), (9, 4), 7 * (3 * 4 + 4 * 8)),
        (layers.Dense(5), (6, 7, 4), 6 * 7 * 4 * 5),
        (layers.SpectralNormalization(layers.Conv2D(8, 3)), (6, 5, 4), 4 * 3 * 9 * 4 * 8),
        (layers.BatchNormalization(), (6, 5, 4), 0),
        (layers.GroupNormalization(2), (6, 5, 4), 0),
        (layers.PReLU(), (6, 5, 4), 0),
        (layers.MaxPooling2D(), (6, 5, 4), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_macs_of_layers_by_hand(layer, shape, expected):
    assert cost.macs(sequence(shape, layer)) == expected


def test_a_row():
    """A 5×5 convolution of stride 2 over 11×9 pixels: 4×3 units, which see 5×5 of them."""
    (row,) = layer_table(sequence((11, 9, 3), layers.Conv2D(7, 5, strides=2, name="first")))
    assert dataclasses.asdict(row) == {
        "name": "first",
        "call": 0,
        "type": "Conv2D",
        "output_shape": (4, 3, 7),
        "parameters": 5 * 5 * 3 * 7 + 7,
        "trainable": 5 * 5 * 3 * 7 + 7,
        "weight_macs": 4 * 3 * 5 * 5 * 3 * 7,
        "activation_macs": 0,
        "weight_bytes": (5 * 5 * 3 * 7 + 7) * 4,
        "activation_bytes": 4 * 3 * 7 * 4,
        "receptive_field": (5, 5),
        "without_gates": (5, 5),
        "stride": (2, 2),
        "padding": (0, 0),
        "centres": ((2.0,), (2.0,)),
        "beyond_input": False,
        "unproductive": False,
        "seconds": None,
        "whole": False,
        "missing": (),
    }


@pytest.mark.parametrize(("dtype", "size"), [("float16", 2), ("bfloat16", 2), ("float64", 8)])
def test_memory_follows_the_type(dtype, size):
    (row,) = layer_table(sequence((6, 4), layers.Conv1D(5, 3, dtype=dtype)))
    assert (row.activation_bytes, row.weight_bytes) == (4 * 5 * size, (3 * 4 * 5 + 5) * size)
    (row,) = layer_table(sequence((6, 4), layers.Conv1D(5, 3)), batch=3, dtype=dtype)
    assert (row.activation_bytes, row.weight_bytes) == (3 * 4 * 5 * size, (3 * 4 * 5 + 5) * size)


def test_layers_that_add_no_context():
    """3×3 layers over 9×9 pixels see 3, 5, 7, 9, 11, 13: the fifth sees beyond, the sixth had nothing to add."""
    stack = [layers.Conv2D(1, 3, padding="same", name=f"n{i}") for i in range(1, 7)]
    model = sequence((9, 9, 1), *stack, layers.Flatten(name="flatten"), layers.Dense(2, name="dense"))
    assert [row.name for row in layer_table(model) if row.beyond_input] == ["n5", "n6"]
    assert [row.name for row in layer_table(model) if row.unproductive] == ["n6"]
    wide = sequence((9, 40, 1), *(layers.Conv2D(1, 3, padding="same") for _ in range(6)))
    assert not any(row.beyond_input for row in layer_table(wide))
    assert layer_table(model).largest_field == layer_table(wide).largest_field == (13, 13)
    assert "smaller than 13×13; of this one 2 do, first n5." in str(layer_table(model))


def test_shared_and_nested_layers():
    """Weights count once, products every time."""
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    block = keras.Sequential([keras.Input((8, 8, 2)), shared, layers.ReLU(name="relu")], name="block")
    inputs = keras.Input((8, 8, 2))
    model = keras.Model(inputs, shared(block(block(inputs))) + inputs)
    table = layer_table(model)
    names = [(row.name, row.call) for row in table]
    assert names[:5] == [("block/shared", 0), ("block/relu", 0), ("block/shared", 1), ("block/relu", 1), ("shared", 2)]
    assert [row.parameters for row in table] == [38, 0, 0, 0, 0, 0]
    assert sum(row.parameters for row in table) == model.count_params()
    assert [row.macs for row in table] == [2304, 0, 2304, 0, 2304, 0]
    assert cost.macs(model) == 3 * 2304
    assert [row.receptive_field[0] for row in table] == [3, 3, 5, 5, 7, 7]


def test_what_depends_on_an_unknown_size():
    model = sequence((None, None, 3), layers.Conv2D(4, 3, name="conv"), layers.GlobalMaxPooling2D(), layers.Dense(2))
    rows = layer_table(model)
    assert [row.macs for row in rows] == [None, 0, 8]
    assert [row.activation_macs for row in rows] == [0, 0, 0]
    assert [row.activation_bytes for row in rows] == [None, 16, 8]
    assert [row.receptive_field for row in rows] == [(3, 3), (None, None), (None, None)]
    assert [row.beyond_input for row in rows] == [None, None, None]
    assert "?×?" in str(rows)
    with pytest.raises(ValueError, match="layer 'conv' depend on the size of the input"):
        cost.macs(model)


def test_branches_that_do_not_align_are_shown_with_both_centres():
    inputs = keras.Input((8, 7, 1))
    branches = [layers.Conv2D(1, k, strides=2, padding="same")(inputs) for k in (1, 3)]
    table = layer_table(keras.Model(inputs, layers.Add()(branches)))
    assert table[-1].centres == ((0.0, 1.0), (0.0,))
    assert table.frame()["centres"].iloc[-1] == "0|1×0"


def test_the_table_as_text_and_as_a_frame():
    table = layer_table(cnn_models.build("lenet5"))
    header, first, *_, total, note, parameters, memory, beyond, larger = str(table).splitlines()
    assert header.split() == ["layer", "output", "parameters", "MACs", "field", "stride"]
    assert first.split() == ["c1", "(Conv2D)", "28×28×6", "156", "117,600", "5×5", "1×1"]
    assert total.split() == ["total", "61,706", "416,520"]
    assert note.startswith("Input 28×28×1.")
    assert parameters == "Of 61,706 parameters, 61,706 are trainable."
    assert memory == "Memory: parameters 241.0 KiB, outputs of all layers for 1 picture 33.2 KiB."
    assert beyond == "Layers see beyond inputs smaller than 16×16."
    assert larger.startswith("Of larger inputs no unit sees everything")
    assert max(map(len, str(table).splitlines())) <= 100
    assert repr(table) == "<LayerTable of 8 rows, 61,706 parameters>"
    frame = table.frame()
    assert {*frame.columns} == {field.name for field in dataclasses.fields(table[0])} - {"missing"} | {"macs"}
    assert frame["parameters"].sum() == 61_706
    assert frame["macs"].sum() == 416_520
    assert frame["receptive_field"][2] == "14×14"


class Scale(layers.Layer):
    """A layer that cannot be opened, because it calls TensorFlow."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return tf.multiply(x, self.factor)


class Halve(layers.Layer):
    def call(self, x):
        return tf.multiply(x, 0.5)


def test_an_unknown_layer_needs_a_rule_for_its_products_if_it_has_weights():
    model = sequence((5, 5, 2), Scale(name="scale"))
    with pytest.raises(TypeError, match=r"(?s)'scale' is a Scale with weights.*rules = {Scale: Rule\(sees="):
        cost.macs(model)
    rules = {Scale: Rule(sees=lambda call, fields: fields[0], macs=lambda call: math.prod(call.outputs[0].shape[1:]))}
    assert cost.macs(model, rules) == 50
    (row,) = layer_table(model, rules=rules)
    assert (row.macs, row.weight_macs, row.activation_macs) == (50, 50, 0)
    rules = {Scale: rules[Scale]._replace(activation_macs=lambda call: 7)}
    (row,) = layer_table(model, rules=rules)
    assert (row.macs, row.weight_macs, row.activation_macs) == (50, 43, 7)


def test_the_products_of_an_unknown_layer_are_not_known_either_if_it_has_no_weights():
    """No zero that a reader would take for the answer."""
    model = sequence((5, 5, 2), Halve(name="halve"))
    rules = {Halve: Rule(sees=lambda call, fields: fields[0])}
    table = layer_table(model, rules=rules)
    assert (table[0].macs, table[0].activation_macs) == (None, None)
    assert str(table).splitlines()[1].split()[4:6] == ["?", "?"]
    with pytest.raises(TypeError, match=r"(?s)'halve' is a Halve, and no rule says how often it multiplies\."):
        cost.macs(model, rules)
    assert cost.macs(model, {Halve: Rule(macs=lambda call: 50)}) == 50


def attention(layer, *, query=(5, 6), value=(7, 6), key=None):
    """A model of one attention layer, and its row."""
    inputs = [keras.Input(shape) for shape in (query, value, key) if shape]
    listed = isinstance(layer, layers.Attention)
    model = keras.Model(inputs, layer(inputs) if listed else layer(*inputs))
    return model, layer_table(model, source=inputs[0].name)[-1]


@pytest.mark.parametrize(
    ("layer", "shapes", "weights", "activations"),
    [
        (layers.Attention(), {}, 0, 5 * 7 * (6 + 6)),
        (layers.Attention(use_scale=True), {"value": (7, 3), "key": (7, 6)}, 0, 5 * 7 * (6 + 3)),
        (layers.Attention(score_mode="concat"), {}, 0, 5 * 7 * 6),
        (layers.AdditiveAttention(), {}, 5 * 7 * 6, 5 * 7 * 6),
        (layers.AdditiveAttention(use_scale=False), {}, 0, 5 * 7 * 6),
        (layers.MultiHeadAttention(2, 4), {}, (5 + 7 + 7 + 5) * 6 * 8, 2 * 5 * 7 * (4 + 4)),
        (
            layers.MultiHeadAttention(2, 4, value_dim=3, output_shape=10),
            {"value": (7, 5), "key": (7, 9)},
            5 * 6 * 8 + 7 * 9 * 8 + 7 * 5 * 6 + 5 * 6 * 10,
            2 * 5 * 7 * (4 + 3),
        ),
        (
            layers.MultiHeadAttention(2, 4, attention_axes=(2,)),
            {"query": (3, 5, 6), "value": (3, 7, 6)},
            3 * (5 + 7 + 7 + 5) * 6 * 8,
            3 * 2 * 5 * 7 * (4 + 4),
        ),
        (layers.GroupQueryAttention(4, 6, 2), {}, 2 * 5 * 6 * 24 + 2 * 7 * 6 * 8, 6 * 5 * 7 * (4 + 4)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_macs_of_attention_by_hand(layer, shapes, weights, activations):
    model, row = attention(layer, **shapes)
    assert (row.macs, row.activation_macs) == (weights + activations, activations)
    assert cost.macs(model) == row.macs


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        (lambda pair: ops.matmul(*pair), (5, 6), (6, 7), 5 * 6 * 7),
        (lambda pair: ops.matmul(*pair), (2, 5, 6), (2, 6, 7), 2 * 5 * 6 * 7),
        (lambda pair: pair[0] @ pair[1], (2, 5, 6), (1, 6, 7), 2 * 5 * 6 * 7),
        (layers.Dot(axes=2), (5, 6), (7, 6), 5 * 6 * 7),
        (layers.Dot(axes=(1, -1), normalize=True), (6, 5), (7, 6), 5 * 6 * 7),
        (layers.Dot(axes=1), (6,), (6,), 6),
    ],
)
def test_macs_of_matrix_products_by_hand_and_by_the_profiler(kind, left, right, expected):
    inputs = [keras.Input(left), keras.Input(right)]
    model = keras.Model(inputs, kind(inputs))
    row = layer_table(model, source=model.inputs[0].name)[-1]
    assert (row.macs, row.activation_macs) == (expected, expected)

    @tf.function
    def forward(*pair):
        return model(list(pair), training=False)

    specs = [tf.TensorSpec((1, *tensor.shape[1:]), "float32") for tensor in model.inputs]
    assert cost.macs(model) == operations(forward.get_concrete_function(*specs).graph, {"BatchMatMulV2", "MatMul"})


@pytest.mark.parametrize(
    ("subscripts", "left", "right", "expected"),
    [
        ("bij,bjk->bik", (5, 6), (6, 7), 5 * 6 * 7),
        ("bihd,bjhd->bhij", (5, 2, 4), (7, 2, 4), 2 * 5 * 7 * 4),
        ("b...j,bj->b...", (5, 6), (6,), 5 * 6),
        ("bij,bjk", (5, 6), (6, 7), None),
    ],
)
def test_macs_of_einsum(subscripts, left, right, expected):
    """Where the indices do not say it, the products are not known."""
    inputs = [keras.Input(left), keras.Input(right)]
    call = trace(keras.Model(inputs, ops.einsum(subscripts, *inputs))).calls[-1]
    assert cost.call_macs(call, {}) == (0 if expected else expected, expected)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda x: ops.matmul(x, np.ones((6, 7), "float32")), (5 * 6 * 7, 0)),
        (lambda x: ops.matmul(np.ones((4, 5), "float32"), x), (4 * 5 * 6, 0)),
        (lambda x: x * ops.mean(x, axis=1, keepdims=True), (0, 0)),
        (lambda x: ops.tensordot(x, np.ones((6, 7), "float32"), 1), (5 * 6 * 7, 0)),
        (lambda x: ops.correlate(x[0, 0], np.ones(3, "float32")), (None, None)),
        (lambda x: ops.flip(x, 1), (0, 0)),
    ],
    ids=["by a constant", "of a constant", "a gate", "a tensor product", "not counted", "no product"],
)
def test_products_with_constants_and_none(operation, expected):
    inputs = keras.Input((5, 6))
    call = trace(keras.Model(inputs, operation(inputs))).calls[-1]
    assert cost.call_macs(call, {}) == expected


def test_learnt_queries_of_an_attention_are_weights():
    """Two queries of 3 numbers, 5 keys: 2·5·3 products with weights, and as many of scores and values."""
    inputs = keras.Input((5, 1, 3))
    model = keras.Model(inputs, ops.dot_product_attention(ops.ones((1, 2, 1, 3)), inputs, inputs))
    assert cost.call_macs(trace(model).calls[-1], {}) == (2 * 5 * 3, 2 * 5 * 3)


class LinearAttention(layers.Attention):
    """Not its parent: it has no softmax, and is opened."""

    def _calculate_scores(self, query, key):
        return ops.matmul(query, ops.swapaxes(key, -2, -1))

    def _apply_scores(self, scores, value, scores_mask=None, training=False):
        return ops.matmul(scores, value), scores


def test_a_subclass_that_computes_something_else_is_not_its_parent():
    tokens = keras.Input((5, 6))
    table = layer_table(keras.Model(tokens, LinearAttention(name="own")([tokens, tokens])))
    assert [(row.name, row.type, row.macs) for row in table if row.macs] == [
        ("own/matmul", "Matmul", 5 * 5 * 6),
        ("own/matmul_1", "Matmul", 5 * 5 * 6),
    ]


def test_a_published_network():
    """ResNet-50 has 3.86 billion MACs (He et al. 2016, table 1, print 3.8 billion)."""
    model = keras.applications.ResNet50(weights=None)
    table = layer_table(model)
    assert sum(row.parameters for row in table) == model.count_params() == 25_636_712
    assert sum(row.macs for row in table) == profiled(model, CONVOLUTIONS) == 3_857_973_248
