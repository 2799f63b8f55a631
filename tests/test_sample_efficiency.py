"""The sample-efficiency experiment: examples needed, by hand, and what its table must say for each verdict."""

import math

import pandas as pd
import pytest
import worlds

from experiments.lab.claims import Verdict, judge
from experiments.sample_efficiency import EXPERIMENT, NETS, SIZES, WANTED, needed


def curve(first):
    """Accuracies that begin at `first` and lose half of what they miss each size."""
    return {examples: 1 - (1 - first) / 2**n for n, examples in enumerate(SIZES)}


# Accuracy with 100 examples by net: what is missed halves with each size.
WORLDS = {
    "the lecture is right": ({"lenet5-relu": 0.9, "fc-matched": 0.5, "fc-524": 0.5}, Verdict.REPRODUCED),
    "the wide net is as good": ({"lenet5-relu": 0.9, "fc-matched": 0.5, "fc-524": 0.9}, Verdict.PARTLY),
    "LeNet-5 is the worse one": ({"lenet5-relu": 0.5, "fc-matched": 0.7, "fc-524": 0.7}, Verdict.CONTRADICTED),
}


@pytest.mark.parametrize("world", WORLDS)
def test_each_verdict_can_come_out(tmp_path, world):
    starts, expected = WORLDS[world]

    def metrics(variant, dataset):
        # What a hundredth a seed adds elsewhere is a share here.
        return {"test_accuracy": curve(starts[variant.settings.model])[variant.settings.examples] - 0.02}

    (evidence,) = EXPERIMENT.evidence
    verdict, words = judge(evidence, worlds.study(tmp_path, EXPERIMENT, metrics))
    assert verdict is expected, words
    assert "n=5" in words


def frame(accuracies, spread=0.0, dataset="mnist", net="fc-524"):
    return pd.DataFrame(
        {
            "variant": f"{net}-{examples}",
            "dataset": dataset,
            "seeds": 5,
            "test_accuracy_mean": value,
            "test_accuracy_ci95_low": value - spread,
            "test_accuracy_ci95_high": value + spread,
        }
        for examples, value in zip(SIZES, accuracies, strict=True)
    )


def test_examples_needed_are_between_two_sizes_on_the_logarithm():
    found = needed(frame([0.8, 0.85, 0.94, 0.96, 0.97, 0.98, 0.99], spread=0.01), "fc-524", "mnist")
    assert found.value == pytest.approx(math.sqrt(1_000 * 3_000))  # 0.95 is half way from 0.94 to 0.96
    assert found.low == pytest.approx(1_000)  # 0.94 + 0.01 is enough
    assert found.high == pytest.approx(3_000)
    assert found.seeds == 5


def test_what_no_size_reaches_or_the_first_has_is_said():
    assert math.isinf(needed(frame([0.5] * 7), "fc-524", "mnist").value)
    assert needed(frame([0.96] * 7), "fc-524", "mnist").value == pytest.approx(100)
    assert needed(frame([0.96] * 7).iloc[:-1], "fc-524", "mnist") is None
    assert needed(frame([0.96] * 7, dataset="digits"), "fc-524", "digits") is None


def test_nets_differ_in_model_and_learning_rate_alone():
    for examples in SIZES:
        alike = [variant.settings for variant in EXPERIMENT.variants if variant.settings.examples == examples]
        assert len(alike) == len(NETS)
        assert len({(one.epochs, one.batch_size, one.steps_per_epoch) for one in alike}) == 1
    assert set(WANTED) == set(EXPERIMENT.datasets)
