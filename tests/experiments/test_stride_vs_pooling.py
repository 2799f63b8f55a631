"""The stride-versus-pooling experiment: its arms differ in one thing."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.layers.blur import BlurPool2D
from experiments.stride_vs_pooling import ARMS, EXPERIMENT
from lab.learn import measures
from lab.learn.training import Trainer


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_sees_what_its_arithmetic_says(arm):
    pixels = {
        "none": 1 + 5 * 2,
        "dilation": 1 + 2 * 2 * (1 + 2) + 2 * 4,
        "max": 1 + 2 * 2 + 2 + 2 * (2 * 2 + 2) + 4 * 2,
        "average": 1 + 2 * 2 + 2 + 2 * (2 * 2 + 2) + 4 * 2,
        "strided": 1 + 2 * 2 + 2 * (2 * 2) + 4 * 2,
        "conv-pool": 1 + 3 * 2 + 2 + 2 * (3 * 2 + 2) + 4 * 2,
        "all-conv": 1 + 3 * 2 + 2 * (3 * 2) + 4 * 2,
        "blur-max": 1 + 2 * 2 + 2 + 2 + 2 * (2 * 2 + 2 + 2) + 4 * 2,
        "blur-stride": 1 + 2 * 2 + 2 + 2 * (2 * 2 + 2) + 4 * 2,
    }[arm]
    assert cnn_models.receptive_field(cnn_models.build(f"reduce-{arm}"), "last").size[0] == pixels


def test_arms_differ_in_their_reduction_and_learning_rate_alone():
    recipes = {(v.settings.epochs, v.settings.batch_size, v.settings.examples) for v in EXPERIMENT.variants}
    assert len(recipes) == 1
    for arm in ARMS:
        model = cnn_models.build(f"reduce-{arm}")
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        assert len(convolutions) == (7 if arm in ("conv-pool", "all-conv") else 5)
        assert any(isinstance(layer, BlurPool2D) for layer in model.layers) == arm.startswith("blur")


def test_the_measured_field_lies_within_the_theoretical_one(digits):
    variant = next(variant for variant in EXPERIMENT.variants if variant.name == "max")
    trainer = Trainer(variant.settings, digits)
    trainer.reset(0)
    assert trainer.facts()["receptive_field_pixels"] == 27
    assert 3 < measures.effective_field(trainer, "last") <= 27
    for variable in trainer.model.variables:
        variable.assign(np.zeros(variable.shape))
    assert measures.effective_field(trainer, "last") == 0
