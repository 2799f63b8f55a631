"""Tables: records in, numbers out; checked against scipy's own bootstrap-free arithmetic by hand."""

import concurrent.futures
import dataclasses
import math
import shutil
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab.command import main
from lab.declare import catalogue
from lab.declare.evidence import Difference, Statement
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Distortion, Training
from lab.declare.run import Run, key
from lab.errors import UsageError
from lab.report import refresh
from lab.report.answers.evidence_rows import judged_rows, read
from lab.report.answers.judge import Outcome, judge
from lab.report.draw import figures
from lab.report.table import csv_files, tables
from lab.report.table.statistics import summarise
from lab.store.checked import write
from lab.store.files import sole_writer
from lab.store.records import Records

REFERENCE = Path(__file__).parents[4] / "results" / "reference"
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


def save(records, variant, seed, accuracy, status="finished", dataset="mnist", epochs=10, devices=None):
    settings = Training({"a": "lenet1", "b": "lenet5"}[variant], epochs=epochs)
    run = Run("lenet", variant, dataset, settings, seed)
    metrics = {"test_accuracy": accuracy, "test_error_percent": 100 * (1 - accuracy)} if status == "finished" else {}
    records.folder("lenet").mkdir(parents=True, exist_ok=True)
    environment = {"environment": {"devices": devices}} if devices else {}
    records.save(run, {"status": status, "facts": {"params": 7}, "metrics": metrics} | environment)


def test_a_table_says_on_what_its_runs_computed_where_some_were_not_on_one_cpu(tmp_path):
    records = Records(tmp_path)
    save(records, "a", 0, 0.9, devices="cpu:1")
    save(records, "b", 0, 0.9)  # a record from before devices were kept
    frame, seeds = tables.table_and_seeds(EXPERIMENT, records.each("lenet"))
    assert "devices" not in frame
    assert "devices" not in seeds
    save(records, "a", 1, 0.9, devices="gpu:1")
    frame, seeds = tables.table_and_seeds(EXPERIMENT, records.each("lenet"))
    assert frame.set_index("variant")["devices"].to_dict() == {"a": "cpu:1, gpu:1", "b": "cpu:1"}
    assert seeds.set_index(["variant", "seed"])["devices"].to_dict() == {
        ("a", 0): "cpu:1",
        ("a", 1): "gpu:1",
        ("b", 0): "cpu:1",
    }
    tables.write(EXPERIMENT, records)
    assert tables.read_seeds(tables.seeds_path(tmp_path, "lenet"))["devices"].tolist().count("gpu:1") == 1


def test_a_row_a_variant_in_declared_order_with_its_interval(tmp_path):
    records = Records(tmp_path)
    for seed, accuracy in enumerate([0.97, 0.98, 0.99]):
        save(records, "a", seed, accuracy)
        save(records, "b", seed, 0.5)
    save(records, "a", 3, None, "diverged")
    written = tables.write(EXPERIMENT, records)
    frame = csv_files.read(tmp_path / "lenet.csv")
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
    judged = judged_rows(TWO_SETS, frame)
    assert list(judged.index) == ["b", "a", "b on fashion-mnist", "a on fashion-mnist"]
    assert judged.loc["a on fashion-mnist", "test_error_percent_mean"] == pytest.approx(13.1)
    more = Difference("a on fashion-mnist", "b on fashion-mnist", "test_error_percent").above(0)
    assert judge(Statement("so", more), read(TWO_SETS, tmp_path)).outcome is Outcome.HOLDS
    assert list(judged_rows(EXPERIMENT, frame).index) == ["b", "a"]


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


DEVIATIONS = [{"precision": "mixed_bfloat16"}, {"batch_size": 32}, {"epochs": 2}, {"distortion": Distortion(1)}]


