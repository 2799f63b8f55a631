"""Alterations, each against an independent computation on pictures of three channels."""

import numpy as np
import pytest
import scipy.ndimage

from lab.data import datasets
from lab.learn import views
from lab.learn.alterations import altered
from lab.learn.views import Batch


@pytest.fixture(scope="module")
def colours(digits):
    """Pictures 28×28 of three channels, which are three digits."""
    return np.stack([digits.test.images[start : start + 40, ..., 0] for start in (0, 40, 80)], axis=-1)


def blocks_of(picture, side):
    """The blocks of a picture as sorted bytes."""
    rows, columns = (size // side for size in picture.shape[:2])
    cut = [picture[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(rows) for c in range(columns)]
    return sorted(block.tobytes() for block in cut)


def test_shuffled_blocks_are_the_same_blocks_in_another_order_for_each_picture(colours):
    shuffled = altered(colours, "blocks4", 3)
    for before, after in zip(colours, shuffled, strict=True):
        assert blocks_of(after, 4) == blocks_of(before, 4)
    assert (shuffled != colours).any(axis=(1, 2, 3)).all()
    same = altered(np.repeat(colours[:1], 20, axis=0), "blocks4", 3)
    assert len({picture.tobytes() for picture in same}) == 20
    np.testing.assert_array_equal(altered(colours, "blocks4", 3), shuffled)
    assert not np.array_equal(altered(colours, "blocks4", 4), shuffled)


def test_permuted_channels_are_the_same_in_each_of_the_five_other_orders(colours):
    permuted = altered(np.repeat(colours[:1], 200, axis=0), "permuted_channels", 0)
    whole = [channel.tobytes() for channel in np.moveaxis(colours[0], -1, 0)]
    orders = {tuple(whole.index(channel.tobytes()) for channel in np.moveaxis(one, -1, 0)) for one in permuted}
    assert orders == {(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)}


def test_grey_is_the_luminance_in_every_channel(colours):
    grey = altered(colours, "grey", 0)
    # Whole numbers: a sum of three products in float32 may round to the other neighbour of a half.
    np.testing.assert_allclose(grey[..., 0], datasets.grey(colours), atol=1)
    assert (grey == grey[..., :1]).all()


def test_edges_are_the_length_of_the_gradient_by_scipy(colours):
    grey = altered(colours, "grey", 0)[..., 0].astype("float64")
    edges = altered(colours, "edges", 0)
    for picture, found in zip(grey, edges, strict=True):
        length = np.hypot(*(scipy.ndimage.sobel(picture, axis, mode="reflect") / 4 for axis in (0, 1)))
        np.testing.assert_allclose(found[..., 0], np.minimum(length, 255), atol=0.51)
    assert (edges == edges[..., :1]).all()


def test_two_tones_are_black_and_white_at_the_mean(colours):
    grey = altered(colours, "grey", 0)[..., 0]
    tones = altered(colours, "two_tones", 0)
    white = grey > grey.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_array_equal(tones, np.where(white, 255, 0)[..., None].repeat(3, axis=-1))


def test_a_training_picture_is_altered_anew_at_each_step_whatever_part_of_the_batch_it_is_in(colours):
    view = views.Altered("blocks4", colours.shape[1:])
    images = np.repeat(colours[:1], 6, axis=0)
    places = np.arange(6, dtype="int32")
    first, again, next_step = (
        np.asarray(view.batch(images, Batch(places, np.array([0, step], "int32"), 0, 6))) for step in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_step)
    part = np.asarray(view.batch(images[4:], Batch(places[4:], np.array([0, 1], "int32"), 4, 6)))
    np.testing.assert_array_equal(part, first[4:])
