"""The zoo: exact counts, from the arithmetic of the papers, and one battery over every network."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.analysis import cost
from cnn_models.layers.lecun1998 import RBFOutput, TrainableSubsampling2D
from cnn_models.networks import lenet
from lab.learn import devices
from lab.learn.loop import set_seed
from tests.support import zoo

CONV5 = 5 * 5
REDUCED = (9 + 1) * 8 + (9 * 8 + 1) * 8 + (9 * 8 + 1) * 16 + 2 * (9 * 16 + 1) * 16 + (16 + 1) * 10


def stack(depth, width, per_map=4):
    """Weights of `depth` layers of 3×3 on one channel, each map with its normalisation (or a bias), and 10 logits."""
    return 9 * width + (depth - 1) * 9 * width**2 + depth * per_map * width + (width + 1) * 10


# All weights, trainable or not: layer by layer.
PARAMETERS = {
    "linear": (784 + 1) * 10,
    "fc-300": (784 + 1) * 300 + (300 + 1) * 10,
    "fc-1000": (784 + 1) * 1000 + (1000 + 1) * 10,
    "fc-300-100": (784 + 1) * 300 + (300 + 1) * 100 + (100 + 1) * 10,
    "fc-500-150": (784 + 1) * 500 + (500 + 1) * 150 + (150 + 1) * 10,
    "fc-relu": (784 + 1) * 512 + (512 + 1) * 512 + (512 + 1) * 10,
    "fc-matched": (784 + 1) * 78 + (78 + 1) * 10,
    "lenet1": (CONV5 + 1) * 4 + 2 * 4 + (20 * CONV5 + 12) + 2 * 12 + (4 * 4 * 12 + 1) * 10,
    "lenet4": (CONV5 + 1) * 4 + 2 * 8 + (48 * CONV5 + 16) + 2 * 16 + (400 + 1) * 120 + (120 + 1) * 10,
    "lenet5-1998": 156 + 12 + 1_516 + 32 + 48_120 + 10_164 + 840,
    "lenet5": (CONV5 + 1) * 6 + (CONV5 * 6 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10,
    "vgg-6": 160 + 2_320 + 4_640 + 9_248 + 18_496 + 36_928 + (3 * 3 * 64 + 1) * 10,
    "lenet5-relu": (CONV5 + 1) * 6 + (CONV5 * 6 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10,
    "fc-64": (784 + 1) * 64 + (64 + 1) * 10,
    # At 28×28 the last map is 1×1, so that both heads see 32 numbers.
    "conv-flatten": 14_208 + (32 + 1) * 91 + (91 + 1) * 10,
    "conv-global-max": 14_208 + (32 + 1) * 411 + (411 + 1) * 411 + (411 + 1) * 10,
    "ladder-full": (784 + 1) * 1_152 + (1_152 + 1) * 256 + (256 + 1) * 10,
    "ladder-local": (CONV5 + 1) * 1_152 + (CONV5 * 8 + 1) * 256 + (256 + 1) * 10,
    "ladder-convolution": (CONV5 + 1) * 8 + (CONV5 * 8 + 1) * 16 + (256 + 1) * 10,
    **{
        f"reduce-{arm}": REDUCED for arm in ("none", "max", "average", "strided", "dilation", "blur-max", "blur-stride")
    },
    **{f"reduce-{arm}": REDUCED + (9 * 8 + 1) * 8 + (9 * 16 + 1) * 16 for arm in ("conv-pool", "all-conv")},
    **{f"deep-plain-{depth}": stack(depth, 8) for depth in (1, 2, 3, 4, 6, 8, 12, 16)},
    **{f"deep-residual-{depth}": stack(depth, 8) for depth in (8, 16)},
    **{f"deep-{growth}-{depth}": stack(depth, 8) for growth in ("stride", "pooling") for depth in (4, 8, 16)},
    **{f"deep-unnormalised-{depth}": stack(depth, 8, per_map=1) for depth in (8, 16)},
    **{f"wide-{depth}": stack(depth, width) for depth, width in ((2, 30), (4, 18), (8, 12))},
    "fc-524": (784 + 1) * 524 + (524 + 1) * 10,
    # Kernels, four numbers a map of each normalisation, and the output.
    **{
        f"convnet-{w}": 9 * w * (1 + w * (1 * 2 + 2 * 3 + 3 * 5 + 5 * 6 + 6 * 8))
        + 4 * w * (1 + 2 + 3 + 5 + 6 + 8)
        + (8 * w + 1) * 10
        for w in (8, 16)
    },
    "bn-6": 9 * (8 + 8 * 8 + 8 * 16 + 16 * 16 + 16 * 32 + 32 * 32) + 4 * (8 + 8 + 16 + 16 + 32 + 32) + (32 + 1) * 10,
}


def test_every_network_has_a_pinned_count():
    assert set(PARAMETERS) == set(cnn_models.MODELS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_count_and_logits_for_every_class(name):
    model = zoo.built(name)
    assert model.count_params() == PARAMETERS[name]
    assert model.input_shape == (None, 28, 28, 1)
    assert model.output_shape == (None, 10)
    assert np.isfinite(model(np.zeros((2, 28, 28, 1), "float32"))).all()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_seed_decides_the_weights_whatever_was_built_before(name):
    shared = zoo.built(name)  # perhaps long ago
    set_seed(zoo.SEED)
    for one, other in zip(shared.variables, cnn_models.build(name).variables, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", zoo.LARGEST)
def test_one_step_lowers_the_loss(name, digits):
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    with devices.precision("float64"):  # some fall by 5e-6 of 2.3, which are twenty epsilons of float32
        model = cnn_models.build(name)
    images = digits.train.images[:64] / np.float32(255) - np.float32(0.5)
    labels = digits.train.labels[:64].astype("int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
    optimizer = keras.optimizers.SGD(1e-3)
    with tf.GradientTape() as tape:
        before = loss(labels, model(images))
    optimizer.apply(tape.gradient(before, model.trainable_variables), model.trainable_variables)
    assert float(loss(labels, model(images))) < float(before)


@pytest.mark.parametrize("name", zoo.LARGEST)
def test_saved_and_loaded_gives_the_same_output(name, digits, tmp_path):
    model = zoo.built(name)
    images = digits.test.images[:8] / np.float32(255) - np.float32(0.5)
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(images), model(images))


def test_matched_net_has_as_many_parameters_as_lenet5():
    assert abs(PARAMETERS["fc-matched"] / PARAMETERS["lenet5"] - 1) < 0.01


def test_matched_net_has_as_many_multiply_accumulates_as_lenet5():
    assert abs(cost.macs(cnn_models.build("fc-524")) / cost.macs(cnn_models.build("lenet5")) - 1) < 0.01


def test_the_network_for_photographs_has_the_parameters_that_its_table_sums_up():
    assert cnn_models.build("convnet-16", (32, 32, 3)).count_params() == 236_026


@pytest.mark.parametrize(
    ("name", "count"), [("fc-64", 201_418), ("conv-flatten", 201_587), ("conv-global-max", 201_223)]
)
def test_nets_for_the_canvas_have_as_many_parameters_as_one_another(name, count):
    assert cnn_models.build(name, (56, 56, 1)).count_params() == count


def test_the_ladder_has_equal_widths_and_windows():
    full, local, shared = (cnn_models.build(f"ladder-{rung}") for rung in ("full", "local", "convolution"))
    for layer, units in (("hidden1", 1_152), ("hidden2", 256)):
        for model in (full, local, shared):
            assert np.prod(model.get_layer(layer).output.shape[1:]) == units
        fields = [cnn_models.receptive_field(model, layer) for model in (local, shared)]
        assert fields[0].size[:2] == fields[1].size[:2]
        assert fields[0].stride[:2] == fields[1].stride[:2]


def connections(model):
    """Every use of a weight, biases included, as LeCun 1998 counts."""
    total = 0
    for layer in model.layers:
        units = int(np.prod(layer.output.shape[1:]))
        if isinstance(layer, TrainableSubsampling2D):
            total += units * (4 + 1)  # four inputs and a bias
        elif isinstance(layer, RBFOutput):
            total += int(np.prod(layer.prototypes.shape))
        elif layer.weights:
            positions = int(np.prod(layer.output.shape[1:-1]))
            total += positions * sum(int(np.prod(weight.shape)) for weight in layer.weights)
    return total


@pytest.mark.parametrize(
    ("name", "trainable", "uses"),
    [
        ("lenet1", 2_578, 98_442),  # LeCun 1990: both printed
        ("lenet4", 50_698, 262_306),  # LeCun 1998: "about 260,000"
        ("lenet5-1998", 60_000, 122_304 + 5_880 + 151_600 + 2_000 + 48_120 + 10_164 + 840),  # 340,908
    ],
)
def test_counts_printed_in_the_papers(name, trainable, uses):
    model = cnn_models.build(name)
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == trainable
    assert connections(model) == uses


def test_c3_is_table_1_of_the_paper():
    # Columns 0 to 15 are maps of C3, rows 0 to 5 maps of S2, as printed in LeCun 1998.
    table = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
    """
    rows = [line.split() for line in table.strip().splitlines()]
    assert [[s2 for s2 in range(6) if rows[s2][c3] == "X"] for c3 in range(16)] == [
        sorted(inputs) for inputs in lenet.LENET5_C3
    ]


