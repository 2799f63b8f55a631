"""Drawings are turned into pictures like those of MNIST."""

import base64
import io
import random

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from demo import drawing, png
from lab.data import datasets, pairs
from tests.lab.data.test_pairs import enormous


@pytest.fixture(scope="module")
def test():
    return datasets.load("mnist").test


def url(ink):
    opaque = np.zeros((*ink.shape, 4), "uint8")
    opaque[..., 3] = ink
    file = io.BytesIO()
    Image.fromarray(opaque).save(file, "png")
    return png.PREFIX + base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("number", range(0, 200, 10))
def test_a_test_digit_drawn_at_any_place_and_size_gives_its_picture(test, number):
    picture = test.images[number, ..., 0]
    for factor, corner in ((5, (0, 0)), (5, (100, 90)), (10, (0, 0))):
        ink = np.zeros((drawing.CANVAS, drawing.CANVAS), "uint8")
        large = np.kron(picture, np.ones((factor, factor), "uint8"))
        ink[corner[0] : corner[0] + len(large), corner[1] : corner[1] + len(large)] = large
        found = drawing.normalise(ink).pixels
        assert np.abs(found.astype(int) - picture).max() <= 1


def test_scale_and_origin_locate_the_picture_on_the_drawing(test):
    ink = np.zeros((drawing.CANVAS, drawing.CANVAS), "uint8")
    ink[100:240, 30:100] = 255  # 140 down, 70 across: into 20×10 pixels, 7 to one
    picture = drawing.normalise(ink)
    assert picture.scale == (7, 7)
    rows, columns = np.nonzero(picture.pixels)
    assert [picture.origin[0] + 7 * rows.min(), picture.origin[0] + 7 * (rows.max() + 1)] == [100, 240]
    assert [picture.origin[1] + 7 * columns.min(), picture.origin[1] + 7 * (columns.max() + 1)] == [30, 100]


def test_the_centre_of_mass_is_in_the_middle():
    ink = np.zeros((drawing.CANVAS, drawing.CANVAS), "uint8")
    ink[20:220, 20:40] = ink[200:220, 20:100] = 255  # an L: its mass is low and left of its box's middle
    weight = drawing.normalise(ink).pixels.astype(float)
    for axis in (0, 1):
        assert abs(np.average(np.arange(28), weights=weight.sum(axis=1 - axis)) - 14) <= 0.5


@pytest.mark.parametrize("ink", [0, 1, 255])
def test_empty_faint_and_full_drawings_are_accepted(ink):
    full = np.full((drawing.CANVAS, drawing.CANVAS), ink, "uint8")
    assert (drawing.normalise(full).pixels == ink).sum() == (784 if ink == 0 else 400)
    dot = np.zeros_like(full)
    dot[279, 0] = ink
    assert (drawing.normalise(dot).pixels == ink).sum() == (784 if ink == 0 else 400)


def test_thick_edges_become_one_pixel_wide(test):
    found, true, drawn = [], [], 0
    for picture in test.images[:20]:
        edges = pairs.edges(picture[None])[0, ..., 0]
        thick = np.kron(edges, np.ones((10, 10), "uint8"))
        outline = drawing.outline(thick)
        assert set(np.unique(outline)) == {0, 255}
        near = scipy.ndimage.binary_dilation(edges, np.ones((3, 3)))
        found.append((outline > 0)[near].sum())
        drawn += (outline > 0).sum()
        true.append((edges > 0).sum())
    assert sum(found) > 0.98 * drawn  # within a pixel of where they were
    assert sum(true) * 0.7 < drawn < sum(true) * 1.1


def test_an_empty_drawing_has_an_empty_outline():
    assert not drawing.outline(np.zeros((280, 280), "uint8")).any()
    assert drawing.outline(np.full((280, 280), 255, "uint8")).any()


def test_moving_loses_pixels_that_leave_the_picture():
    picture = np.arange(1, 785, dtype="uint16").reshape(28, 28)
    right = drawing.moved(picture, 3, -2)
    assert (right[3:, :26] == picture[:25, 2:]).all()
    assert right.sum() == picture[:25, 2:].sum()
    assert not drawing.moved(picture, 28, 0).any()
    assert not drawing.moved(picture, 0, -99).any()


def test_a_drawing_from_the_page_is_read_exactly():
    ink = np.random.default_rng(0).integers(0, 256, (drawing.CANVAS, drawing.CANVAS), "uint8")
    assert (drawing.read(url(ink)) == ink).all()


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        (None, "URL"),
        (7, "URL"),
        ("https://example.org/picture.png", "URL"),
        (png.PREFIX + "A" * png.longest(280), "characters"),
        (png.PREFIX + "*", "not a PNG"),
        (png.PREFIX + "AAAA", "not a PNG"),
        (url(np.zeros((1000, 1000), "uint8")), "1000×1000"),
        (png.PREFIX + base64.b64encode(enormous(30_000, 30_000)).decode(), "not a PNG that can be read"),
        (png.PREFIX + base64.b64encode(enormous(280, 280)).decode(), "not a PNG that can be read"),
        (url(np.zeros((280, 280), "uint8"))[:-60], "not a PNG"),
    ],
)
def test_other_data_is_refused_with_a_sentence(sent, word):
    with pytest.raises(ValueError, match=word):
        drawing.read(sent)


def test_a_damaged_drawing_is_refused_or_read():
    content = base64.b64decode(url(np.full((280, 280), 7, "uint8"))[len(png.PREFIX) :])
    draw, refused = random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(4):
            damaged[draw.randrange(len(content))] = draw.randrange(256)
        try:
            assert drawing.read(png.PREFIX + base64.b64encode(damaged).decode()).shape == (280, 280)
        except ValueError:
            refused += 1
    assert refused > 200
