"""The shift experiment: its maps against single pictures."""

import dataclasses

import numpy as np
import pytest

from experiments.shift import EXPERIMENT
from lab.data.datasets import Split
from lab.declare.recipe import Canvas, Measures, Training, View
from lab.errors import UsageError
from lab.learn import views
from lab.learn.measuring import maps
from lab.learn.training import Trainer


def test_all_nets_have_as_many_parameters_as_one_another():
    counts = [
        Trainer(variant.settings, few()).facts()["params"]
        for variant in EXPERIMENT.variants
        if variant.name.endswith("-centre")
    ]
    assert len(counts) == 3
    assert max(counts) / min(counts) < 1.002


def few():
    """Twenty of the real digits that need no network, as each split."""
    from lab.data import datasets

    digits = datasets.load("digits")
    part = Split(digits.train.images[:20], digits.train.labels[:20])
    return dataclasses.replace(digits, train=part, validation=part, test=part)


@pytest.mark.slow
def test_a_map_is_the_accuracy_at_each_place(digits):
    canvas, grid = Canvas(40), 3
    settings = Training(
        "conv-global-max", epochs=1, batch_size=32, view=View(canvas), measures=Measures(position_grid=grid)
    )
    trainer = Trainer(dataclasses.replace(settings, precision="float64"), digits)
    outcome = trainer.run(0)
    found = outcome["maps"]
    assert found["offset_pixels"] == [[-6, 0, 6]]
    model = trainer.model
    images, labels = digits.test.images, digits.test.labels
    for row, dy in enumerate((0, 6, 12)):
        for column, dx in enumerate((0, 6, 12)):
            placed = np.zeros((len(images), 40, 40, 1), "uint8")
            placed[:, dy : dy + 28, dx : dx + 28] = images
            logits = model.predict(placed / np.float32(255) - np.float32(0.5), verbose=0)
            second, first = np.sort(logits, axis=1)[:, -2:].T
            # Pictures are float32 on their way in, 6e-8 apart: only what is as near may be read either way.
            unsure = np.mean(first - second < 1e-4)
            assert unsure < 0.01
            expected = np.mean(logits.argmax(axis=1) == labels)
            assert found["accuracy"][row][column] == pytest.approx(expected, abs=unsure + 1e-9)
    assert found["consistency"][1][1] == 1
    assert outcome["metrics"]["map_error_percent"] == pytest.approx(100 * (1 - np.mean(found["accuracy"])))
    assert outcome["metrics"]["worst_position_error_percent"] == pytest.approx(100 * (1 - np.min(found["accuracy"])))


def test_a_reader_that_looks_at_one_pixel_is_consistent_only_where_it_is_the_same(digits):
    centre = lambda images: (images[:, 20, 20, 0] > 127).astype(int)  # noqa: E731
    found = maps.by_position(centre, digits.test, Canvas(40), 3)
    assert found["consistency"][1][1] == 1
    assert found["consistency"][0][0] < 1
    moved = views.place(digits.test.images, np.tile([0, 0], (360, 1)), 40)
    still = views.place(digits.test.images, np.tile([6, 6], (360, 1)), 40)
    assert found["consistency"][0][0] == pytest.approx(np.mean(centre(moved) == centre(still)))


def test_the_centre_is_seen_from_where_the_canvas_says_nothing_else(digits):
    trainer = Trainer(
        Training("linear", epochs=1, view=View(Canvas(56, "centre")), measures=Measures(position_grid=3)), digits
    )
    everywhere = trainer.view(digits.test, 0, "everywhere").images
    assert not np.array_equal(everywhere, trainer.view(digits.test, 0).images)
    assert everywhere.sum(dtype="int64") == digits.test.images.sum(dtype="int64")


def test_positions_without_a_canvas_are_refused():
    with pytest.raises(UsageError, match="canvas"):
        Training("linear", measures=Measures(position_grid=9))