def study(folder, rows, declared=TWO_SETS):
    """The table of rows (variant, deviations, test error), three seeds each, by variant and what deviates."""
    records = Records(folder)
    records.folder("lenet").mkdir(parents=True, exist_ok=True)
    for variant, deviations, error in rows:
        settings = dataclasses.replace(declared.named[variant].settings, **deviations)
        for seed in range(3):
            run = Run("lenet", variant, "mnist", settings, seed)
            metrics = {"test_error_percent": error + 0.1 * seed * (variant != "b")}
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    frame = tables.write(declared, records)
    deviations = frame.get("deviations", pd.Series(None, frame.index, object)).fillna("")
    return frame.set_index([frame["variant"], deviations])


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: next(iter(deviation)))
def test_a_row_is_compared_with_the_baseline_that_deviates_likewise(tmp_path, deviation):
    rows = [("b", {}, 1.0), ("b", {"weight_decay": 0.5}, 50.0), ("b", deviation, 5.0), ("a", {}, 2.0)]
    frame = study(tmp_path, [*rows, ("a", deviation, 6.01)])
    difference = frame["test_error_percent_minus_baseline_mean"]
    assert sorted(difference.dropna()) == pytest.approx([1.1, 1.11])
    assert frame["comparison"].tolist().count("paired by seed, n=3") == 2


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: next(iter(deviation)))
def test_a_row_without_a_baseline_that_deviates_likewise_is_compared_with_none_and_says_so(tmp_path, deviation):
    frame = study(tmp_path, [("b", {}, 1.0), ("a", deviation, 6.01), ("b", {"epochs": 1}, 2.0)])
    assert "test_error_percent_minus_baseline_mean" not in frame
    (said,) = frame["deviations"].get("a")
    assert frame["comparison"].get("a").tolist() == [f"b was not run with {said}"]
    assert next(iter(deviation)).replace("_", " ") in said


def test_a_comparison_counts_the_seeds_of_the_measure_that_has_most(tmp_path):
    several = dataclasses.replace(TWO_SETS, compared=("test_error_percent", "of_one_seed", "of_none"))
    records = Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    for variant in several.variants:
        for seed in range(3):
            metrics = {"test_error_percent": 1.0 + seed * (variant.name == "a")}
            metrics |= {"of_one_seed": 1.0} if seed == 0 else {}
            run = Run("lenet", variant.name, "mnist", variant.settings, seed)
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    rows = judged_rows(several, tables.write(several, records))
    assert rows.loc["a", "comparison"] == "paired by seed, n=3"

    def judged(measure):
        return judge(Statement("so", Difference("a", "b", measure).above(0)), read(several, tmp_path))

    assert judged("test_error_percent").outcome is not Outcome.MISSING
    assert judged("of_one_seed").numbers == "a − b: too few seeds, 1 of at least 3"
    assert judged("of_none").numbers == "a: of none was not measured"


def test_the_declared_row_is_not_compared_with_a_baseline_that_deviates(tmp_path):
    frame = study(tmp_path, [("b", {"epochs": 2}, 1.0), ("a", {}, 2.0)])
    assert "test_error_percent_minus_baseline_mean" not in frame
    assert frame["comparison"].get("a").tolist() == ["b was not run as declared"]


def test_what_a_call_sets_for_all_rows_may_be_what_one_is_declared_with(tmp_path):
    variants = (EXPERIMENT.variants[0], Variant("a", Training("lenet1", epochs=10)))
    declared = dataclasses.replace(TWO_SETS, variants=variants)
    frame = study(
        tmp_path, [("b", {}, 1.0), ("b", {"precision": "mixed_float16"}, 9.0), ("a", {"epochs": 15}, 3.0)], declared
    )
    assert frame["test_error_percent_minus_baseline_mean"].dropna().tolist() == pytest.approx([2.1])


def test_a_variant_that_is_declared_no_more_is_compared_with_none(tmp_path):
    study(tmp_path, [("b", {}, 1.0), ("a", {}, 2.0)])
    declared = dataclasses.replace(TWO_SETS, variants=(EXPERIMENT.variants[0], Variant("c", Training("linear"))))
    frame = tables.write(declared, Records(tmp_path)).set_index("variant")
    assert frame.loc["a", "comparison"] == "not compared: declared no more"
    assert frame.loc["a", "deviations"] == "declared no more"
    assert pd.isna(frame.loc["b", "deviations"])


def test_rows_that_differ_in_precision_alone_have_labels_that_say_so(tmp_path):
    study(tmp_path, [("b", {}, 1.0), ("b", {"precision": "mixed_bfloat16"}, 2.0)])
    _, figure = refresh.write(TWO_SETS, Records(tmp_path))
    text = figure.read_text()
    assert ">b, precision mixed_bfloat16<" in text
    assert ">b<" in text
    assert "95 % interval of the mean over 3 seeds" in text


