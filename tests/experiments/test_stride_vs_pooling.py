"""The stride-versus-pooling experiment: its arms differ in one thing, and each verdict can come out."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.layers.blur import BlurPool2D
from experiments.stride_vs_pooling import ARMS, CONSISTENCY, ERROR, EXPERIMENT, SMALLER_FIELD
from lab.declare.run import Run
from lab.learn import measures
from lab.learn.training import Trainer
from lab.report import tables
from lab.report.judge import Verdict, judge
from lab.store.records import Records

# By world: the field in pixels, in effect, and the error of the arms without and with a reduction.
WORLDS = {
    "the lecture is right": ((11, 8.0, 5.0), (27, 12.0, 2.0), Verdict.REPRODUCED),
    "in effect it sees no more": ((11, 12.0, 5.0), (27, 12.0, 2.0), Verdict.PARTLY),
    "seeing more does not pay": ((11, 8.0, 1.0), (27, 12.0, 2.0), Verdict.PARTLY),
    "it neither sees more nor errs less": ((11, 12.0, 1.0), (11, 8.0, 2.0), Verdict.CONTRADICTED),
}


@pytest.mark.parametrize("world", WORLDS)
def test_each_verdict_can_come_out(tmp_path, world):
    without, with_reduction, expected = WORLDS[world]
    records = Records(tmp_path)
    records.folder(EXPERIMENT.name).mkdir(parents=True)
    for variant in EXPERIMENT.variants:
        field, effective, error = without if variant.name == "none" else with_reduction
        for seed in range(3):
            metrics = {
                ERROR: error + 0.01 * seed * len(variant.name),
                CONSISTENCY: 90.0 + seed,
                "effective_field_pixels": effective + 0.01 * seed,
            }
            outcome = {"status": "finished", "facts": {"receptive_field_pixels": field}, "metrics": metrics}
            records.save(Run(EXPERIMENT.name, variant.name, "mnist", variant.settings, seed), outcome)
    (evidence,) = EXPERIMENT.evidence
    verdict, words = judge(evidence, tables.judged(EXPERIMENT, tables.write(EXPERIMENT, records)))
    assert verdict is expected, words


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
    assert (arm != "none") or pixels == SMALLER_FIELD


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
