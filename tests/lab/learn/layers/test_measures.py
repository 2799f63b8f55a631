"""What a layer is measured by: against arithmetic by hand, and scikit-learn's ridge."""

import keras
import numpy as np
import pytest
import sklearn.linear_model

from lab.data.datasets import Split
from lab.learn.layers import probe
from lab.learn.layers.measures import class_selectivity
from lab.learn.layers.patterns import patterns
from lab.learn.layers.probe import linear_probe
from lab.learn.layers.reader import LayerReader, Reading, read, strongest


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
    for penalty, weights in zip(probe.PENALTIES, probe._ridges(inputs, targets), strict=True):
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
    layer = LayerReader(one_kernel(kernel, bias), "maps")
    white = np.full((8, 9, 9, 1), 255, "uint8")
    at = np.full((8, 1, 2), 4)
    peak = np.full((8, 1), kernel.sum() + bias, "float32")
    sides, hidden = patterns(layer, white, Reading(peak, peak, at, np.ones(8, bool)))
    assert sides == pytest.approx([side])
    assert hidden == pytest.approx([100 * (1 - side**2 / 25)])


def test_of_a_field_that_leaves_the_picture_only_what_is_in_it_counts():
    layer = LayerReader(one_kernel(middle(5), 0), "maps")
    white = np.full((8, 9, 9, 1), 255, "uint8")
    peak = np.full((8, 1), 9, "float32")  # the corner unit sees 3×3 white pixels
    sides, hidden = patterns(layer, white, Reading(peak, peak, np.zeros((8, 1, 2), int), np.ones(8, bool)))
    assert sides == pytest.approx([3])  # the next smaller window leaves 2×2 of them
    assert hidden == pytest.approx([0])


def test_a_silent_channel_has_no_pattern():
    layer = LayerReader(one_kernel(middle(1), -5), "maps")
    split = Split(np.full((8, 9, 9, 1), 255, "uint8"), np.zeros(8, int))
    reading = read(layer, split, lambda x: np.zeros(len(x), int))
    assert reading.hits.all()
    assert np.isnan(patterns(layer, split.images, reading)).all()


def test_a_reading_says_where_the_largest_answer_is():
    layer = LayerReader(one_kernel(middle(1), 0), "maps")
    images = np.zeros((3, 9, 9, 1), "uint8")
    images[0, 2, 7], images[1, 8, 0], images[2, 4, 4] = 51, 102, 255
    reading = read(layer, Split(images, np.zeros(3, int)), lambda x: np.ones(len(x), int))
    assert reading.at[:, 0].tolist() == [[2, 7], [8, 0], [4, 4]]
    np.testing.assert_allclose(reading.peak[:, 0], [0.2, 0.4, 1], rtol=1e-5)
    np.testing.assert_allclose(reading.mean[:, 0], [0.2 / 81, 0.4 / 81, 1 / 81], rtol=1e-4)
    assert not reading.hits.any()
    assert strongest(reading, 2).tolist() == [[2, 1]]
