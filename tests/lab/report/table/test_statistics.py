"""Intervals over seeds and test pictures, McNemar's test, Holm's correction: by hand, and in worlds that are known."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from lab.declare import catalogue
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.report.table import tables
from lab.report.table.statistics import detectable, over_seeds_and_pictures, summarise
from lab.store.records import Records

LOW, HIGH = "test_error_percent_seeds_and_pictures_ci95_low", "test_error_percent_seeds_and_pictures_ci95_high"
EXPERIMENT = Experiment(
    name="lenet",
    question="?",
    expectation="",
    sources=(),
    variants=(Variant("b", Training("lenet5")), Variant("a", Training("lenet1")), Variant("c", Training("lenet4"))),
    baseline="b",
)


def places(wrong):
    """The misread pictures of each seed, of a matrix (seeds, pictures)."""
    return [np.flatnonzero(row).tolist() for row in wrong]


def test_the_interval_over_seeds_and_pictures_by_hand():
    # Two seeds, three pictures: every draw of one seed and of three pictures can be counted out.
    wrong = np.array([[1, 1, 0], [1, 0, 0]])
    draws = [wrong[seed, list(chosen)].mean() for seed in range(2) for chosen in itertools.product(range(3), repeat=3)]
    variance = np.var(draws)
    assert variance == pytest.approx(1 / 36 + 2 / 27)  # the seeds' part, (1/3 - 1/2)², and a draw's part, (2/9)/3
    of_seeds = 1 / 36
    assert (variance / of_seeds) ** 2 == pytest.approx(
        (11 / 3) ** 2
    )  # degrees of freedom, as there is but one of seeds
    half = 2.1593 * variance**0.5  # Student's t, 97.5 %, with 121/9 degrees, between 2.1604 (13) and 2.1448 (14)
    low, high = over_seeds_and_pictures(places(wrong), 3)
    assert (low, high) == pytest.approx((50 - 100 * half, 50 + 100 * half), rel=0.02)


def test_it_is_what_drawing_seeds_and_pictures_gives():
    random = np.random.default_rng(0)
    wrong = random.random((5, 300)) < 0.3 * random.random(300)
    seeds = random.multinomial(4, np.full(5, 1 / 5), size=20_000)
    pictures = random.multinomial(300, np.full(300, 1 / 300), size=20_000)
    spread = 100 * (((seeds @ wrong) * pictures).sum(axis=1) / (4 * 300)).std()
    low, high = over_seeds_and_pictures(places(wrong), 300)
    degrees = 4 * (spread**2 / (1e4 * wrong.mean(axis=1).var(ddof=1) / 5)) ** 2
    assert degrees > 30  # so that Student's t is nearly normal
    assert (low + high) / 2 == pytest.approx(100 * wrong.mean())
    assert (high - low) / 2 == pytest.approx(2 * spread, rel=0.05)


def coverage(seed_effects, picture_effects, seeds, pictures=2_000, worlds=400):
    """How often each interval holds the true error of worlds whose recipe errs by 10 % on average.

    A seed errs on a picture with probability 0.1 + the seed's own effect + the picture's own.

    Returns:
        Of the interval over seeds and pictures, and of the one over seeds.
    """
    random = np.random.default_rng(7)
    held = np.zeros(2)
    for _ in range(worlds):
        chance = 0.1 + seed_effects(random, seeds)[:, None] + picture_effects(random, pictures)
        wrong = random.random((seeds, pictures)) < chance
        low, high = over_seeds_and_pictures(places(wrong), pictures)
        alone = summarise((100 * wrong.mean(axis=1)).tolist())
        held += [low <= 10 <= high, alone.ci95_low <= 10 <= alone.ci95_high]
    return held / worlds


def bell(spread):
    return lambda random, count: random.normal(0, spread, count)


def lopsided(random, count):
    """Some that fail: mean 0."""
    return random.exponential(0.05, count) - 0.05


def hard(random, count):
    """One picture of eight is hard: mean 0."""
    return random.choice([-0.08, 0.56], count, p=[7 / 8, 1 / 8])


def alike(random, count):
    return np.zeros(count)


def test_the_interval_covers_where_pictures_matter_and_where_seeds_do():
    both, alone = coverage(alike, hard, seeds=5)
    assert 0.93 <= both <= 0.99
    assert alone < 0.8  # it knows nothing of pictures
    assert 0.93 <= coverage(bell(0.006), hard, seeds=5)[0] <= 0.99
    assert 0.92 <= coverage(bell(0.02), alike, seeds=5)[0] <= 0.98
    assert 0.92 <= coverage(bell(0.006), hard, seeds=3)[0] <= 0.99


def test_five_lopsided_seeds_are_too_few_for_it():
    assert 0.85 <= coverage(lopsided, alike, seeds=5)[0] < 0.92
    assert coverage(lopsided, alike, seeds=40)[0] >= 0.92


def test_of_one_seed_or_no_mistake_there_is_none():
    assert np.isnan(over_seeds_and_pictures([[1, 2]], 10)).all()
    assert np.isnan(over_seeds_and_pictures([[], [], []], 10)).all()


def row(folder, misread, errors):
    """The table's row of variant a: of each seed the misread pictures, and the error that its record says, percent."""
    records = Records(folder)
    records.folder("lenet").mkdir(parents=True)
    for seed, (wrong, error) in enumerate(zip(misread, errors, strict=True)):
        run = Run("lenet", "a", "mnist", EXPERIMENT.named["a"].settings, seed)
        metrics = {"test_error_percent": error}
        records.save(run, {"status": "finished", "facts": {}, "metrics": metrics, "misread": {"test": wrong}})
    return tables.write(EXPERIMENT, records).iloc[0]


