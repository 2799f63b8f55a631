"""What a person reads: the table as printed, the line under it, and how many runs were kept from before."""

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from lab.command import progress
from lab.declare import catalogue
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.execute.in_process import InProcess
from lab.execute.job import Job, RunList
from lab.report import notes, page, printing
from lab.report.table import csv_files, tables
from lab.store.records import Records
from tests.support.kept import KEPT

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
LENET = catalogue.find("lenet")


def printed(experiment, frame, width=140):
    out = io.StringIO()
    note = " ".join(notes.notes(experiment, frame))
    screen = Console(file=out, width=width)
    printing.show(screen, frame, notes.columns(experiment, frame), experiment.question, experiment, note)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("name", KEPT)
def test_headings_take_two_lines_at_most_and_no_word_is_broken(name, width):
    experiment = catalogue.find(name)
    frame = csv_files.read(REFERENCE / f"{name}.csv")
    lines = printed(experiment, frame, width).splitlines()
    rules = [place for place, line in enumerate(lines) if line.strip() and not line.strip().strip("─")]
    assert rules
    assert all("" in [line.strip() for line in lines[place - 3 : place]] for place in rules)  # above the heading
    columns = notes.columns(experiment, frame)
    words = {word for column in columns for word in printing.heading(column, experiment).split()}
    assert words <= set(" ".join(lines).split())
    assert max(map(len, lines)) <= width


def test_every_part_of_a_wide_table_says_which_row_is_which():
    stride = catalogue.find("stride-vs-pooling")
    frame = csv_files.read(REFERENCE / "stride-vs-pooling.csv").drop(columns="deviations", errors="ignore")
    names = (" average ", " average† ")  # the second where the row is starved
    lines = [line.split() for line in printed(stride, frame, 80).splitlines() if line.startswith(names)]
    assert len(lines) > 4
    assert [line[1] for line in lines] == ["mnist", "fashion-mnist"] * (len(lines) // 2)


def test_a_difference_is_headed_by_what_it_is_from_and_its_p_value_briefly():
    difference = "test_error_percent_minus_baseline"
    assert printing.heading(f"{difference}_mean", LENET) == "Δ to lenet5"
    assert printing.heading(f"{difference}_p_value_holm", LENET) == "p (Holm)"
    stride = catalogue.find("stride-vs-pooling")  # of several measures, and several baselines
    assert printing.heading(f"{difference}_mean", stride) == "Δ test error, %"
    assert printing.heading("shift_consistency_percent_minus_baseline_mean", stride) == "Δ shift consistency, %"


def save(folder, variant, seeds=3, dataset="mnist", status="finished", **deviations):
    records = Records(folder)
    records.folder("lenet").mkdir(parents=True, exist_ok=True)
    settings = dataclasses.replace(LENET.named[variant].settings, **deviations)
    for seed in range(seeds):
        metrics = {"test_error_percent": 1.0 + 0.1 * seed} if status == "finished" else {}
        run = Run("lenet", variant, dataset, settings, seed)
        records.save(run, {"status": status, "facts": {}, "metrics": metrics})
    return tables.write(LENET, records)


DIFFERENT = [{"epochs": 2}, {"precision": "mixed_bfloat16"}, {"dataset": "digits"}, {"learning_rate": 0.5}]


@pytest.mark.parametrize("how", DIFFERENT, ids=lambda how: next(iter(how)))
def test_rows_of_one_variant_never_look_alike(tmp_path, how):
    save(tmp_path, "lenet5")
    frame = save(tmp_path, "lenet5", **how)
    rows = [line for line in printed(LENET, frame).splitlines() if line.startswith(" lenet5 ")]
    (value,) = how.values()
    assert len(rows) == 2
    assert len(set(rows)) == 2
    assert any(f" {value} " in row for row in rows)
    path = page.write(tmp_path)
    cells = {f"<td>{value}</td>", f"<td>{next(iter(how)).replace('_', ' ')} {value}</td>"}
    assert any(cell in path.read_text() for cell in cells)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([{}], "mnist; 15 epochs. ± is half the 95 % interval of the mean over seeds (Student's t)."),
        ([{"seeds": 1}], "mnist; 15 epochs. Not judged: lenet1 (1 of at least 3 seeds)."),
        ([{"seeds": 1, "epochs": 1}], "mnist; 1 epoch. Not judged: lenet1 (epochs 1, 1 of at least 3 seeds)."),
        ([{"dataset": "digits"}], "Not judged: lenet1 (on digits)."),
        ([{"precision": "mixed_float16"}], "Not judged: lenet1 (precision mixed_float16)."),
        ([{"variant": "lenet5"}, {}], "Δ: difference from the baseline, lenet5, paired by seed."),
        ([{"status": "diverged"}], "Runs in no mean: 3 diverged."),
        ([{"epochs": 1}, {"variant": "lenet4", "epochs": 2}], "mnist; 1 to 2 epochs."),
        ([{"epochs": 1}, {"variant": "lenet4", "epochs": 1}], "Not judged: all rows (epochs 1)."),
    ],
)
def test_a_line_under_the_table_says_what_it_is_of_and_what_is_not_judged(tmp_path, runs, said):
    for run in runs:
        frame = save(tmp_path, **({"variant": "lenet1"} | run))
    assert said in " ".join(printed(LENET, frame).splitlines())
    assert said in " ".join(notes.notes(LENET, csv_files.read(tmp_path / "lenet.csv")))
    text = page.write(tmp_path).read_text().replace("&#39;", "'")
    assert all(note in text for note in notes.notes(LENET, frame))


def test_a_strange_row_has_a_line_too(tmp_path):
    frame = save(tmp_path, "lenet1").assign(epochs=["many"])
    assert "mnist; many epochs." in printed(LENET, frame)
    assert printed(LENET, pd.DataFrame(columns=tables.EVERY))


def test_kept_runs_are_not_shown_as_if_they_had_just_finished(tmp_path, monkeypatch):
    monkeypatch.setenv("EXECUTIONS", str(tmp_path / "executions"))
    runs = [Run("lenet", name, "digits", Training("linear"), seed) for name in ("ok", "raise") for seed in range(2)]
    said = []
    for asked in (runs[:1], runs):
        out = io.StringIO()
        with progress.watch(Console(file=out, width=140), "lenet", len(asked)) as display:
            InProcess(Job("tests.support.work.Scripted", Records(tmp_path / "r")), display).execute(RunList(asked))
        said.append((out.getvalue(), display.summary()))
    (first, one), (second, all_) = said
    assert "ok on digits, seed 0: finished" in first
    assert one == "0 runs kept from before, 1 ran now (1 finished)."
    assert "ok on digits, seed 0: kept from before: finished" in second
    assert "ok on digits, seed 1: finished" in second
    assert all_ == "1 run kept from before, 3 ran now (1 finished, 2 failed)."
