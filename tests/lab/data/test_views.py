"""Views of a data set, on the real digits that need no network."""

import numpy as np
import pytest

from lab.data import views
from lab.declare.recipe import Canvas


def test_shifts_move_pictures_by_whole_pixels_within_bounds(digits):
    images = digits.test.images[:50]
    moved = views.shifted(images, 4)
    np.testing.assert_array_equal(moved, views.shifted(images, 4))
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
    order = views.nested_order(labels, 7)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(labels)))
    shares = np.bincount(labels) / len(labels)
    for count in (10, 100, 101, 500, len(labels)):
        assert np.abs(np.bincount(labels[order[:count]], minlength=10) - shares * count).max() <= 1
    assert not np.array_equal(order, views.nested_order(labels, 8))


@pytest.mark.parametrize("positions", ["centre", "left", "everywhere"])
def test_places_are_all_that_the_canvas_allows(positions):
    canvas = Canvas(40, positions)
    corners = views.positions(canvas, 28, 20_000, seed=1)
    expected = {
        "centre": ({6}, {6}),
        "left": (set(range(13)), set(range(6))),  # the middle of the canvas is column 6
        "everywhere": (set(range(13)), set(range(13))),
    }[positions]
    assert (set(corners[:, 0].tolist()), set(corners[:, 1].tolist())) == expected


def test_scaling_keeps_the_brightness_of_a_larger_or_smaller_digit(digits):
    images = digits.test.images[:20]
    for side in (14, 56):
        sized = views.scaled(images, side)
        assert sized.shape == (20, side, side, 1)
        np.testing.assert_allclose(sized.mean((1, 2, 3)), images.mean((1, 2, 3)), rtol=0.03)


@pytest.mark.parametrize("side", [14, 56])
def test_scaling_keeps_every_channel(digits, side):
    colours = np.stack([digits.test.images[start : start + 20, ..., 0] for start in (0, 20, 40)], axis=-1)
    sized = views.scaled(colours, side)
    assert sized.shape == (20, side, side, 3)
    for channel in range(3):
        alone = views.scaled(colours[..., channel : channel + 1], side)
        np.testing.assert_array_equal(sized[..., channel : channel + 1], alone)


def test_a_reordered_picture_keeps_its_pixels(digits):
    images = digits.test.images[:3]
    order = views.pixel_order(28 * 28, 0)
    moved = views.reordered(images, order)
    np.testing.assert_array_equal(moved.reshape(3, -1), images.reshape(3, -1)[:, order])
