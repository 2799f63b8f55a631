"""Work without training: facts and arrays become a record, a table and a figure's input."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.learn.facts import FactsWork, deviation
from lab.report import notes, printing
from lab.report.draw import figures
from lab.report.table import tables
from lab.store.records import Records


class Counting(FactsWork):
    def __init__(self):
        pass

    def measure(self, settings):
        return {"answer": 42}, {} if settings.model == "lenet1" else {"squares": np.arange(4) ** 2}


EXPERIMENT = Experiment(
    "lenet", "?", "", (), (Variant("plain", Training("lenet1")), Variant("drawn", Training("lenet5"))), dataset="cat"
)


@pytest.fixture
def records(tmp_path):
    found = Records(tmp_path)
    found.folder("lenet").mkdir(parents=True)
    for variant in EXPERIMENT.variants:
        run = Run("lenet", variant.name, "cat", variant.settings, 0)
        found.save(run, *Counting().execute(run, print))
    return found


def test_facts_are_columns(records):
    frame = tables.write(EXPERIMENT, records)
    assert frame["answer"].tolist() == [42, 42]
    assert frame["seeds"].tolist() == [1, 1]


def test_figures_get_the_arrays_of_declared_recipes(records):
    found = figures.arrays(EXPERIMENT, records)
    assert list(found) == ["drawn"]
    assert found["drawn"]["squares"].tolist() == [0, 1, 4, 9]
    other = Run("lenet", "plain", "cat", Training("lenet5", epochs=1), 0)
    records.save(other, *Counting().execute(other, print))
    assert list(figures.arrays(EXPERIMENT, records)) == ["drawn"]


def test_equal_arrays_give_equal_files(records):
    (path,) = records.folder("lenet").glob("*.npz")
    before = path.read_bytes()
    run = Run("lenet", "drawn", "cat", EXPERIMENT.variants[1].settings, 0)
    records.save(run, *Counting().execute(run, print))
    assert path.read_bytes() == before


def test_deviation_is_the_largest_and_never_hides_what_is_no_number():
    assert deviation([1, 2.5], [1.25, 2]) == 0.5
    assert np.isnan(deviation([1, np.nan], [1, 2]))


def test_exact_facts_are_not_said_to_lack_seeds_or_an_interval(records):
    frame = tables.write(EXPERIMENT, records)
    assert notes.notes(EXPERIMENT, frame) == ["cat; 15 epochs."]  # the settings are a network's, the facts its layers'
    sampled = frame.assign(error_ci95_high=1.0)
    assert notes.notes(EXPERIMENT, sampled)[-1].endswith("(1 of at least 3 seeds).")
    assert any("95 %" in note for note in notes.notes(EXPERIMENT, sampled.assign(seeds=3)))


def test_small_deviations_are_read_as_powers_of_ten():
    row = pd.Series({"deviation": 2.22e-16, "exact": 0.0, "share": 0.5, "accuracy_mean": 0.001})
    assert printing.cell(row, "deviation") == "2e-16"
    assert printing.cell(row, "exact") == "0"
    assert printing.cell(row, "share") == "0.50"
    assert printing.cell(row, "accuracy_mean") == "0.0010"


def test_a_narrow_terminal_cuts_no_number():
    names = ["variant", *(f"a_rather_long_name_{letter}" for letter in "abcdefghij")]
    frame = pd.DataFrame([["one", *(1.23456e-9 * 10**i for i in range(10))]], columns=names)
    out = io.StringIO()
    printing.show(Console(file=out, width=60), frame, names, "title")
    text = out.getvalue()
    assert "…" not in text
    assert text.count("one") > 1
    assert text.count("title") == 1
    assert all(printing.cell(frame.iloc[0], name) in text for name in names)
    assert max(map(len, text.splitlines())) <= 60
