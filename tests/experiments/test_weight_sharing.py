"""The weight-sharing experiment: what its table must say for each verdict."""

import pytest

from experiments.weight_sharing import EXPERIMENT, MEASURE
from lab.report.judge import Verdict, judge
from tests.support import worlds

# Test errors in percent by rung, pixels in their place and shuffled.
WORLDS = {
    "the lecture is right": ({"full": 5, "local": 4, "convolution": 2}, {"full": 5, "local": 5, "convolution": 8}),
    "windows alone are as good": (
        {"full": 5, "local": 2, "convolution": 2.5},
        {"full": 5, "local": 5, "convolution": 8},
    ),
    "neither helps": ({"full": 2, "local": 2, "convolution": 3}, {"full": 5, "local": 5, "convolution": 3}),
}
RIGHT = WORLDS["the lecture is right"]
ROWS = EXPERIMENT.variants
VERDICTS = dict(zip(WORLDS, (Verdict.REPRODUCED, Verdict.PARTLY, Verdict.CONTRADICTED), strict=True))


@pytest.mark.parametrize("part", range(len(EXPERIMENT.evidence[0].parts)))
def test_each_statement_alone_makes_it_partly(part):
    # What is compared is turned about for this one statement: its row errs a point less than what it stands beside.
    (evidence,) = EXPERIMENT.evidence
    row = evidence.parts[part].judge.variant
    beside = EXPERIMENT.baseline_of(row)
    errors = {variant.name: RIGHT["shuffled" in variant.name][variant.name.split("-")[0]] for variant in ROWS}
    errors[row] = errors[beside] - 1
    metrics = lambda variant, dataset, seed: {MEASURE: errors[variant] + 0.01 * seed * (variant == beside)}  # noqa: E731
    verdict, words = judge(evidence, worlds.judged(EXPERIMENT, metrics))
    assert verdict is Verdict.PARTLY
    assert words.count("fails (") == 1, words


@pytest.mark.parametrize("world", WORLDS)
def test_each_verdict_can_come_out(tmp_path, world):
    in_place, shuffled = WORLDS[world]

    def metrics(variant, dataset):
        errors = shuffled if "shuffled" in variant.name else in_place
        # A paired difference needs a spread of its own.
        return {MEASURE: errors[variant.name.split("-")[0]] * (1 + len(variant.name) / 1000)}

    (evidence,) = EXPERIMENT.evidence
    verdict, words = judge(evidence, worlds.study(tmp_path, EXPERIMENT, metrics))
    assert verdict is VERDICTS[world], words


def test_rows_differ_in_connection_pixels_and_examples_alone():
    settings = [variant.settings for variant in EXPERIMENT.variants]
    assert len({(one.model, one.examples, one.view) for one in settings}) == len(settings) == 12
    for one in settings:
        alike = [other for other in settings if other.examples == one.examples]
        assert len({(other.epochs, other.batch_size, other.steps_per_epoch) for other in alike}) == 1


def test_a_shuffled_convolution_stands_beside_a_shuffled_fully_connected_net():
    against = {variant.name: variant.against for variant in EXPERIMENT.variants}
    assert against["convolution-shuffled-1000"] == "full-shuffled-1000"
    assert against["full-shuffled-1000"] == "full-1000"
    assert against["full-1000"] == against["local-1000"] == "convolution-1000"
    assert against["convolution-1000"] is None
