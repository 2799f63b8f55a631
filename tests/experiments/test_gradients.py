"""Gradients against correlations by scipy, formulas against scipy.special."""

import keras
import numpy as np
import pytest
import scipy.optimize
import scipy.signal
import scipy.special
import tensorflow as tf

from experiments import gradients
from experiments.gradients import measure as measuring
from lab.report.answers.judge import judged
from tests.support import worlds


@pytest.fixture(scope="module")
def measured():
    """What the experiment really measures."""
    work = measuring.GradientsWork(None)
    return {variant.name: work.measure(variant.settings)[0] for variant in gradients.EXPERIMENT.variants}


@pytest.mark.parametrize("claim", [evidence.claim for evidence in gradients.EXPERIMENT.evidence])
def test_what_is_measured_makes_it_true_by_construction(measured, claim):
    assert worlds.verdict(gradients.EXPERIMENT, claim, measured) == "true by construction"


def test_limits_are_found(measured):
    rows = worlds.rows(gradients.EXPERIMENT, measured)
    limits = {evidence.claim: judged("", evidence, rows).limits for evidence in gradients.EXPERIMENT.evidence}
    found = {claim: [finding.outcome.value for finding in findings] for claim, findings in limits.items() if findings}
    assert found == {"pooling-gradient": ["holds"], "softmax": ["holds"], "cross-entropy": ["holds"]}


@pytest.mark.parametrize("rank", [1, 2])
def test_a_mean_over_copies_does_not_pass_for_the_sum(measured, rank):
    found = measured[f"shared-{rank}d"]
    assert found["gradient_deviation_float64"] < gradients.ROUNDING
    assert found["gradient_deviation_float32"] < gradients.SUMMED_FLOAT32  # derived where it is declared
    assert found["deviation_if_averaged"] > 0.9
    assert found["copies"] == {1: 298, 2: 26 * 26}[rank]


def test_the_shared_gradient_is_a_correlation_with_what_comes_back():
    pictures = measuring._pictures(2)
    convolution, _ = measuring.tied(2, pictures, "float64")
    kernel, bias = measuring.weight_gradients(convolution, pictures)
    outputs = np.asarray(convolution(pictures))
    back = 2000 * np.tanh(outputs) / np.cosh(outputs) ** 2 / outputs.size  # of the mean of tanh², in thousands
    # Two sums of 2,704 products, which add up to less than that of |back|, as brightnesses are within ±0.5.
    bound = 2 * 2_705 * 2**-53 * np.abs(back).sum()
    for number in range(3):
        expected = sum(
            scipy.signal.correlate2d(picture[..., 0], back[place, ..., number], "valid")
            for place, picture in enumerate(pictures)
        )
        np.testing.assert_allclose(kernel[..., 0, number], expected, rtol=0, atol=bound)
    np.testing.assert_allclose(bias, back.sum(axis=(0, 1, 2)), rtol=0, atol=bound)


def test_the_worked_example_adds_up():
    arrays = measuring._worked_shared()
    np.testing.assert_array_equal(arrays["copies"].sum(axis=(0, 1)), arrays["shared"])
    outputs = scipy.signal.correlate2d(arrays["worked_picture"], arrays["worked_kernel"], "valid")
    expected = scipy.signal.correlate2d(arrays["worked_picture"], outputs, "valid")
    np.testing.assert_array_equal(arrays["shared"], expected)


def test_finite_differences_agree_with_scipys():
    function = lambda x: np.sin(x[0]) * x[1] ** 3  # noqa: E731
    at = np.array([0.3, 1.7])
    found = measuring.finite_differences(function, at)
    # Rounding of values up to 5 by steps: 1e-15/1e-8 of scipy's, with as much of the second derivative, and
    # 1e-15/1e-6 of ours.
    np.testing.assert_allclose(found, scipy.optimize.approx_fprime(at, function, 1e-8), rtol=1e-6)
    np.testing.assert_allclose(found, [np.cos(0.3) * 1.7**3, 3 * np.sin(0.3) * 1.7**2], rtol=1e-8)


