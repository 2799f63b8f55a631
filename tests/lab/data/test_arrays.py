"""Pictures of a split chosen, shifted and scaled: on the real digits that need no network."""

import numpy as np
import pytest

from lab.data import arrays


def test_shifts_move_pictures_by_whole_pixels_within_bounds(digits):
    images = digits.test.images[:50]
    moved = arrays.shifted(images, 4)
    np.testing.assert_array_equal(moved, arrays.shifted(images, 4))
    found = set()
    for picture, other in zip(images, moved, strict=True):
        matches = [
            (dy, dx)
            for dy in range(-4, 5)
            for dx in range(-4, 5)
            # 20×20 digits in the middle of 28×28 lose nothing within four pixels
            if np.array_equal(np.roll(picture, (dy, dx), (0, 1)), other)
        ]
        assert len(matches) == 1
        found |= set(matches)
    assert len(found) > 20


def test_choices_are_stratified_and_nested(digits):
    labels = digits.train.labels
    order = arrays.nested_order(labels, 7)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
    shares = np.bincount(labels) / len(labels)
    for count in (10, 100, 101, 500, len(labels)):
        assert np.abs(np.bincount(labels[order[:count]], minlength=10) - shares * count).max() <= 1
    assert not np.array_equal(order, arrays.nested_order(labels, 8))


def test_scaling_keeps_the_brightness_of_a_larger_or_smaller_digit(digits):
    images = digits.test.images[:20]
    for side in (14, 56):
        sized = arrays.scaled(images, side)
        assert sized.shape == (20, side, side, 1)
        np.testing.assert_allclose(sized.mean((1, 2, 3)), images.mean((1, 2, 3)), rtol=0.03)


@pytest.mark.parametrize("side", [14, 56])
def test_scaling_keeps_every_channel(digits, side):
    colours = np.stack([digits.test.images[start : start + 20, ..., 0] for start in (0, 20, 40)], axis=-1)
    sized = arrays.scaled(colours, side)
    assert sized.shape == (20, side, side, 3)
    for channel in range(3):
        alone = arrays.scaled(colours[..., channel : channel + 1], side)
        np.testing.assert_array_equal(sized[..., channel : channel + 1], alone)