def test_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="Did you mean lenet5"):
        cnn_models.build("lenet5-rely")


@pytest.mark.parametrize("name", ["lenet1", "lenet4", "lenet5-1998", "lenet5"])
def test_pictures_that_do_not_fit_are_refused(name):
    with pytest.raises(ValueError, match=r"28×28|12×12"):
        cnn_models.build(name, (8, 8, 1))


def test_more_classes_than_bitmaps_are_refused():
    with pytest.raises(ValueError, match="ten bitmaps"):
        cnn_models.build("lenet5-1998", classes=11)


@pytest.mark.parametrize("name", cnn_models.MODELS)
def test_the_declared_field_is_that_of_the_last_layer_with_a_height_and_a_width(name):
    architecture = cnn_models.MODELS[name]
    side = architecture.takes.side or 56
    rows = list(cnn_models.layer_table(cnn_models.build(name, (side, side, 1))))
    # A layer of one unit a map, as LeNet-5's C5 or a mean over positions, has no height and width any more.
    in_place = [row for row in rows[1:] if len(row.output_shape) == 3 and max(row.output_shape[:2]) > 1]
    weighted = next(row for row in rows if row.parameters)
    assert architecture.field is not None
    if architecture.field.layer is None:
        assert architecture.field.pixels is None
        assert len(weighted.output_shape) == 1  # fully connected
        assert weighted.receptive_field == (side, side)
    else:
        (layer,) = [row for row in rows if row.name == architecture.field.layer]
        assert layer.receptive_field == in_place[-1].receptive_field == (architecture.field.pixels,) * 2
