"""Gradients of one digit at two places: by hand, and what a layer's kind makes of a shift."""

import numpy as np
import pytest

import cnn_models
from experiments.example_updates import COSINE, NETS, SHARED, TOUCHED
from experiments.example_updates.measure import compared, gradients, maps, shown
from lab.learn.loop import set_seed


def test_measures_by_hand():
    here, there = np.array([[[1.0, 0.0], [2.0, 0.0]]]), np.array([[[1.0, 3.0], [0.0, 0.0]]])
    found = compared(here, there)
    assert found[COSINE] == pytest.approx([1 / np.sqrt(5 * 10)])
    assert (found[TOUCHED], found[SHARED]) == ([50], [pytest.approx(100 / 3)])


def test_a_digit_lies_whole_at_its_place(digits):
    images = digits.test.images[:3]
    near, far = shown(images, 0), shown(images, 28)
    np.testing.assert_array_equal(near[:, 14:42, :28], images)
    np.testing.assert_array_equal(far[:, 14:42, 28:], images)
    assert near.sum() == far.sum() == images.sum()


@pytest.mark.parametrize(("net", "shared"), [("fc", 0), ("global-max", 100)])
def test_places_that_do_not_overlap_share_all_weights_of_a_convolution_and_none_of_a_full_connection(
    digits, net, shared
):
    here, there = (_gradients(digits, net, shift, black=0) for shift in (0, 28))
    found = compared(here, there)
    assert found[SHARED] == pytest.approx([shared, shared])
    assert np.all(found[TOUCHED] > 0)
    assert maps(here[0], 56).shape == ((1, 56, 56) if shared == 0 else (8, 5, 5))


def test_where_black_is_not_0_the_background_touches_weights_of_a_full_connection_too(digits):
    here, there = (_gradients(digits, "fc", shift, black=-0.5) for shift in (0, 28))
    # Three quarters of the canvas are black both times; units whose ReLU is dead have no gradient.
    assert np.all(compared(here, there)[SHARED] > 50)


def _gradients(digits, net, shift, black):
    set_seed(0)
    model, options, _ = NETS[net]
    network = cnn_models.build(model, (56, 56, 1), 10, **options or {})
    return gradients(network, shown(digits.test.images[:2], shift), digits.test.labels[:2], black)
