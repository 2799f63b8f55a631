"""Tables: records in, numbers out; checked against scipy's own bootstrap-free arithmetic by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments.lab import figures, tables
from experiments.lab.records import Records
from experiments.lab.spec import Experiment, Run, Training, Variant
from experiments.lab.statistics import summarise

EXPERIMENT = Experiment(
    name="lenet",
    question="?",
    expectation="",
    sources=(),
    variants=(
        Variant("b", Training("lenet5"), published={"error_percent_1998": 0.95}),
        Variant("a", Training("lenet1")),
    ),
    figure_options={"measures": {"test_error_percent": "ours"}},
)


def save(records, variant, seed, accuracy, status="finished", dataset="mnist", epochs=10):
    settings = Training({"a": "lenet1", "b": "lenet5"}[variant], epochs=epochs)
    run = Run("lenet", variant, dataset, settings, seed)
    metrics = {"test_accuracy": accuracy, "test_error_percent": 100 * (1 - accuracy)} if status == "finished" else {}
    records.folder("lenet").mkdir(parents=True, exist_ok=True)
    records.save(run, {"status": status, "facts": {"params": 7}, "metrics": metrics})


def test_a_row_a_variant_in_declared_order_with_its_interval(tmp_path):
    records = Records(tmp_path)
    for seed, accuracy in enumerate([0.97, 0.98, 0.99]):
        save(records, "a", seed, accuracy)
        save(records, "b", seed, 0.5)
    save(records, "a", 3, None, "diverged")
    written = tables.write(EXPERIMENT, records)
    frame = tables.read(tmp_path / "lenet.csv")
    pd.testing.assert_frame_equal(frame, written, check_dtype=False)
    assert frame["variant"].tolist() == ["b", "a"]
    row = frame.iloc[1]
    assert (row["seeds"], row["diverged"], row["failed"], row["params"]) == (3, 1, 0, 7)
    assert row["test_accuracy_mean"] == pytest.approx(0.98)
    assert row["test_accuracy_std"] == pytest.approx(0.01)
    half = 4.302652729911275 * 0.01 / math.sqrt(3)  # Student's t, 97.5 %, 2 degrees of freedom
    assert row["test_accuracy_ci95_low"] == pytest.approx(0.98 - half)
    assert row["test_accuracy_ci95_high"] == pytest.approx(0.98 + half)
    assert frame["error_percent_1998"].tolist()[0] == 0.95
    assert frame.iloc[0]["test_accuracy_std"] == 0


def test_another_recipe_or_data_set_is_another_row(tmp_path):
    records = Records(tmp_path)
    save(records, "b", 0, 0.9)
    save(records, "b", 0, 0.8, epochs=1)
    save(records, "b", 0, 0.7, dataset="digits")
    frame = tables.write(EXPERIMENT, records)
    assert sorted(zip(frame["dataset"], frame["epochs"], strict=True)) == [("digits", 10), ("mnist", 1), ("mnist", 10)]
    on_digits = frame[frame["dataset"] == "digits"]
    assert on_digits["error_percent_1998"].isna().all()  # 1998's figure is of MNIST


def test_one_seed_has_no_spread():
    summary = summarise([0.9])
    assert (summary.n, summary.mean) == (1, 0.9)
    assert all(math.isnan(value) for value in (summary.std, summary.ci95_low, summary.ci95_high))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [(s := summarise(rng.normal(3, 2, 5))).ci95_low < 3 < s.ci95_high for _ in range(4_000)]
    assert 0.94 < np.mean(hits) < 0.96


def test_the_figure_is_drawn_from_the_table_and_is_the_same_each_time(tmp_path):
    records = Records(tmp_path)
    save(records, "a", 0, 0.97)
    save(records, "b", 0, 0.99)
    frame = tables.write(EXPERIMENT, records)
    path = figures.draw(EXPERIMENT, frame, records)
    first = path.read_bytes()
    assert figures.draw(EXPERIMENT, frame, records).read_bytes() == first
    text = first.decode()
    assert "a (n=1)" in text
    assert "test error, %" in text


def test_a_table_without_results_has_no_figure(tmp_path):
    records = Records(tmp_path)
    save(records, "a", 0, None, "diverged")
    frame = tables.write(EXPERIMENT, records)
    assert frame["diverged"].tolist() == [1]
    assert figures.draw(EXPERIMENT, frame, records) is None
