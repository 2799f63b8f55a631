"""Shifts against scipy, which knows nothing of these layers."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from experiments import equivariance
from experiments.equivariance import Commuting, Invariance
from experiments.equivariance import measure as measuring
from lab.report.answers.evidence_rows import read
from lab.report.answers.judge import judged
from lab.report.reference import REFERENCE as FOLDER

LAYERS = [v.settings for v in equivariance.EXPERIMENT.variants if isinstance(v.settings, Commuting)]
CONVOLUTION = measuring.stack(Commuting("convolution"), "float64")


@pytest.fixture
def pictures():
    return np.random.default_rng(3).normal(size=(2, 21, 24, 1))


@pytest.mark.parametrize("evidence", equivariance.EXPERIMENT.evidence, ids=lambda evidence: evidence.claim)
def test_what_was_measured_is_true_by_construction_and_has_its_limits(evidence):
    found = judged("equivariance", evidence, read(equivariance.EXPERIMENT, FOLDER))
    assert found.verdict.value == "true by construction"
    # On MNIST's digits max pooling changes by less than half of the way to another digit's.
    last = "fails" if evidence.claim == "max-invariance" else "holds"
    assert [finding.outcome.value for finding in found.limits] == ["holds", "holds", last]


def correlated(picture, layer, padding):
    """A 3×3 convolution of one picture by scipy, `(height, width, filters)`."""
    kernel = layer.layers[0].get_weights()[0]
    return np.stack(
        [scipy.signal.correlate2d(picture[..., 0], kernel[..., 0, number], padding) for number in range(4)], axis=-1
    )


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_layer_is_a_correlation_of_each_shifted_picture(pictures, padding, stride):
    layer = measuring.stack(Commuting("convolution", padding, stride), "float64")
    for shift in [(0, 0), (3, -2), (-4, 4)]:
        window = measuring.window(pictures, shift)
        assert window.shape == (2, 13, 16, 1)
        found = layer(window)
        # With "same", TensorFlow pads 13 rows on both sides for a stride of 2, and 16 columns on the right only.
        column = int(padding == "same" and stride == 2)
        expected = correlated(window[0], layer, padding)[::stride, column::stride]
        # Nine products of numbers below 5: 10 · 1.1e-16 · 9 · 25 is 2.5e-13 at the very most.
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=equivariance.ROUNDING)


def test_a_window_shows_the_picture_moved(pictures):
    still = measuring.window(pictures, (0, 0))[0, ..., 0]
    moved = measuring.window(pictures, (2, -3))[0, ..., 0]
    expected = scipy.ndimage.shift(still, (2, -3), order=0)
    np.testing.assert_array_equal(moved[2:, :-3], expected[2:, :-3])


@pytest.mark.parametrize("steps", [(0, 0), (2, 1), (-1, 3), (-2, -2)])
@pytest.mark.parametrize("margin", [0, 2])
def test_pairs_are_of_the_same_place(steps, margin):
    before = np.arange(100.0).reshape(1, 10, 10, 1)
    after = scipy.ndimage.shift(before, (0, *steps, 0), order=0, cval=np.nan)
    one, other = measuring.pairs(after, before, steps, margin)
    np.testing.assert_array_equal(one, other)
    assert one.shape == (1, *(10 - 2 * margin - abs(step) for step in steps), 1)


def test_the_nearest_outputs_of_a_shift():
    assert measuring.nearest((2, -4), 2) == [(1, -2)]
    assert measuring.nearest((1, 2), 2) == [(0, 1), (1, 1)]
    assert measuring.nearest((-1, 1), 2) == [(-1, 0), (-1, 1), (0, 0), (0, 1)]


@pytest.mark.parametrize("settings", LAYERS, ids=str)
def test_only_what_sees_neither_border_nor_grid_commutes(settings, pictures):
    exact, rough = (measuring.stack(settings, dtype) for dtype in ("float64", "float32"))
    margin = int(settings.padding == "same")
    found = measuring.deviations(exact, rough, pictures, settings.stride, margin)
    # Two sums of one to nine products, in any order, differ by 20 roundings of their parts at most: 2.2e-15 in
    # float64 and 1.2e-6 in float32 for each range that the parts add up to, which is a few.
    assert found["deviation_float64"] < equivariance.ROUNDING
    assert found["deviation_float32"] < equivariance.ROUNDING_FLOAT32
    assert (found["border_deviation"] > 0.01) == (settings.padding == "same")
    assert (found["any_shift_deviation"] > 0.01) == (settings.stride == 2)


def test_what_is_not_a_convolution_is_found_out(pictures):
    """Weights that differ by position, as a locally connected layer has them, do not commute."""

    class Local:
        def __call__(self, images):
            return images * np.arange(images.shape[2]).reshape(1, 1, -1, 1)

    found = measuring.deviations(Local(), Local(), pictures, 1, 0)
    assert found["deviation_float64"] > 0.01


def test_the_border_error_is_scipys(pictures):
    """The largest deviation at a padded border, computed by scipy alone."""
    layer = measuring.stack(Commuting("convolution", "same"), "float64")
    layer(measuring.window(pictures, (0, 0)))
    before = np.stack([correlated(p, layer, "same") for p in measuring.window(pictures, (0, 0))])
    worst = 0.0
    for down, right in measuring.shifts(4):
        after = np.stack([correlated(p, layer, "same") for p in measuring.window(pictures, (down, right))])
        moved = scipy.ndimage.shift(before, (0, down, right, 0), order=0, cval=np.nan)
        worst = max(worst, np.nanmax(np.abs(after - moved)))
    found = measuring.deviations(layer, layer, pictures, 1, 1)["border_deviation"]
    assert found == pytest.approx(worst / np.ptp(before), rel=1e-12)


def test_the_maximum_stays_while_the_digit_does_and_goes_with_it():
    canvas = np.full((1, 60, 60, 1), -0.5)
    canvas[0, 28:32, 28:32, 0] = [[0.5, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 0.3, 0], [0, 0, 0, 0.1]]
    assert measuring.maximum_change(CONVOLUTION, canvas, 4) < equivariance.ROUNDING
    assert measuring.maximum_change(CONVOLUTION, canvas, 20, step=20) > 0.1


def test_the_slides_picture_scores_2_everywhere():
    assert measuring.worked()[0] == {"max_least": 2, "max_largest": 2}


@pytest.mark.parametrize("subsampling", ["none", "stride", "max pooling", "average pooling", "blur"])
def test_invariance_is_measured_as_numpy_would(subsampling):
    digits = measuring.digits("digits", 360, 12, "float32")
    found, arrays = measuring.invariance(subsampling, digits)
    canvas = digits[..., 0].astype("float64")

    def answer(down, right):
        moved = np.roll(canvas, (down, right), axis=(1, 2))[:, 8:-8, 8:-8]
        for _ in range(2 if subsampling != "none" else 0):
            moved = half(moved)
        return moved

    def half(images):
        count, height, width = images.shape
        windows = images.reshape(count, height // 2, 2, width // 2, 2)
        if subsampling == "blur":
            weights = np.outer([1, 2, 1], [1, 2, 1])[np.newaxis] / 16
            return scipy.ndimage.correlate(images, weights, mode="mirror")[:, ::2, ::2]
        return {
            "stride": windows[:, :, 0, :, 0],
            "max pooling": windows.max(axis=(2, 4)),
            "average pooling": windows.mean(axis=(2, 4)),
        }[subsampling]

    distance = lambda a, b: np.sqrt(((a - b) ** 2).sum(axis=(1, 2))).mean()  # noqa: E731
    still = answer(0, 0)
    moved = np.mean([distance(answer(*move), still) for move in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    assert found["change_1_pixel_percent"] == pytest.approx(
        100 * moved / distance(still, np.roll(still, 1, 0)), rel=1e-4
    )
    assert found["change_1_pixel_percent_of_itself"] == pytest.approx(100 * moved / distance(still, -0.5), rel=1e-4)
    assert arrays["change"][0] == 0
    assert (np.diff(arrays["change"]) > 0).all()


def test_an_unknown_layer_is_named(pictures):
    with pytest.raises(ValueError, match="no layer 'median'"):
        measuring.stack(Commuting("median"), "float32")
    with pytest.raises(ValueError, match="no subsampling 'median'"):
        measuring.invariance(Invariance("median").subsampling, pictures)
