"""Nine ways of downsampling: their receptive fields by hand, and their networks differ in nothing else."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.layers.blur import BlurPool2D
from lab.declare.recipe import Measures, Training
from lab.learn.measuring import measures
from lab.learn.training import Trainer
from tests.support import zoo

PIXELS = {
    "none": 1 + 5 * 2,
    "dilation": 1 + 2 * 2 * (1 + 2) + 2 * 4,
    "max": 1 + 2 * 2 + 2 + 2 * (2 * 2 + 2) + 4 * 2,
    "average": 1 + 2 * 2 + 2 + 2 * (2 * 2 + 2) + 4 * 2,
    "strided": 1 + 2 * 2 + 2 * (2 * 2) + 4 * 2,
    "conv-pool": 1 + 3 * 2 + 2 + 2 * (3 * 2 + 2) + 4 * 2,
    "all-conv": 1 + 3 * 2 + 2 * (3 * 2) + 4 * 2,
    "blur-max": 1 + 2 * 2 + 2 + 2 + 2 * (2 * 2 + 2 + 2) + 4 * 2,
    "blur-stride": 1 + 2 * 2 + 2 + 2 * (2 * 2 + 2) + 4 * 2,
}


@pytest.mark.parametrize("reduction", PIXELS)
def test_networks_differ_only_in_their_reduction_and_the_receptive_field_of_the_last_convolution(reduction):
    model = zoo.built(f"reduce-{reduction}")
    assert cnn_models.receptive_field(model, "last").size[0] == PIXELS[reduction]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == (7 if reduction in ("conv-pool", "all-conv") else 5)
    assert any(isinstance(layer, BlurPool2D) for layer in model.layers) == reduction.startswith("blur")


def test_an_unknown_reduction_is_refused():
    from cnn_models.networks.downsampling import reduced

    with pytest.raises(ValueError, match="no such reduction"):
        reduced(name="x", input_shape=(28, 28, 1), classes=10, reduction="faster")


def test_the_measured_field_lies_within_the_theoretical_one(digits):
    trainer = Trainer(Training("reduce-max", epochs=1, batch_size=32, measures=Measures(field_layer="last")), digits)
    outcome = trainer.run(0)
    assert outcome["facts"]["receptive_field_pixels"] == PIXELS["max"]
    assert 3 < outcome["metrics"]["effective_field_pixels"] <= PIXELS["max"]  # seeds 0 to 4: 17.9 to 22.5 of 27
    for variable in trainer.model.variables:
        variable.assign(np.zeros(variable.shape))
    assert measures.effective_field(trainer, "last") == 0