def test_what_a_search_found_is_compared_with_the_default_of_its_network_precision_and_length(tmp_path):
    tune = catalogue.find("tune")
    records = Records(tmp_path)
    records.folder("tune").mkdir(parents=True)
    default = tune.named["default"].settings
    rows = [
        ("default", default, 1.0),
        ("default", dataclasses.replace(default, precision="mixed_bfloat16"), 5.0),
        ("default", dataclasses.replace(default, epochs=2), 9.0),
        ("tuned", dataclasses.replace(default, learning_rate=0.01, options={"width": 2.0}), 2.0),
        ("runner-up", dataclasses.replace(default, batch_size=32, precision="mixed_bfloat16"), 7.0),
        ("runner-up", dataclasses.replace(default, batch_size=32, epochs=20), 7.0),
        ("runner-up", dataclasses.replace(default, batch_size=32, precision="mixed_float16"), 7.0),
    ]
    for variant, settings, error in rows:
        for seed in range(3):
            run = Run("tune", variant, "mnist", settings, seed)
            metrics = {"test_error_percent": error + 0.1 * seed * (variant != "default")}
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    frame = tables.write(tune, records)
    assert frame["test_error_percent_minus_baseline_mean"].dropna().tolist() == pytest.approx([1.1, 2.1])
    assert sum("was not run with the same network" in said for said in frame["comparison"]) == 2


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
    assert ">a<" in text
    assert "test error, %; one seed" in text


@pytest.mark.slow
def test_equal_figures_have_equal_places_wherever_the_layout_lies_in_memory():
    # Unrounded, a quarter of such figures differ from the rest: in digits far behind the point, and in the sign of a
    # 0. That all of 12 were equal by chance has a probability of 3 %.
    kept, places = [], set()
    for length in np.random.default_rng(0).integers(1, 5000, 12):
        figure = Figure(figsize=(10, 7), layout="constrained")
        upper, *lower = figure.subfigures(3, 1, height_ratios=(3, 2, 2))
        axes = upper.subplots()
        axes.plot([0, 1], label="a line")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        for part in lower:
            for number, axes in enumerate(part.subplots(1, 6)):
                axes.imshow(np.zeros((10, 10 + number % 2)))
                axes.set_title(str(number))
        figures._settle(figure)
        places.add(np.array([axes.get_position(original=True) for axes in figure.axes]).tobytes())
        kept.append(bytearray(length))  # so that the next one lies elsewhere
    assert len(places) == 1


def whether_locked(experiment, frame, records):
    """A chart of whether another thread could write a table of this folder while it is drawn."""
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        try:
            other.submit(lambda: sole_writer(records.results).acquire(timeout=0.1)).result()
        except filelock.Timeout:
            return Figure()
    return None


def test_table_and_figure_are_written_under_one_lock(tmp_path):
    records = Records(tmp_path)
    save(records, "a", 0, 0.97)
    charted = dataclasses.replace(EXPERIMENT, figure=f"{__name__}.whether_locked", figure_options={})
    _, figure = refresh.write(charted, records)
    assert figure == tmp_path / "lenet.svg"


