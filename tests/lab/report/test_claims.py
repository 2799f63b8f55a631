"""Verdicts: each can come out each way, from a table made of records alone."""

import dataclasses

import pandas as pd
import pytest

from lab.command import main
from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.declare.evidence import AtLeast, AtMost, FactAtLeast, FactAtMost, MoreThanBaseline, Outcome
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.report import ledger, tables
from lab.report.judge import Verdict, judge, verdict
from lab.report.statistics import holm, mcnemar, paired
from lab.store.records import Records

NAMES = catalogue.names()


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_bears_on_a_claim_of_the_lecture(name):
    experiment = catalogue.find(name)
    assert experiment.evidence or experiment.search  # a search bears on no claim of the lecture
    for evidence in experiment.evidence:
        assert evidence.claim in CLAIMS
        assert evidence.parts
        assert evidence.reproduced_if
        assert evidence.contradicted_if


def study(tmp_path, experiment, errors):
    """A results folder whose records give each variant these test errors, one a seed."""
    records = Records(tmp_path)
    records.folder(experiment.name).mkdir(parents=True, exist_ok=True)
    for variant in experiment.variants:
        for seed, error in enumerate(errors(variant.name)):
            run = Run(experiment.name, variant.name, experiment.dataset, variant.settings, seed)
            metrics = dict.fromkeys(MEASURES, error + 0.001 * seed)
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    return tables.judged(experiment, tables.write(experiment, records))


MEASURES = ("test_error_percent", "test_shift2_error_percent", "test_shift4_error_percent")


@pytest.mark.parametrize("name", ["lenet", "compare-fc"])
@pytest.mark.parametrize(
    ("convolutional", "connected", "expected"),
    [
        # What the lecture says; its opposite; and neither.
        ([0.3, 0.31, 0.32], [60.0, 60.2, 60.4], Verdict.REPRODUCED),
        ([60.0, 60.2, 60.4], [0.3, 0.31, 0.32], Verdict.CONTRADICTED),
        ([0.3, 5.0, 0.3], [0.3, 5.1, 0.2], Verdict.PARTLY),
        ([0.3], [60.0], Verdict.NOT_JUDGED),
    ],
)
def test_each_verdict_can_come_out(tmp_path, name, convolutional, connected, expected):
    experiment = catalogue.find(name)
    errors = lambda variant: convolutional if variant.startswith("lenet") else connected  # noqa: E731
    table = study(tmp_path, experiment, errors)
    for evidence in experiment.evidence:
        found, words = judge(evidence, table)
        assert found is expected, words
        assert ("too few seeds" in words) == (expected is Verdict.NOT_JUDGED)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.HOLDS, Outcome.HOLDS], Verdict.REPRODUCED),
        ([Outcome.FAILS, Outcome.FAILS], Verdict.CONTRADICTED),
        ([Outcome.HOLDS, Outcome.FAILS], Verdict.PARTLY),
        ([Outcome.UNDECIDED], Verdict.PARTLY),
        ([Outcome.HOLDS, Outcome.MISSING], Verdict.NOT_JUDGED),
        ([], Verdict.NOT_JUDGED),
    ],
)
def test_the_verdict_follows_from_the_outcomes(outcomes, expected):
    assert verdict(outcomes) is expected


EXPERIMENT = Experiment(
    "lenet", "?", "", (), (Variant("a", Training("lenet1")), Variant("b", Training("lenet5"))), baseline="b"
)


