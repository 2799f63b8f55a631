"""Gradients of one digit at two places: by hand, and what a layer's kind makes of a shift."""

import numpy as np
import pytest

import cnn_models
from experiments.example_updates import COSINE, SHARED, TOUCHED
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


@pytest.mark.parametrize(("model", "shared"), [("fc-64", 0), ("conv-global-max", 100)])
def test_places_that_do_not_overlap_share_all_weights_of_a_convolution_and_none_of_a_full_connection(
    digits, model, shared
):
    set_seed(0)
    network = cnn_models.build(model, (56, 56, 1), 10)
    here, there = (gradients(network, shown(digits.test.images[:2], s), digits.test.labels[:2]) for s in (0, 28))
    found = compared(here, there)
    assert found[SHARED] == pytest.approx([shared, shared])
    assert np.all(found[TOUCHED] > 0)
    assert maps(here[0], 56).shape == ((1, 56, 56) if shared == 0 else (8, 5, 5))