def test_how_many_pictures_there_are_follows_from_the_records(tmp_path):
    found = row(tmp_path, [[0, 1, 7], [], [0, 9]], [3 / 12 * 100, 0.0, 2 / 12 * 100])
    low, high = over_seeds_and_pictures([[0, 1, 7], [], [0, 9]], 12)
    assert (found[LOW], found[HIGH]) == (low, high)


@pytest.mark.parametrize("errors", [[30.0, 21.0], [30.0, 100 / 3], [30.1, 20.0]])
def test_records_that_say_no_one_number_of_pictures_have_no_such_interval(tmp_path, errors):
    assert LOW not in row(tmp_path, [[0, 1, 7], [0, 9]], errors)


def test_a_place_beyond_the_pictures_is_no_mistake_that_was_counted(tmp_path):
    assert LOW not in row(tmp_path, [[0, 1, 70], [0, 9]], [30.0, 20.0])


def study(folder, runs):
    """The table of runs (variant, changed settings, data set, errors by seed)."""
    records = Records(folder)
    records.folder("lenet").mkdir(parents=True)
    for variant, changed, dataset, errors in runs:
        settings = dataclasses.replace(EXPERIMENT.named[variant].settings, **changed)
        for seed, error in enumerate(errors):
            run = Run("lenet", variant, dataset, settings, seed)
            records.save(run, {"status": "finished", "facts": {}, "metrics": {"test_error_percent": error}})
    return tables.write(EXPERIMENT, records)


BASE, A, C = [1.0, 1.0, 1.0, 1.0], [1.1, 1.2, 1.3, 1.1], [1.4, 1.2, 1.5, 1.2]
SHORT = {"epochs": 2}


def corrected(frame):
    """Raw and corrected p-values of all rows but the baseline's."""
    p = "test_error_percent_minus_baseline_p_value"
    return frame[[p, f"{p}_holm"]].dropna().to_numpy()


def test_rows_that_deviate_or_are_on_another_data_set_do_not_count_among_the_declared_tests(tmp_path):
    declared = [("b", {}, "mnist", BASE), ("a", {}, "mnist", A), ("c", {}, "mnist", C)]
    alone = corrected(study(tmp_path / "alone", declared))
    smaller, larger = sorted(alone.tolist())
    assert smaller[1] == pytest.approx(2 * smaller[0])
    assert larger[1] == pytest.approx(max(larger[0], smaller[1]))
    short = [(name, SHORT, "mnist", errors) for name, _, _, errors in declared]
    other = [(name, {}, "digits", errors) for name, _, _, errors in declared[:2]]
    frame = study(tmp_path / "more", [*declared, *short, *other])
    as_declared = frame["declared"] & (frame["dataset"] == "mnist")
    assert as_declared.sum() == 3
    assert corrected(frame[as_declared]) == pytest.approx(alone)
    assert corrected(frame[~frame["declared"]]) == pytest.approx(alone)  # a family of its own
    raw, holm = corrected(frame[frame["dataset"] == "digits"])[0]
    assert holm == raw


def test_a_detectable_difference_is_found_in_four_of_five_samples():
    """By drawing: 20,000 samples of five; the standard error of the share is 0.003."""
    drawn = np.random.default_rng(0).normal(detectable(5, 2.0), 2.0, size=(20_000, 5))
    found = scipy.stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=4 * 0.003)


def test_printed_tables_show_no_p_value_but_the_corrected_one():
    printed = [column for experiment in catalogue.whole() for column in experiment.columns if "_p_value" in column]
    assert printed
    assert all(column.endswith("_p_value_holm") for column in printed)


def test_the_table_gives_the_share_of_seeds_that_mcnemar_tells_apart(tmp_path):
    records = Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    # p = 0.0215 by hand (11 discordant pictures, one against ten) in three seeds, 1 in the fourth.
    for variant, misread in (("a", [list(range(11))] * 3 + [[]]), ("b", [[0, 50]] * 3 + [[]])):
        for seed, wrong in enumerate(misread):
            run = Run("lenet", variant, "mnist", EXPERIMENT.named[variant].settings, seed)
            metrics = {"test_error_percent": len(wrong) + seed / 10}
            outcome = {"status": "finished", "facts": {}, "metrics": metrics, "misread": {"test": wrong}}
            records.save(run, outcome)
    frame = tables.write(EXPERIMENT, records).set_index("variant")
    assert frame.loc["a", "mcnemar_p_below_0_05_share"] == 0.75
    assert pd.isna(frame.loc["b", "mcnemar_p_below_0_05_share"])