@pytest.mark.parametrize(
    ("rule", "errors", "expected"),
    [
        (AtMost("a", "test_error_percent", 2.0), [1.0, 1.1, 1.2], Outcome.HOLDS),
        (AtMost("a", "test_error_percent", 2.0), [2.9, 3.0, 3.1], Outcome.FAILS),
        (AtMost("a", "test_error_percent", 2.0), [1.0, 2.0, 3.0], Outcome.UNDECIDED),
        (AtMost("a", "test_error_percent", 2.0), [1.0, 1.0], Outcome.MISSING),
        (AtLeast("a", "test_error_percent", 2.0), [2.9, 3.0, 3.1], Outcome.HOLDS),
        (AtLeast("a", "test_error_percent", 2.0), [1.0, 1.1, 1.2], Outcome.FAILS),
        (MoreThanBaseline("a", "test_error_percent", 1.0), [3.9, 4.0, 4.2], Outcome.HOLDS),
        (MoreThanBaseline("a", "test_error_percent", 1.0), [2.0, 2.1, 2.2], Outcome.FAILS),
        (MoreThanBaseline("c", "test_error_percent", 1.0), [2.0, 2.1, 2.2], Outcome.MISSING),
    ],
)
def test_rules_read_the_interval(tmp_path, rule, errors, expected):
    table = study(tmp_path, EXPERIMENT, lambda name: errors if name == "a" else [2.0, 2.1, 2.3])
    assert rule(table).outcome is expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FactAtMost("a", "params", 5), Outcome.HOLDS),
        (FactAtMost("a", "params", 4.5), Outcome.FAILS),
        (FactAtLeast("a", "params", 5), Outcome.HOLDS),
        (FactAtLeast("a", "params", 5.5), Outcome.FAILS),
        (FactAtMost("a", "only_of_b", 5), Outcome.MISSING),
        (FactAtMost("a", "of_none", 5), Outcome.MISSING),
        (FactAtMost("c", "params", 5), Outcome.MISSING),
    ],
)
def test_rules_of_exact_facts_need_one_run(tmp_path, rule, expected):
    records = Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    for variant, facts in zip(EXPERIMENT.variants, ({"params": 5}, {"params": 6, "only_of_b": 1}), strict=True):
        run = Run("lenet", variant.name, "mnist", variant.settings, 0)
        records.save(run, {"status": "finished", "facts": facts, "metrics": {}})
    finding = rule(tables.judged(EXPERIMENT, tables.write(EXPERIMENT, records)))
    assert finding.outcome is expected
    assert ("a: params 5" in finding.numbers) == (expected is not Outcome.MISSING)


def test_facts_of_runs_that_did_not_finish_are_missing(tmp_path):
    records = Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    run = Run("lenet", "a", "mnist", EXPERIMENT.variants[0].settings, 0)
    records.save(run, {"status": "diverged", "facts": {"params": 5}, "metrics": {}})
    table = tables.judged(EXPERIMENT, tables.write(EXPERIMENT, records))
    assert FactAtMost("a", "params", 5)(table).outcome is Outcome.MISSING
    assert FactAtMost("a", "params", 5)(pd.DataFrame()).outcome is Outcome.MISSING


def test_a_quick_look_is_no_evidence(tmp_path):
    experiment = catalogue.find("lenet")
    quick = dataclasses.replace(
        experiment,
        variants=tuple(
            dataclasses.replace(v, settings=dataclasses.replace(v.settings, epochs=1)) for v in experiment.variants
        ),
    )
    study(tmp_path, quick, lambda name: [0.3, 0.3, 0.3])
    frame = tables.write(experiment, Records(tmp_path))
    assert not frame["declared"].any()
    assert tables.judged(experiment, frame).empty
    assert set(ledger.ledger(tmp_path)["verdict"]) == {"not judged"}


def save(folder, variant, seeds, dataset="mnist", status="finished", **deviations):
    records = Records(folder)
    records.folder("lenet").mkdir(parents=True, exist_ok=True)
    settings = dataclasses.replace(catalogue.find("lenet").named[variant].settings, **deviations)
    for seed in range(seeds):
        metrics = {"test_error_percent": 1.0 + 0.1 * seed} if status == "finished" else {}
        run = Run("lenet", variant, dataset, settings, seed)
        records.save(run, {"status": status, "facts": {}, "metrics": metrics})


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ([], "lenet5-relu was not run"),
        ([{"seeds": 3, "epochs": 1}], "lenet5-relu was not run as declared, but with epochs 1"),
        ([{"seeds": 3, "precision": "mixed_bfloat16"}], "was not run as declared, but with precision mixed_bfloat16"),
        ([{"seeds": 3, "batch_size": 64, "epochs": 2}], "was not run as declared, but with epochs 2, batch size 64"),
        ([{"seeds": 3, "dataset": "digits"}], "lenet5-relu was run on digits, and not on mnist"),
        ([{"seeds": 2}], "lenet5-relu: too few seeds, 2 of at least 3"),
        ([{"seeds": 3, "status": "diverged"}], "lenet5-relu: too few seeds, 0 of at least 3 (3 diverged)"),
    ],
)
def test_why_a_claim_is_not_judged_is_said_of_each_row(tmp_path, run, reason):
    experiment = catalogue.find("lenet")
    save(tmp_path, "lenet1", 3)
    for words in run:
        save(tmp_path, "lenet5-relu", **words)
    tables.write(experiment, Records(tmp_path))
    lines = ledger.ledger(tmp_path).set_index("experiment")
    assert lines.loc["lenet", "verdict"] == "not judged"
    assert reason in lines.loc["lenet", "evidence"]
    assert ("lenet5-relu was not run)" in lines.loc["lenet", "evidence"]) == (not run)  # never of rows that are there


