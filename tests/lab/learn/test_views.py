"""Views: what a batch is shown in a graph is what a whole split is shown in NumPy."""

import numpy as np
import pytest

from lab.declare.recipe import Canvas, View
from lab.learn import views
from lab.learn.views import Batch

CANVASES = [Canvas(36, positions) for positions in ("centre", "left", "everywhere")]
VIEWS = [
    View(),
    *(View(canvas) for canvas in CANVASES),
    View(merged_channels=True),
    View(shuffled_pixels=True),
    *(View(alteration=name) for name in ("grey", "edges", "two_tones")),
    View(CANVASES[2], alteration="edges"),
    View(CANVASES[2], grey=True),
    View(CANVASES[2], merged_channels=True, shuffled_pixels=True),
]


@pytest.fixture(scope="module")
def colours(digits):
    """Pictures of three channels, which are three digits."""
    return np.stack([digits.test.images[start : start + 40, ..., 0] for start in (0, 40, 80)], axis=-1)


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])  # distorted pictures are float32
def test_both_halves_of_a_view_show_the_same(colours, view, dtype):
    transform = views.transform_of(view, colours.shape[1:])
    transform.allocate(len(colours))
    transform.reset(5)
    whole = transform.split(colours, 5)
    assert whole.shape == (40, *transform.shape)
    places = np.array([3, 0, 39, 17], "int32")
    batch = Batch(places, np.array([5, 0], "int32"), 0, 4)
    in_graph = np.asarray(transform.batch(colours[places].astype(dtype), batch))
    np.testing.assert_array_equal(in_graph, whole[places])
    drawn = view.shuffled_pixels or (view.canvas and view.canvas.positions != "centre")
    assert np.array_equal(transform.split(colours, 6), whole) != bool(drawn)


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


def test_a_shuffled_picture_keeps_its_pixels(colours):
    transform = views.ShuffledPixels(colours.shape[1:])
    moved = transform.split(colours, 0).reshape(40, -1, 3)
    np.testing.assert_array_equal(moved, colours.reshape(40, -1, 3)[:, transform.order(0)])
    assert sorted(transform.order(0)) == list(range(28 * 28))


def test_merged_channels_are_the_brightest_of_all(colours):
    merged = views.MergedChannels(colours.shape[1:]).split(colours, 0)
    for channel in range(3):
        np.testing.assert_array_equal(merged[..., channel], colours.max(axis=-1))
