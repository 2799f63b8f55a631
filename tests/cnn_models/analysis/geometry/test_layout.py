"""The numbers of units in a tensor, against counting."""

import itertools

import numpy as np
import pytest

from cnn_models.analysis.geometry.layout import Digit, Layout

REPEATED = Layout((Digit(1, 3, 2, 6),))  # three units along six positions, each twice
SPLIT = Layout((Digit(1, 2, 3, 6), Digit(2, 4, 1, 4), Digit(1, 3, 1, 6)))  # axis 1 as two digits, axis 2 between them


@pytest.mark.parametrize("layout", [Layout.plain(1, 5), REPEATED, SPLIT, Layout()])
def test_a_unit_alone_has_the_number_that_it_has_among_many(layout):
    places = sorted(layout.places)
    sizes = [layout.length(place) for place in places]
    numbers = layout.numbers(dict(zip(places, np.ogrid[tuple(map(slice, sizes))], strict=True)))
    for index in itertools.product(*map(range, sizes)):
        assert layout.number(dict(zip(places, index, strict=True))) == np.broadcast_to(numbers, sizes)[index]


def test_numbers_of_a_split_axis():
    """Of place (i, j) the slowest digit is i // 3, then comes j, then i % 3; each number occurs once."""
    numbers = SPLIT.numbers_along(1, 6)
    assert numbers.tolist() == [[i // 3 * 12 + j * 3 + i % 3 for i in range(6)] for j in range(4)]
    assert sorted(numbers.reshape(-1)) == list(range(24))


def test_numbers_along_an_axis_that_makes_no_difference():
    """A new last dimension, along which each unit is repeated."""
    assert Layout.plain(1, 3).numbers_along(2, 2).tolist() == [[0, 0], [1, 1], [2, 2]]


def test_copies_of_units_that_another_layout_tells_apart():
    plain = Layout.plain(1, 3)
    assert plain.copies(plain.followed_by(2, 4)) == 4
    assert REPEATED.copies(Layout.plain(1, 6)) == 2
    assert plain.copies(Layout.plain(2, 3)) is None


def test_a_place_that_is_none():
    with pytest.raises(ValueError, match="differ along axis 2"):
        SPLIT.number({1: 0})
    with pytest.raises(IndexError, match="Axis 1 of the tensor has 6 units, none with the index 6"):
        SPLIT.number({1: 6, 2: 0})
