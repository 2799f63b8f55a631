"""The experiment on layers: its measures against arithmetic by hand, its networks trained once, and each verdict."""

import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model

from experiments import features
from experiments.features import figure, layer_measures
from experiments.features.layer_measures import Layer, Reading, class_selectivity, linear_probe, patterns, read
from experiments.features.measure import FeaturesWork
from lab.command.arguments import parser
from lab.command.main import call_of
from lab.command.plan import plan
from lab.data import arrays
from lab.data.datasets import Split
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.learn.training import Trainer
from lab.report.draw.channels import GREY, mosaic, patches
from lab.store.records import Records

DECLARED = features.EXPERIMENT
VARIANTS = {variant.name: variant for variant in DECLARED.variants}


def test_selectivity_by_hand():
    labels = np.array([0, 0, 1, 1, 2, 2])
    one_class = np.array([3, 5, 0, 0, 0, 0.0])
    all_alike = np.full(6, 2.0)
    twice = np.array([2, 2, 1, 1, 1, 1.0])  # (2 - 1)/(2 + 1)
    silent = np.zeros(6)
    found = class_selectivity(np.stack([one_class, all_alike, twice, silent], axis=1), labels)
    np.testing.assert_allclose(found, [1, 0, 1 / 3, np.nan])


@pytest.mark.parametrize("shape", [(40, 7), (40, 90)])
def test_the_probe_is_scikit_learns_ridge(shape):
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    targets = np.eye(3)[np.arange(len(inputs)) % 3] - 1 / 3
    for penalty, weights in zip(layer_measures.PROBE_PENALTIES, layer_measures._ridges(inputs, targets), strict=True):
        theirs = sklearn.linear_model.Ridge(penalty, fit_intercept=False).fit(inputs.astype("float64"), targets)
        # Ours multiplies in float32: 40 products and their sums are rounded by 6e-8 of 100 or less, and what is
        # solved for, weights below 1, is off by that over the least eigenvalue, which is 10 at least.
        np.testing.assert_allclose(weights, theirs.coef_.T, rtol=0, atol=41 * 6e-8 * 100 / 10)


def test_the_probe_reads_what_is_there_and_not_what_is_not():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 100)
    inputs = generator.normal(size=(300, 5)).astype("float32")
    inputs[:, 4] = 1  # no spread
    inputs[np.arange(300), labels] += 9
    halves = slice(0, None, 2), slice(1, None, 2)
    (train, test), (own, other) = ([x[half] for half in halves] for x in (inputs, labels))
    assert (linear_probe(train, own, train, own)(test) == other).mean() > 0.98
    noise, more_noise = generator.normal(size=(2, 150, 5)).astype("float32")
    assert (linear_probe(noise, own, noise, own)(more_noise) == other).mean() < 0.5


def one_kernel(kernel, bias):
    """A network whose layer "maps" answers Σ kernel · brightness/255 + bias, rectified."""
    layers = [
        keras.Input((9, 9, 1)),
        keras.layers.Rescaling(1.0, offset=0.5),
        keras.layers.Conv2D(1, 5, padding="same", activation="relu", name="maps"),
        keras.layers.GlobalMaxPooling2D(),
    ]
    model = keras.Sequential(layers)
    model.get_layer("maps").set_weights([np.array(kernel, "float32").reshape(5, 5, 1, 1), np.array([bias], "float32")])
    return model


