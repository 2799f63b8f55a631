"""Altered test pictures, and the error of one class: against the network's own answers, on a few photographs."""

import numpy as np
import pytest

from lab.data import cifar, datasets
from lab.declare.recipe import Measures, Training, View
from lab.learn.alterations import altered
from lab.learn.measuring.measures import ALTERATION_SEED
from lab.learn.training import Trainer

NAMES = ("edges", "blocks8")


@pytest.fixture(scope="module")
def photographs():
    """A few real ones, which need no network."""
    return datasets.load("cifar-10-sample")


def trained(photographs, view):
    measures = Measures(test_alterations=NAMES, error_of="cat")
    trainer = Trainer(Training("linear", epochs=1, batch_size=64, view=view, measures=measures), photographs)
    return trainer, trainer.run(0)["metrics"]


@pytest.mark.parametrize("view", [View(), View(grey=True), View(alteration="edges")], ids=str)
def test_altered_test_pictures_take_the_place_of_those_that_the_view_alters(photographs, view):
    trainer, metrics = trained(photographs, view)
    test, cats = photographs.test, photographs.test.labels == cifar.CLASSES.index("cat")
    for name in NAMES:
        pictures = altered(test.images, name, ALTERATION_SEED)
        if view.grey:
            pictures = altered(pictures, "grey", 0)[..., :1]
        read = trainer.model.predict(pictures / np.float32(255) - np.float32(0.5), verbose=0).argmax(axis=1)
        assert metrics[f"test_{name}_error_percent"] == pytest.approx(100 * np.mean(read != test.labels))
        assert metrics[f"test_{name}_cat_error_percent"] == 100 * np.mean(read[cats] != test.labels[cats])
    if view.alteration:
        assert metrics["test_error_percent"] == metrics[f"test_{view.alteration}_error_percent"]