def test_a_table_of_an_earlier_day_has_its_reasons_too(tmp_path):
    save(tmp_path, "lenet5-relu", 3, epochs=1)
    frame = tables.write(catalogue.find("lenet"), Records(tmp_path)).drop(columns="deviations")
    rows = tables.judged(catalogue.find("lenet"), frame)
    finding = AtMost("lenet5-relu", "test_error_percent", 1.0)(rows)
    assert finding.numbers == "lenet5-relu was not run as declared, but with another recipe"


def test_a_difference_from_fewer_seeds_than_three_is_not_judged(tmp_path):
    study(tmp_path, EXPERIMENT, lambda name: [4.0, 4.1, 4.3] if name == "a" else [2.0])
    rows = tables.judged(EXPERIMENT, tables.read(tmp_path / "lenet.csv"))
    finding = MoreThanBaseline("a", "test_error_percent", 1.0)(rows)
    assert (finding.outcome, finding.numbers) == (Outcome.MISSING, "a: too few seeds: 1 of at least 3")


def test_a_difference_without_a_baseline_says_so(tmp_path):
    study(tmp_path, EXPERIMENT, lambda name: [4.0, 4.1, 4.3] if name == "a" else [])
    rows = tables.judged(EXPERIMENT, tables.read(tmp_path / "lenet.csv"))
    assert MoreThanBaseline("a", "test_error_percent")(rows).numbers == "a: no baseline was run"


def test_a_fact_that_a_row_has_not_was_not_measured(tmp_path):
    table = study(tmp_path, EXPERIMENT, lambda name: [1.0, 1.2])
    assert FactAtMost("a", "params", 5)(table).numbers == "a: params was not measured"


@pytest.mark.parametrize("text", ["", "variant\n", "no,table\n1,2\n", "\x00\x01", 'a,"b\n', "a\n1,2,3\n1\n"])
def test_a_damaged_table_is_one_line_that_says_how_to_make_it_anew(tmp_path, text, capsys):
    (tmp_path / "lenet.csv").write_text(text)
    assert main.main(["report", "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "lenet.csv is no table" in line
    assert "make tables" in line
    assert not (tmp_path / "report.html").exists()


def test_the_ledger_has_every_claim_in_the_lectures_order(tmp_path):
    frame = ledger.write(tmp_path)
    assert list(dict.fromkeys(frame["claim"])) == list(CLAIMS)
    assert set(frame["verdict"]) == {"not judged"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "claims.csv", keep_default_na=False), frame)


def test_comparisons_are_paired_by_seed(tmp_path):
    a, b = {0: 1.0, 1: 2.0, 2: 4.0, 9: 100.0}, {0: 0.5, 1: 1.0, 2: 2.5, 3: -100.0}
    found = paired(a, b)
    assert found.n == 3
    assert found.mean == pytest.approx(1.0)
    assert found.effect_size == pytest.approx(1.0 / 0.5)  # differences 0.5, 1, 1.5
    assert found.p_value == pytest.approx(0.0742, abs=1e-4)  # Student's t = 3.464 with 2 degrees of freedom
    assert found.ci95_low == pytest.approx(1 - 4.30265 * 0.5 / 3**0.5, abs=1e-4)


def test_too_few_seeds_are_said_and_not_tested(tmp_path):
    table = study(tmp_path, EXPERIMENT, lambda name: [1.0, 1.2])
    assert table.loc["a", "comparison"] == "too few seeds: 2 of at least 3"
    assert pd.isna(table.loc["a", "test_error_percent_minus_baseline_p_value"])
    assert table.loc["b", "comparison"] == "baseline"


def test_holm_by_hand():
    assert holm([0.01, 0.04, float("nan"), 0.03])[:2] == pytest.approx([0.03, 0.06])
    assert pd.isna(holm([float("nan")])[0])


def test_mcnemar_by_hand():
    # Nine pictures misread by the first alone, one by the second: 2·(1 + 10)/2^10.
    assert mcnemar(list(range(10)), [0, 50]) == pytest.approx(2 * 11 / 1024)
    assert mcnemar([1, 2], [1, 2]) == 1.0
