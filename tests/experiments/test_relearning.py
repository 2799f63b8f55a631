"""Filters matched under translation: planted copies are found, turned ones are not."""

import numpy as np
import pytest

from experiments.relearning import CHANCE, measure


def smooth(generator, side=24):
    """A random local pattern of a few pixels."""
    import scipy.ndimage

    return scipy.ndimage.gaussian_filter(generator.normal(size=(side, side)), 1.5)


def planted(copies):
    """Twelve filters on 56×56 with a pattern somewhere: of one pattern, or each of its own."""
    generator = np.random.default_rng(0)
    pattern = smooth(generator)
    found = np.zeros((12, 56, 56))
    places = [(row, column) for row in (0, 10, 21) for column in (0, 9, 17, 26)]
    for number, (row, column) in enumerate(places):
        found[number, row : row + 24, column : column + 24] = pattern if copies else smooth(generator)
    return found, places


def test_planted_copies_are_found_with_their_shift():
    pictures, places = planted(copies=True)
    found = measure.best(pictures)
    assert found.value.min() > 0.99
    for number, (row, column) in enumerate(places):
        other = places[found.other[number]]
        assert tuple(found.shift[number]) == (row - other[0], column - other[1])
    for turns in (1, 2):
        control = measure.best(pictures, quarter_turns=turns)
        assert control.value.max() < 0.7
        assert measure.beyond(found, control) == 100


def test_patterns_of_their_own_match_no_better_than_turned_ones():
    pictures, _ = planted(copies=False)
    found, control = measure.best(pictures), measure.best(pictures, quarter_turns=1)
    assert found.value.max() < 0.8
    assert abs(np.mean(found.value) - np.mean(control.value)) < 0.1


def waves(count=64):
    """Noise with a preferred orientation, each of its own: no copies of one another, but alike in direction."""
    import scipy.ndimage

    generator = np.random.default_rng(0)
    return np.stack([scipy.ndimage.gaussian_filter(generator.normal(size=(56, 56)), (1, 4)) for _ in range(count)])


def test_a_preferred_orientation_passes_for_copies_beyond_a_quarter_turn_and_not_beyond_half_a_turn():
    pictures = waves()
    found = measure.best(pictures)
    shares = {turns: measure.beyond(found, measure.best(pictures, quarter_turns=turns)) for turns in (1, 2)}
    assert shares[1] > 50
    assert shares[2] < 10


def test_chance_gives_what_the_claim_says_it_does():
    generator = np.random.default_rng(0)
    matches = lambda: measure.Matches(generator.normal(size=64), np.zeros(64), np.zeros((64, 2)))  # noqa: E731
    shares = [measure.beyond(matches(), matches()) for _ in range(5_000)]
    assert 100 / 65 < np.mean(shares) < CHANCE


def test_a_correlation_is_the_sum_of_products_under_a_shift():
    generator = np.random.default_rng(1)
    pictures = generator.normal(size=(2, 8, 8))
    found = measure.best(pictures)
    one, other = measure._unit(pictures)
    row, column = found.shift[0]
    moved = np.zeros((8, 8))
    for y in range(8):
        for x in range(8):
            if 0 <= y - row < 8 and 0 <= x - column < 8:
                moved[y, x] = other[y - row, x - column]
    assert found.value[0] == pytest.approx((one * moved).sum())
    assert max(abs(row), abs(column)) >= measure.NEAREST