def middle(side):
    kernel = np.zeros((5, 5))
    kernel[(5 - side) // 2 : (5 + side) // 2, (5 - side) // 2 : (5 + side) // 2] = 1
    return kernel


@pytest.mark.parametrize(
    ("kernel", "bias", "side"),
    [
        (middle(1), 0, 1),
        (middle(3), 0, 3),  # of 9 white pixels one alone is not half
        (middle(5), 0, 5),  # of 25 white pixels 9 are not half
        (middle(5), 10, 3),  # 35: half is 17.5, 9 + 10 are enough, 1 + 10 are not
        (middle(5) * 0, 1, 0),  # answers to black as well
    ],
)
def test_the_pattern_that_matters_by_hand(kernel, bias, side):
    layer = Layer(one_kernel(kernel, bias), "maps")
    white = np.full((8, 9, 9, 1), 255, "uint8")
    at = np.full((8, 1, 2), 4)
    peak = np.full((8, 1), kernel.sum() + bias, "float32")
    sides, hidden = patterns(layer, white, Reading(peak, peak, at, np.ones(8, bool)))
    assert sides == pytest.approx([side])
    assert hidden == pytest.approx([100 * (1 - side**2 / 25)])


def test_of_a_field_that_leaves_the_picture_only_what_is_in_it_counts():
    layer = Layer(one_kernel(middle(5), 0), "maps")
    white = np.full((8, 9, 9, 1), 255, "uint8")
    peak = np.full((8, 1), 9, "float32")  # the corner unit sees 3×3 white pixels
    sides, hidden = patterns(layer, white, Reading(peak, peak, np.zeros((8, 1, 2), int), np.ones(8, bool)))
    assert sides == pytest.approx([3])  # the next smaller window leaves 2×2 of them
    assert hidden == pytest.approx([0])


def test_a_silent_channel_has_no_pattern():
    layer = Layer(one_kernel(middle(1), -5), "maps")
    split = Split(np.full((8, 9, 9, 1), 255, "uint8"), np.zeros(8, int))
    reading = read(layer, split, lambda x: np.zeros(len(x), int))
    assert reading.hits.all()
    assert np.isnan(patterns(layer, split.images, reading)).all()


def test_a_reading_says_where_the_largest_answer_is():
    layer = Layer(one_kernel(middle(1), 0), "maps")
    images = np.zeros((3, 9, 9, 1), "uint8")
    images[0, 2, 7], images[1, 8, 0], images[2, 4, 4] = 51, 102, 255
    reading = read(layer, Split(images, np.zeros(3, int)), lambda x: np.ones(len(x), int))
    assert reading.at[:, 0].tolist() == [[2, 7], [8, 0], [4, 4]]
    np.testing.assert_allclose(reading.peak[:, 0], [0.2, 0.4, 1], rtol=1e-5)
    np.testing.assert_allclose(reading.mean[:, 0], [0.2 / 81, 0.4 / 81, 1 / 81], rtol=1e-4)
    assert not reading.hits.any()
    assert layer_measures.strongest(reading, 2).tolist() == [[2, 1]]


def test_patches_are_grey_beyond_the_picture_and_a_mosaic_keeps_its_pictures():
    image = np.arange(16, dtype="uint8").reshape(1, 4, 4, 1)
    (patch,) = patches(image, [((-1, 1), (2, 4))])
    assert patch[..., 0].tolist() == [[GREY] * 3, [2, 3, GREY], [6, 7, GREY]]
    sheet = mosaic(np.stack([image[0]] * 3), columns=2)
    assert sheet.shape == (9, 9, 1)
    np.testing.assert_array_equal(sheet[5:, :4], image[0])
    assert (sheet[5:, 5:] == 255).all()


def test_every_layer_row_names_its_network_and_what_it_is_compared_with():
    for variant in DECLARED.variants:
        settings = variant.settings
        if isinstance(settings, features.Layer) and settings.condition != "random-weights":
            network = VARIANTS[features.network_name(settings.model, settings.condition)]
            assert settings.training == network.settings
    assert VARIANTS["bn-6-relu3"].against == "bn-6-relu2"
    assert VARIANTS["bn-6-random-weights-relu3"].against == "bn-6-relu3"
    assert VARIANTS["bn-6-relu1"].against is None
    with pytest.raises(UsageError, match="Did you mean trained"):
        features.Layer("bn-6", layer="relu1", condition="traind")


@pytest.mark.slow
def test_a_network_that_is_missing_is_trained_once_and_recorded(tmp_path):
    records = Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    recipe = {"model": "lenet5-relu", "epochs": 1, "batch_size": 256}
    runs = [
        Run("features", f"lenet5-relu-{name}", "digits", features.Layer(**recipe, layer=name), 1)
        for name in ("c3", "f6")
    ]
    outcome, _ = FeaturesWork(records).execute(runs[0], lambda event: None)
    network = Run("features", "lenet5-relu", "digits", Training(**recipe), 1)
    written = records.path(network).stat().st_mtime_ns
    assert records.find(network).environment["commit"]
    again, _ = FeaturesWork(records).execute(runs[0], lambda event: None)  # another worker
    deeper, _ = FeaturesWork(records).execute(runs[1], lambda event: None)
    assert records.path(network).stat().st_mtime_ns == written
    seconds = {"layer_seconds": 0}
    assert outcome["metrics"] | seconds == again["metrics"] | seconds
    assert outcome["facts"] == {"network": "lenet5-relu", "channels": 16, "receptive_field_pixels": 14}
    assert deeper["facts"]["receptive_field_pixels"] == 28
    file = records.path(network).with_suffix(".keras")
    file.write_bytes(file.read_bytes()[:-1])
    healed, _ = FeaturesWork(records).execute(runs[0], lambda event: None)
    assert records.find(network)
    assert outcome["metrics"] | seconds == healed["metrics"] | seconds
    assert 0 < outcome["metrics"]["pattern_pixels"] <= 14
    assert 0 <= outcome["metrics"]["selectivity"] <= 1


@pytest.mark.slow
def test_a_layer_reads_the_network_of_its_own_recipe_alone(tmp_path):
    records = Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    layer = Run("features", "lenet5-relu-c1", "digits", features.Layer("lenet5-relu", epochs=3, layer="c1"), 1)
    (needed,) = layer.needs
    assert needed == Run("features", "lenet5-relu", "digits", Training("lenet5-relu", epochs=3), 1)
    other = dataclasses.replace(needed, settings=Training("lenet5-relu", epochs=1))
    FeaturesWork(records)._trained(other, lambda event: None)
    FeaturesWork(records).execute(layer, lambda event: None)
    assert records.find(needed)


def test_a_layer_of_a_network_that_diverged_has_diverged(tmp_path):
    records = Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    settings = features.Layer("lenet5-relu", epochs=1, learning_rate=1e30, warmup=0, layer="c1")
    outcome, _ = FeaturesWork(records).execute(Run("features", "x", "digits", settings, 1), lambda event: None)
    assert (outcome["status"], outcome["metrics"]) == ("diverged", {})


def test_force_reaches_the_networks_that_layers_read():
    words = ["run", "features", "--seeds", "2", "--epochs", "1", "--dataset", "digits", "--variants"]
    rows = "lenet5-relu-c1,lenet5-relu-c3,lenet5-relu-random-weights-c1"
    calm, forced = (plan(DECLARED, call_of(parser().parse_args([*words, rows, *more]))) for more in ([], ["--force"]))
    assert {run.variant for run in calm} == set(rows.split(","))
    assert [(run.variant, run.seed) for run in forced[:2]] == [("lenet5-relu", 0), ("lenet5-relu", 1)]
    assert forced[2:] == calm
    assert all(need in forced for run in calm for need in run.needs)
    together = plan(DECLARED, call_of(parser().parse_args([*words, f"lenet5-relu,{rows}", "--force"])))
    assert len({run.key for run in together}) == len(together) == len(forced)


def test_random_weights_are_those_that_training_begins_with(tmp_path, digits):
    training = Training("lenet5-relu", epochs=1)
    trainer = Trainer(training, digits)
    trainer.reset(5)
    run = Run("features", "x", "digits", features.Layer("lenet5-relu", layer="c1", condition="random-weights"), 5)
    model = FeaturesWork(Records(tmp_path))._network(run, digits, lambda event: None)
    for ours, theirs in zip(model.get_weights(), trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_random_labels_are_the_same_classes_as_often_and_teach_nothing_of_the_test(digits):
    shuffled = arrays.shuffled_labels(digits.train.labels, 3)
    assert np.bincount(shuffled).tolist() == np.bincount(digits.train.labels).tolist()
    assert (shuffled == digits.train.labels).mean() < 0.2
    assert arrays.shuffled_labels(digits.train.labels, 3).tolist() == shuffled.tolist()
    assert arrays.shuffled_labels(digits.train.labels, 4).tolist() != shuffled.tolist()
    recipe = {"model": "fc-300", "epochs": 80, "batch_size": 64, "learning_rate": 5e-3, "examples": 300}
    true, random = (Trainer(Training(**recipe, random_labels=how), digits).run(3) for how in (None, True))
    # Seeds 0 to 5: 0.936 to 0.953; 0.07 to 0.16; and learnt by heart, 0.74 to 0.82.
    assert true["metrics"]["test_accuracy"] > 0.8
    assert random["metrics"]["test_accuracy"] < 0.3
    assert random["history"]["train_accuracy"][-1] > 0.6
    assert random["metrics"]["train_error_percent"] < 40  # of the labels that were learned


def test_a_table_of_networks_alone_has_no_figure(tmp_path):
    frame = pd.DataFrame({"variant": ["bn-6"], "test_error_percent_mean": [1.0]})
    assert figure.draw(DECLARED, frame, Records(tmp_path)) is None


def test_the_figure_of_a_colour_data_set_is_in_colour():
    from matplotlib.figure import Figure

    model = next(iter(features.LAYERS))
    side, colours = 5, np.array([250, 120, 0], "uint8")
    found = {
        "maximised": np.tile(colours, (4, side, side, 1)),
        "patches": np.tile(colours, (4, 2, side, side, 1)),
        "kernels": np.tile(colours / 250, (4, side, side, 1)),
    }
    arrays = {features.layer_name(model, "trained", features.LAYERS[model][0]): found}
    sheet = Figure()
    figure._channels(sheet.add_subplot(), model, arrays)
    figure._details(sheet.add_subfigure(sheet.add_gridspec()[0]), arrays)
    drawn = [np.asarray(axes.images[0].get_array()) for axes in [sheet.axes[0], *sheet.subfigs[0].axes]]
    assert len(drawn) == 2
    assert drawn[0][0, 0].tolist() == colours.tolist()
    assert np.ptp(drawn[1][0, 0]) > 100
