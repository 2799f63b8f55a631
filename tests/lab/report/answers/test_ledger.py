"""The ledger: every claim with its answer and its reasons, from records alone; and the statistics."""

import dataclasses

import pandas as pd
import pytest

from lab.command import main
from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.declare.evidence import Mean, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.report.answers import ledger
from lab.report.answers.evidence_rows import Rows, judged_rows, read
from lab.report.answers.judge import Outcome, Verdict, judge
from lab.report.table import csv_files, tables
from lab.report.table.statistics import holm, mcnemar, paired
from lab.store.records import Records


def study(tmp_path, experiment, errors):
    """A results folder whose records give each variant these test errors, one a seed."""
    records = Records(tmp_path)
    records.folder(experiment.name).mkdir(parents=True, exist_ok=True)
    for variant in experiment.variants:
        for seed, error in enumerate(errors(variant.name)):
            run = Run(experiment.name, variant.name, experiment.dataset, variant.settings, seed)
            metrics = {"test_error_percent": error + 0.001 * seed}
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    return judged_rows(experiment, tables.write(experiment, records))


EXPERIMENT = Experiment(
    "lenet", "?", "", (), (Variant("a", Training("lenet1")), Variant("b", Training("lenet5"))), baseline="b"
)


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
    assert judged_rows(experiment, frame).empty
    assert {entry.verdict for entry in ledger.entries(tmp_path)} == {Verdict.NOT_JUDGED}


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
        ([], "lenet5-1998 was not run"),
        ([{"seeds": 3, "epochs": 1}], "lenet5-1998 was not run as declared, but with epochs 1"),
        ([{"seeds": 3, "precision": "mixed_bfloat16"}], "was not run as declared, but with precision mixed_bfloat16"),
        ([{"seeds": 3, "batch_size": 64, "epochs": 2}], "was not run as declared, but with epochs 2, batch size 64"),
        ([{"seeds": 3, "dataset": "digits"}], "lenet5-1998 was run on digits, and not on mnist"),
        ([{"seeds": 2}], "lenet5-1998: too few seeds, 2 of at least 3"),
        ([{"seeds": 3, "status": "diverged"}], "lenet5-1998: too few seeds, 0 of at least 3 (3 diverged)"),
    ],
)
def test_why_a_claim_is_not_judged_is_said_of_each_row(tmp_path, run, reason):
    save(tmp_path, "lenet1", 3)
    for words in run:
        save(tmp_path, "lenet5-1998", **words)
    tables.write(catalogue.find("lenet"), Records(tmp_path))
    entry = entry_of(tmp_path, "lenet")
    assert entry.verdict is Verdict.NOT_JUDGED
    assert reason in entry.reason
    ours = entry.reason.removeprefix("lenet: ").partition("; speedrun: ")[0]  # another experiment on this claim
    assert (ours == "lenet5-1998 was not run") == (not run)  # never of rows that are


def entry_of(folder, claim):
    return next(entry for entry in ledger.entries(folder) if entry.name == claim)


def test_a_claim_is_judged_by_the_experiments_that_were_run(tmp_path):
    compare = catalogue.find("compare-fc")
    errors = {"lenet5-relu": 1.0, "fc-matched": 3.0, "fc-1000": 2.0}
    records = Records(tmp_path)
    records.folder(compare.name).mkdir(parents=True)
    for variant in compare.variants:
        for seed in range(3):
            value = errors.get(variant.name, 9.0) + 0.01 * seed * len(variant.name)
            run = Run(compare.name, variant.name, "mnist", variant.settings, seed)
            metrics = {"test_error_percent": value, "test_shift4_error_percent": 20 * value}
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    tables.write(compare, records)
    entry = entry_of(tmp_path, "fc-wastes-examples")
    assert entry.verdict is Verdict.REPRODUCED
    assert entry.answers[0].startswith("From the same 55,000 digits, LeNet-5 misreads 1.1 % [")
    assert entry.reason == "sample-efficiency: fc-matched-55000 was not run; " + "; ".join(
        f"{name} was not run"
        for name in ("fc-524-55000", "fc-matched-55000 on fashion-mnist", "fc-524-55000 on fashion-mnist")
    ) + "; weight-sharing: full-1000 was not run; local-1000 was not run; full-10000 was not run; " + (
        "local-10000 was not run; example-updates: fc-far was not run; global-max-near was not run; "
        "photographs: fc was not run"
    )
    # The same claim in two tables: one line, and one line a statement with its kind.
    frame = ledger.claims([entry])
    assert frame.loc[0, "verdict"] == "reproduced"
    kinds = ledger.statements([entry_of(tmp_path, "fc-fails-elsewhere")]).set_index("experiment").loc["compare-fc"]
    assert kinds["kind"].tolist() == ["core", "core", "limit"]
    assert kinds["outcome"].tolist() == ["holds"] * 3