def test_one_folder_that_cannot_be_a_table_costs_no_other_its_own(tmp_path, capsys):
    records = Records(tmp_path)
    for name in ("compare-fc", "lenet"):
        for file in list((REFERENCE / "runs" / name).glob("*.seed[01].json")):
            records.folder(name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, records.folder(name))
    (records.folder("compare-fc") / "x.json").mkdir()
    for name in ("a-name-of-no-experiment", "lent", "zzz"):
        records.folder(name).mkdir()
    assert main.main(["tables", "--results", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    names = ("compare-fc", "lenet")
    rows = [f"{name}.csv: {len(csv_files.read(REFERENCE / f'{name}.csv'))} rows" for name in names]
    rows_of = [row.settings for name in names for row in catalogue.find(name).variants]
    networks = {(settings.model, settings.distortion) for settings in rows_of}
    assert [line.split("/")[-1] for line in out.splitlines()] == [*rows, f"summary.csv: {len(networks)} rows"]
    assert "x.json.set-aside" in err
    assert all(f"Unknown experiment '{name}'" in err for name in ("a-name-of-no-experiment", "lent", "zzz"))
    assert "Did you mean lenet" in err
    assert (tmp_path / "lenet.svg").exists()


def test_records_that_its_own_chart_cannot_read_cost_no_other_experiment_its_table(tmp_path, capsys):
    records = Records(tmp_path)
    shift = catalogue.find("shift")
    run = Run("shift", "fc-centre", "mnist", shift.named["fc-centre"].settings, 0)
    records.folder("shift").mkdir(parents=True)
    metrics = {"test_error_percent": 1.0, "test_everywhere_error_percent": 1.0}
    records.save(run, {"status": "finished", "facts": {}, "metrics": metrics, "maps": "none of its maps"})
    weight_sharing = next((REFERENCE / "runs" / "weight-sharing").glob("*.json"))
    records.folder("weight-sharing").mkdir()
    shutil.copy(weight_sharing, records.folder("weight-sharing"))
    assert main.main(["tables", "--results", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "weight-sharing.csv: 1 rows" in out
    assert "shift: no table or figure can be made of these: TypeError" in err


def test_a_figure_is_drawn_without_arrays_that_are_gone_or_damaged(tmp_path, capsys):
    experiment = catalogue.find("filters")
    shutil.copytree(REFERENCE / "runs" / "filters", tmp_path / "runs" / "filters")
    gone, damaged, *_ = sorted((tmp_path / "runs" / "filters").glob("*.npz"))
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-1])
    frame, _ = refresh.write(experiment, Records(tmp_path))
    assert len(frame) == len(experiment.variants)
    said = capsys.readouterr().err
    assert gone.name in said
    assert damaged.name in said


def test_a_figure_is_drawn_again_only_where_what_it_shows_changed(tmp_path, capsys):
    experiment = catalogue.find("filters")
    shutil.copytree(REFERENCE / "runs" / "filters", tmp_path / "runs" / "filters")
    array = sorted((tmp_path / "runs" / "filters").glob("*.npz"))[-1]
    figure = tmp_path / "filters.svg"

    def drawn():
        refresh.write(experiment, Records(tmp_path))
        return figure.stat().st_mtime_ns

    first = drawn()
    assert drawn() == first
    array.touch()
    assert first < (second := drawn())
    (tmp_path / "filters.csv").unlink()
    assert second < drawn()
    assert not capsys.readouterr().err
    array.unlink()
    drawn()
    assert f"{array.name} is gone" in capsys.readouterr().err


def test_a_fact_cannot_take_the_place_of_what_a_row_is(tmp_path):
    records = Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    facts = {"variant": 1, "dataset": 2, "declared": "x", "seeds": 9, "tuner": 3, "trial": "first", "specification": 0}
    for variant in EXPERIMENT.variants:
        run = Run("lenet", variant.name, "mnist", variant.settings, 0)
        records.save(run, {"status": "finished", "facts": facts, "metrics": {}})
        facts = {}
    frame = tables.write(EXPERIMENT, records)
    assert frame["variant"].tolist() == ["b", "a"]
    assert set(frame["dataset"]) == {"mnist"}
    assert frame["seeds"].tolist() == [1, 1]
    assert 0 not in frame["specification"].tolist()


def test_settings_of_other_kinds_make_a_row_of_a_search_too(tmp_path):
    experiment = catalogue.find("tune")
    records = Records(tmp_path)
    records.folder("tune").mkdir(parents=True)
    strange = (
        {},
        {"model": 3},
        {"model": "none", "options": [1], "distortion": "much", "epochs": "many"},
        {"model": []},
    )
    for place, settings in enumerate([*strange, *strange]):
        variant = "trial" if place < len(strange) else "found-1"
        said = {"experiment": "tune", "variant": variant, "dataset": "mnist", "settings": settings, "seed": 0}
        record = {"specification": said, "status": "finished", "facts": {}, "metrics": {"test_error_percent": 1.0}}
        write(records.folder("tune") / f"{key(said)}.json", record)
    assert len(tables.write(experiment, records)) == 2 * len(strange)


def test_a_table_without_results_has_no_figure(tmp_path):
    records = Records(tmp_path)
    save(records, "a", 0, None, "diverged")
    frame = tables.write(EXPERIMENT, records)
    assert frame["diverged"].tolist() == [1]
    assert figures.draw(EXPERIMENT, frame, records) is None


@pytest.mark.parametrize(
    ("more", "columns", "expected"),
    [
        ({"columns": ("seeds", "gone", "variant")}, ["variant", "seeds"], ["seeds", "variant"]),
        ({}, ["variant", "params", "test_error_percent_mean", "macs", "seeds"], None),
        (
            {"compared": ("copies",)},
            ["variant", "copies_mean", "copies_minus_baseline_mean", "loss_mean", "seeds"],
            None,
        ),
        ({"also_on": ("digits",)}, ["variant", "dataset", "seeds"], None),
        ({"work": "mine.Work"}, ["variant", "side_std", "side_mean", "seeds"], ["variant", "side_mean", "seeds"]),
    ],
)
def test_the_columns_that_are_shown(more, columns, expected):
    experiment = dataclasses.replace(EXPERIMENT, **({"columns": ()} | more))
    wanted = [column for column in columns if column not in ("macs", "loss_mean")] if expected is None else expected
    assert tables.shown(experiment, pd.DataFrame(columns=columns)) == wanted