@pytest.mark.parametrize("window", [window for window, _ in measuring.SLIDE])
def test_the_slides_windows(window):
    layer = keras.layers.MaxPooling2D(2, dtype="float64")
    np.testing.assert_array_equal(measuring._gradient_of(layer, window), np.array(window) == np.max(window))
    average = keras.layers.AveragePooling2D(2, dtype="float64")
    np.testing.assert_array_equal(measuring._gradient_of(average, window), np.full((2, 2), 0.25))


def test_pooling_is_exact(measured):
    for name in ("max-pool", "average-pool"):
        assert measured[name]["deviation_float64"] < gradients.ROUNDING  # of the mean of four numbers
        assert measured[name]["gradient_deviation_float64"] == 0
        assert measured[name]["border_deviation"] < gradients.ROUNDING
        assert measured[name]["finite_difference_deviation"] < 1e-7


def test_a_mean_that_counts_padding_is_found_out():
    class Zeros:
        def __call__(self, images):
            padded = np.pad(images, ((0, 0), (0, 1), (0, 1), (0, 0)))
            return padded.reshape(3, 4, 2, 4, 2, 2).mean(axis=(2, 4))

    pictures = np.random.default_rng(0).normal(size=(3, 7, 7, 2))
    assert measuring._border(Zeros(), pictures, np.mean) > 0.1


def test_ties_are_split_by_one_layer_and_not_by_the_other(measured):
    one, shared = measured["ties-max-pool"], measured["ties-global-max"]
    assert (one["tie_winners"], one["tie_winners_of_four"], one["tie_gradient_sum"]) == (1, 1, 1)
    assert (shared["tie_winners"], shared["tie_winners_of_four"], shared["tie_gradient_sum"]) == (2, 4, 1)
    assert one["finite_difference_deviation"] == pytest.approx(0.5)
    assert shared["finite_difference_deviation"] < 1e-7


def test_tied_windows_are_counted_as_a_loop_would(digits, measured):
    tied = blank = total = 0
    for image in digits.test.images[:40, ..., 0]:
        for y, x in np.ndindex(14, 14):
            window = sorted(image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel())
            blank += window[-1] == 0
            tied += window[-1] == window[-2] != 0
            total += 1
    assert measured["ties-max-pool"]["blank_windows_percent"] == pytest.approx(100 * blank / total, abs=2)
    assert measured["ties-max-pool"]["tied_windows_percent"] == pytest.approx(100 * tied / (total - blank), abs=2)


@pytest.mark.parametrize("how", ["logits", "probabilities", "printed"])
def test_cross_entropy_and_its_gradient_are_scipys_at_small_logits(how):
    z, y = measuring.logits("float64")[:10], np.arange(10)
    p = scipy.special.softmax(z, axis=-1)
    np.testing.assert_allclose(measuring.loss_of(how, tf.constant(z), y), -np.log(p[y, y]), rtol=1e-12)
    found = measuring.gradient(lambda x: tf.reduce_sum(measuring.loss_of(how, x, y)), z)
    np.testing.assert_allclose(found, p - np.eye(10), rtol=0, atol=1e-12)


def test_at_large_logits_only_the_loss_of_logits_is_right(measured):
    assert measured["cross-entropy"]["extreme_deviation"] == 0
    assert measured["cross-entropy"]["extreme_gradient"] == 1
    assert measured["cross-entropy-p"]["extreme_deviation"] == pytest.approx(2000 + np.log(1e-7), abs=0.01)
    assert measured["cross-entropy-p"]["extreme_gradient"] == 0
    assert measured["cross-entropy-printed"]["extreme_finite_percent"] == 0
    assert measured["softmax-printed"]["extreme_finite_percent"] == 90  # 0/∞ is 0; ∞/∞ is no number


def test_keras_goes_back_to_the_logits_where_it_can():
    """A loss straight after Keras's own softmax is right even at ±1000; that is why `loss_of` takes a copy."""
    z, wrong = tf.constant(measuring.extreme("float64")), (np.arange(10) + 1) % 10
    straight = keras.losses.sparse_categorical_crossentropy(wrong, keras.activations.softmax(z))
    np.testing.assert_array_equal(straight, 2000)
