"""Sample efficiency: what a curve needs, by hand; and each verdict from curves that would give it."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from experiments.sample_efficiency import EXPERIMENT, LABELS, NETS, SIZES, WANTED
from experiments.sample_efficiency.measure import crossing
from lab.declare.run import Run
from lab.report.answers.judge import judged
from lab.report.draw import figures
from lab.report.table import tables
from lab.store.record import Record
from lab.store.records import Records
from tests.support import worlds

LAST = max(SIZES)


def accuracy(examples, needed, wanted):
    """A straight line over the logarithm of examples, as high as wanted at `needed` of them."""
    return wanted + 0.01 * math.log(examples / needed)


def curves(factors, slipped=()):
    """Runs of which a net on a data set needs a factor times LeNet-5's 500·(1 + seed/10) examples."""

    def metrics(variant, dataset, seed):
        net, examples = variant.rsplit("-", 1)
        if (net, dataset, seed) in slipped:
            return None
        needed = 500 * (1 + seed / 10) * factors.get((net, dataset), 1)
        value = accuracy(int(examples), needed, WANTED[dataset])
        return {"test_accuracy": value, "test_error_percent": 100 * (1 - value)}

    return metrics


def all_nets(factor):
    return {(net, dataset): factor for net in ("fc-matched", "fc-524") for dataset in WANTED}


@pytest.mark.parametrize("needed", [150, 1_000, 20_000])
def test_a_straight_line_crosses_where_it_was_drawn_to(needed):
    assert crossing([accuracy(examples, needed, 0.9) for examples in SIZES], 0.9) == pytest.approx(needed)


def test_a_curve_beyond_the_sizes_is_a_bound():
    assert crossing([0.5] * len(SIZES), 0.9) == LAST
    assert crossing([0.95] * len(SIZES), 0.9) == min(SIZES)


def test_between_two_sizes_the_logarithm_is_interpolated():
    # Half way from 80 to 90 % between 100 and 300 examples: their geometric mean.
    assert crossing([0.8, 0.9, *[0.95] * (len(SIZES) - 2)], 0.85) == pytest.approx(math.sqrt(100 * 300))


def test_examples_needed_and_their_ratio_are_each_seeds_own():
    table = worlds.rows(EXPERIMENT, metrics=curves(all_nets(4)), seeds=4).table
    row = table.loc[f"fc-matched-{LAST} on fashion-mnist"]
    needed = 4 * 500 * (1 + np.arange(4) / 10)
    assert row["examples_needed_mean"] == pytest.approx(needed.mean())
    assert row["examples_needed_std"] == pytest.approx(needed.std(ddof=1))
    assert row["times_lenet5_examples_mean"] == pytest.approx(4)
    assert row["times_lenet5_examples_std"] == pytest.approx(0, abs=1e-9)  # paired: the seeds' spread cancels
    assert pd.isna(table.loc[f"lenet5-relu-{LAST}", "times_lenet5_examples_mean"])
    assert table["examples_needed_mean"].notna().sum() == 3 * len(WANTED)
    assert "paired by seed with lenet5-relu-300" in table.loc["fc-524-300", "comparison"]


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        (all_nets(4), "reproduced"),
        (all_nets(1), "contradicted"),
        (all_nets(0.5), "contradicted"),
        (all_nets(3) | {("fc-524", "mnist"): 1}, "mixed"),
    ],
)
def test_curves_give_the_verdict(factors, expected):
    assert verdict(curves(factors)) == expected


def verdict(metrics):
    return worlds.verdict(EXPERIMENT, "fc-wastes-examples", metrics=metrics, seeds=4)


def test_nets_that_all_fall_short_do_not_reproduce_the_claim():
    short = dict.fromkeys([*all_nets(1), *(("lenet5-relu", dataset) for dataset in WANTED)], 1e6)
    assert verdict(curves(short)) == "contradicted"


@pytest.mark.parametrize("lost", ["fc-524", "lenet5-relu"])
def test_a_ratio_of_some_seeds_only_is_not_judged(lost):
    def metrics(variant, dataset, seed):
        # One seed diverges at one size, so its curve is not whole.
        return None if (variant, seed) == (f"{lost}-3000", 2) else curves(all_nets(3))(variant, dataset, seed)

    found = judged("", EXPERIMENT.evidence[0], worlds.rows(EXPERIMENT, metrics=metrics, seeds=4))
    assert found.verdict.value == "not judged"
    assert "examples needed was not measured" in found.reason


def test_a_seed_that_diverged_at_every_size_is_left_out():
    metrics = curves(all_nets(6), [(net, "mnist", 2) for net in ("lenet5-relu", "fc-matched", "fc-524")])
    assert worlds.rows(EXPERIMENT, metrics=metrics, seeds=4).table.loc[f"fc-524-{LAST}", "seeds"] == 3
    assert verdict(metrics) == "reproduced"


def test_another_recipe_than_the_declared_has_no_examples_needed():
    quick = [
        dataclasses.replace(row, settings=dataclasses.replace(row.settings, epochs=1)) for row in EXPERIMENT.variants
    ]
    runs = [Run(EXPERIMENT.name, row.name, "mnist", row.settings, 0).specification() for row in quick]
    values = [curves(all_nets(3))(run["variant"], "mnist", 0) for run in runs]
    records = [Record(run, "finished", metrics=found) for run, found in zip(runs, values, strict=True)]
    frame = tables.table_and_seeds(EXPERIMENT, records)[0]
    assert not frame["declared"].any()
    assert "examples_needed_mean" not in frame


def test_the_figure_says_what_each_net_needs_on_each_data_set(tmp_path):
    records = worlds.records(EXPERIMENT, metrics=curves(all_nets(4)), seeds=4)
    frame, _ = tables.table_and_seeds(EXPERIMENT, records)
    text = figures.draw(EXPERIMENT, frame, Records(tmp_path)).read_text()
    assert text.count(">2,300 [") == 2 * len(WANTED)  # both fully connected nets: 4·500·1.15
    assert text.count(">575 [") == len(WANTED)  # LeNet-5
    assert all(text.count(f">{label}<") == 1 for label in LABELS.values())
    assert all(f"{share} % wanted" in text and f"examples needed for {share} %" in text for share in (95, 85))


def test_nets_differ_in_model_and_learning_rate_alone():
    for examples in SIZES:
        alike = [variant.settings for variant in EXPERIMENT.variants if variant.settings.examples == examples]
        assert len(alike) == len(NETS)
        assert len({(one.epochs, one.batch_size, one.steps_per_epoch) for one in alike}) == 1
    assert (min(SIZES), max(SIZES)) == (100, 55_000)
    assert set(WANTED) == set(EXPERIMENT.datasets)
