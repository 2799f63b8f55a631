"""Tables: records in, numbers out; checked against scipy's own bootstrap-free arithmetic by hand."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.lab import figures, tables
from experiments.lab.claims import MoreThanBaseline, Outcome
from experiments.lab.records import Records
from experiments.lab.spec import Experiment, Run, Training, UsageError, Variant
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


TWO_SETS = dataclasses.replace(EXPERIMENT, also_on=("fashion-mnist",), baseline="b")


def test_rows_on_two_data_sets_are_judged_each_by_its_own_name(tmp_path):
    records = Records(tmp_path)
    for seed in range(3):
        for dataset, accuracy in (("mnist", 0.98), ("fashion-mnist", 0.88), ("digits", 0.5)):
            save(records, "b", seed, accuracy, dataset=dataset, epochs=15)
            save(records, "a", seed, accuracy - 0.01 - 0.001 * seed, dataset=dataset, epochs=15)
    frame = tables.write(TWO_SETS, records)
    keys = list(zip(frame["dataset"], frame["variant"], strict=True))
    assert keys == [(dataset, variant) for dataset in ("mnist", "fashion-mnist", "digits") for variant in "ba"]
    assert frame["test_error_percent_minus_baseline_mean"].tolist()[1::2] == pytest.approx([1.1] * 3)
    judged = tables.judged(TWO_SETS, frame)
    assert list(judged.index) == ["b", "a", "b on fashion-mnist", "a on fashion-mnist"]
    assert judged.loc["a on fashion-mnist", "test_error_percent_mean"] == pytest.approx(13.1)
    below = MoreThanBaseline("a on fashion-mnist", "test_error_percent")
    assert below(judged).outcome is Outcome.HOLDS
    assert list(tables.judged(EXPERIMENT, frame).index) == ["b", "a"]


def test_a_row_may_be_compared_with_another_than_the_baseline(tmp_path):
    others = (Variant("c", Training("fc-300")), Variant("d", Training("fc-300"), against="c"))
    pairs = dataclasses.replace(EXPERIMENT, variants=(*EXPERIMENT.variants, *others), baseline="b")
    records = Records(tmp_path)
    for variant, error in {"b": 1.0, "a": 2.0, "c": 5.0, "d": 9.0}.items():
        settings = {row.name: row.settings for row in pairs.variants}[variant]
        records.folder("lenet").mkdir(parents=True, exist_ok=True)
        for seed in range(3):
            metrics = {"test_error_percent": error + 0.1 * seed * (variant == "d")}
            run = Run("lenet", variant, "mnist", settings, seed)
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    frame = tables.write(pairs, records).set_index("variant")
    assert frame["test_error_percent_minus_baseline_mean"].dropna().to_dict() == pytest.approx(
        {"a": 1.0, "c": 4.0, "d": 4.1}
    )
    assert frame.loc["d", "comparison"] == "paired by seed with c, n=3"
    assert frame.loc["c", "comparison"] == "paired by seed, n=3"
    assert frame.loc["b", "comparison"] == "baseline"


@pytest.mark.parametrize("wrong", [{"also_on": ("mnist",)}, {"variants": (Variant("a", None, against="z"),)}])
def test_a_declaration_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(UsageError):
        dataclasses.replace(EXPERIMENT, **wrong)


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


def test_equal_figures_are_equal_files_wherever_the_layout_lies_in_memory(tmp_path):
    # Unrounded, a quarter of these differ from the rest: in digits far behind the point, and in the sign of a 0.
    kept, files = [], set()
    for length in np.random.default_rng(0).integers(1, 5000, 30):
        figure = Figure(figsize=(10, 7), layout="constrained")
        upper, *lower = figure.subfigures(3, 1, height_ratios=(3, 2, 2))
        axes = upper.subplots()
        axes.plot([0, 1], label="a line")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        for part in lower:
            for number, axes in enumerate(part.subplots(1, 6)):
                axes.imshow(np.zeros((10, 10 + number % 2)))
                axes.set_title(str(number))
        figures.save(figure, tmp_path / "figure.svg")
        files.add((tmp_path / "figure.svg").read_bytes())
        kept.append(bytearray(length))  # so that the next one lies elsewhere
    assert len(files) == 1


def test_a_table_without_results_has_no_figure(tmp_path):
    records = Records(tmp_path)
    save(records, "a", 0, None, "diverged")
    frame = tables.write(EXPERIMENT, records)
    assert frame["diverged"].tolist() == [1]
    assert figures.draw(EXPERIMENT, frame, records) is None