def test_answers_are_said_at_the_end_of_a_call_with_their_limits(tmp_path):
    study(
        tmp_path, catalogue.find("lenet"), lambda name: [0.80, 0.81, 0.79] if name == "lenet5-1998" else [2.0, 2.1, 2.2]
    )
    said = list(ledger.answers(catalogue.find("lenet"), tmp_path))
    assert said[0].startswith("LeNet-5 recognises handwritten digits: reproduced. LeNet-5 as printed in 1998 misreads")
    assert said[1].startswith("  limit: As usually built today")
    assert list(ledger.answers(catalogue.find("tune"), tmp_path)) == []


def test_a_table_of_an_earlier_day_has_its_reasons_too(tmp_path):
    save(tmp_path, "lenet5-relu", 3, epochs=1)
    experiment = catalogue.find("lenet")
    frame = tables.write(experiment, Records(tmp_path)).drop(columns="deviations")
    rows = Rows(experiment, frame, csv_files.read(tables.seeds_path(tmp_path, "lenet")))
    finding = judge(Statement("so", Mean("lenet5-relu", "test_error_percent").at_most(1)), rows)
    assert finding.numbers == "lenet5-relu was not run as declared, but with another recipe"


def test_a_table_without_its_seeds_says_so(tmp_path):
    """As one of an earlier day has none."""
    study(tmp_path, catalogue.find("lenet"), lambda name: [0.8, 0.9, 0.7])
    tables.seeds_path(tmp_path, "lenet").unlink()
    rows = read(catalogue.find("lenet"), tmp_path)
    finding = judge(Statement("so", Mean("lenet5-relu", "test_error_percent").at_most(1)), rows)
    assert finding.outcome is Outcome.MISSING
    assert "make tables" in finding.numbers


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "variant,dataset,specification,declared,seed,test_error_percent\na,mnist,x,True,0,much\n"],
)
def test_a_damaged_table_of_seeds_is_one_line_that_says_how_to_make_it_anew(tmp_path, text, capsys):
    study(tmp_path, catalogue.find("lenet"), lambda name: [0.8, 0.9, 0.7])
    tables.seeds_path(tmp_path, "lenet").write_text(text)
    assert main.main(["report", "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "seeds/lenet.csv is no table" in line
    assert "make tables" in line
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("text", ["", "variant\n", "no,table\n1,2\n", "\x00\x01", 'a,"b\n', "a\n1,2,3\n1\n"])
def test_a_damaged_table_is_one_line_that_says_how_to_make_it_anew(tmp_path, text, capsys):
    (tmp_path / "lenet.csv").write_text(text)
    assert main.main(["report", "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "lenet.csv is no table" in line
    assert "make tables" in line
    assert not (tmp_path / "report.html").exists()


def test_the_ledger_has_every_claim_in_the_lectures_order(tmp_path):
    frame = ledger.claims(ledger.write(tmp_path))
    assert frame["claim"].tolist() == list(CLAIMS)
    assert set(frame["verdict"]) == {"not judged"}
    assert frame["reason"].all()
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
