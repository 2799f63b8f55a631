"""One battery over every experiment: its name, its rows, and a real short run by its own target."""

import ast
import dataclasses
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from experiments.image_to_image import measure as translation
from lab.command.arguments import parser
from lab.command.main import call_of
from lab.command.plan import plan
from lab.data import datasets
from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.declare.run import Run
from lab.errors import UsageError
from lab.report import reference
from lab.report.draw import figures
from lab.report.table import rates, tables
from lab.store.records import Records
from tests.support.kept import KEPT, PENDING
from tests.support.studies import study
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
NAMES = catalogue.names()
SOME = {
    "receptive-field": "plain-1 plain-2 plain-8 stride-1 stride-2 pooling-1 pooling-2 dilation-1 dilation-2 VGG16",
    "equivariance": "conv-valid conv-same conv-stride2 max-pool worked-4x4",
}
QUICK = ("DATASET=digits", "EPOCHS=1", "SEEDS=1")


def make(*words):
    return subprocess.run(
        ["make", *words], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""}, timeout=SECONDS
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_says_what_it_asks_and_where_it_is_from(name):
    experiment = catalogue.find(name)
    assert experiment.name == name
    assert experiment.question.endswith("?")
    assert experiment.expectation
    assert any(source.startswith("slide: ") for source in experiment.sources)


def test_a_target_trains_on_real_data_and_writes_its_table_and_figure_once(tmp_path):
    quick = ["lenet", *QUICK, "VARIANTS=lenet5,lenet5-relu", f"RESULTS={tmp_path}"]
    done = make(*quick)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(tmp_path / "lenet.csv")
    assert frame["variant"].tolist() == ["lenet5", "lenet5-relu"]
    assert (frame["seeds"] == 1).all()
    assert (tmp_path / "lenet.svg").stat().st_size > 1_000
    again = make(*quick)
    assert again.returncode == 0
    assert again.stdout.count(": kept from before") == 2
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "lenet.csv"), frame)  # nothing was run again


def test_a_target_that_looks_at_others_networks_says_which_it_skipped(tmp_path):
    rows = "plain-3,stride-2,lenet5"
    done = make(
        "receptive-field", "SEEDS=1", "WORKERS=1", f"VARIANTS={rows},trained-lenet5-relu", f"RESULTS={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    skipped = [line.split(" on ")[0].split("] ")[1] for line in done.stdout.splitlines() if ": skipped: " in line]
    assert skipped == ["trained-lenet5-relu"]
    frame = pd.read_csv(tmp_path / "receptive-field.csv")
    assert frame["variant"].tolist() == rows.split(",")
    assert (frame["seeds"] == 1).all()


def words(value, place=()):
    """What a recipe says, place by place, but for its numbers: of those, whether there is one at all.

    Which network it trains is left out: each of the zoo has tests of its own.
    """
    if isinstance(value, dict):
        return {word for key, inner in value.items() if key != "model" for word in words(inner, (*place, key))}
    return {(place, re.sub(r"\d+", "#", value) if isinstance(value, str) else (type(value).__name__, bool(value)))}


def enough(experiment):
    """Rows that say between them every word of the experiment's recipes: the others differ from these in numbers.

    All rows of an experiment that trains nothing, whose figure shows some of them beside others; of two of them some,
    as all would take most of a minute.
    """
    if experiment.name in SOME:
        return [row for row in experiment.rows if row in SOME[experiment.name].split()]
    if experiment.dataset not in datasets.DATASETS:
        return list(experiment.rows)
    runs = {v.name: Run(experiment.name, v.name, experiment.dataset, v.settings, 0) for v in experiment.variants}
    says = {
        name: words(run.specification()["settings"]) | {type(run.settings)}
        for name, run in runs.items()
        if name in experiment.rows
    }
    left, chosen = set().union(*says.values()), []
    while left:
        chosen.append(max(says, key=lambda name: len(says[name] & left)))
        left -= says[chosen[-1]]
    return [name for name in experiment.rows if name in chosen]


def quick(experiment):
    """A quick call: on the digits, or on a few photographs where they have to be in colour."""
    return QUICK if experiment.takes.channels != 3 else ("DATASET=cifar-10-sample", *QUICK[1:])


# A search chooses its rows itself: `tests/lab/search` runs it whole.
@pytest.mark.parametrize("name", [name for name in NAMES if not catalogue.find(name).search])
@pytest.mark.slow
def test_rows_of_every_kind_run_on_real_data_and_make_table_and_figure(name, tmp_path, monkeypatch):
    shorter = dataclasses.replace(translation.READER, epochs=1, steps_per_epoch=20)  # its tests are its own
    monkeypatch.setattr(translation, "READER", shorter)
    experiment = catalogue.find(name)
    takes = {"SEEDS": True, "DATASET": experiment.dataset in datasets.DATASETS, "EPOCHS": experiment.trains}
    options = [f"--{word.lower()}" for word in quick(experiment) if takes[word.partition("=")[0]]]
    rows = enough(experiment)
    call = [name, *options, f"--variants={','.join(rows)}"]
    outcome, events, printed = study(call, tmp_path)
    assert (outcome.failed, events["ended"]) == ({}, len(rows))
    frame = pd.read_csv(tmp_path / f"{name}.csv")
    named = experiment.named
    read = {n.variant for row in rows for n in Run(name, row, "digits", named[row].settings, 0).needs}  # and trained
    assert frame["variant"].tolist() == [row for row in experiment.rows if row in {*rows, *read}]
    assert (frame["seeds"] == 1).all()
    assert (tmp_path / f"{name}.svg").stat().st_size > 1_000
    assert experiment.question.split()[0] in printed
    _, events, _ = study(call, tmp_path)
    assert events == {"kept": len(rows)}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv"), frame)  # nothing was run again


@pytest.mark.parametrize("name", NAMES)
def test_all_rows_are_planned(name):
    experiment = catalogue.find(name)
    call = call_of(parser().parse_args(["run", name, "--seeds", "1"]))
    assert {run.variant for run in plan(experiment, call)} == {variant.name for variant in experiment.variants}


def test_every_experiment_has_a_target_that_runs_it():
    lines = [line.rstrip() for line in make("--dry-run", *NAMES, "SEEDS=3").stdout.splitlines()]
    called = [line for line in lines if line.startswith(".venv/bin/python -m experiments ")]  # .venv may be stale
    assert called == [f'.venv/bin/python -m experiments run {name} --seeds="$SEEDS"' for name in NAMES]


def test_make_help_names_every_experiment():
    out = make("help").stdout
    assert all(f"  {name} " in out for name in NAMES)
    assert all(f"  {word}" in out for word in ("SEEDS=", "EPOCHS=", "VARIANTS=", "DATASET=", "RESULTS=", "FORCE="))


def test_an_unknown_experiment_gets_the_nearest():
    with pytest.raises(UsageError, match="Did you mean lenet"):
        catalogue.find("lent")


@pytest.mark.parametrize("command", [["list"], ["--help"], ["run", "--help"]])
def test_quick_commands_import_nothing_heavy(command):
    code = (
        "import sys\nfrom lab.command.main import main\n"
        f"try: main({command})\nexcept SystemExit: pass\n"
        "print([m for m in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")


@pytest.mark.slow
def test_our_own_tables_and_figures_are_made_from_their_records(tmp_path):
    """All of them, by one command, from nothing but our own runs' records."""
    for folder in ("runs", "rates"):
        shutil.copytree(REFERENCE / folder, tmp_path / folder)
    code = (
        "import sys\nfrom lab.command.main import main\n"
        f"code = main(['tables', '--results', {str(tmp_path)!r}])\n"
        "print(code, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip().splitlines()[-1] == "0 False False"
    files = [f"{name}.{kind}" for name in KEPT for kind in ("csv", "svg")]
    assert [file for file in files if (tmp_path / file).read_bytes() != (REFERENCE / file).read_bytes()] == []


def test_rows_that_are_equal_are_sorted_alike_on_every_processor():
    """By itself NumPy sorts with what vectors the processor has, which decides on the order of equals."""
    free = []
    for file in itertools.chain.from_iterable(
        (ROOT / room).rglob("*.py") for room in ("cnn_models", "demo", "experiments", "lab")
    ):
        for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
            if getattr(call.func, "attr", "") in ("argsort", "sort_values"):
                words = {word.arg: ast.unparse(word.value) for word in call.keywords}
                said = words.get("kind") == "'stable'" or words.get("stable") == "True"  # TensorFlow's word for it
                if not said and not isinstance(call.args[0], ast.List):  # several keys are sorted one after another
                    free.append(f"{file.relative_to(ROOT)}, line {call.lineno}")
    assert free == []


def test_our_own_tables_are_those_of_all_experiments_but_the_pending_ones():
    assert {name for name in NAMES if not (REFERENCE / f"{name}.csv").exists()} == PENDING


@pytest.mark.parametrize("name", KEPT)
def test_a_figure_has_no_id_twice(name):
    ids = re.findall(r' id="([^"]+)"', (REFERENCE / f"{name}.svg").read_text())
    assert len(ids) == len(set(ids))


def test_our_own_pages_are_made_from_the_tables():
    assert (REFERENCE / "README.md").read_text() == reference.page()
    assert all(f"`make {name}`" in reference.page() for name in KEPT)
    results = (ROOT / "docs" / "results.md").read_text()
    assert all(claim.statement in results for claim in CLAIMS.values())


@pytest.mark.parametrize("name", [name for name in KEPT if catalogue.find(name).rates])
def test_each_row_declares_the_learning_rate_that_its_kept_grid_chose(name):
    experiment = catalogue.find(name)
    grid = rates.read(REFERENCE, experiment)
    best = {(row.variant, row.dataset): row.learning_rate for row in grid[grid["chosen"]].itertuples()}
    assert best
    for variant, dataset in best:  # rows in `like` have no grid: they take another row's rate, or one of their own
        settings = experiment.named[variant].settings_on(dataset)
        assert settings.learning_rate == pytest.approx(best[variant, dataset]), (variant, dataset)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.slow
def test_a_table_of_any_single_row_makes_its_figure_or_none(name, tmp_path):
    experiment = catalogue.find(name)
    rows = [(variant, dataset) for variant in experiment.variants for dataset in experiment.datasets_of(variant.name)]
    kinds = enough(experiment)
    for variant, dataset in rows:
        records = Records(tmp_path / f"{variant.name}.{dataset}")
        records.folder(name).mkdir(parents=True)
        files = list((REFERENCE / "runs" / name).glob(f"{variant.name}.{dataset}.*"))
        if not files:  # declared, and not run yet: the table of our own runs has no such row
            kept = REFERENCE / f"{name}.csv"
            assert not kept.exists() or variant.name not in set(pd.read_csv(kept)["variant"])
            continue
        for file in files:
            shutil.copy(file, records.folder(name))
        frame = tables.write(experiment, records)
        assert frame["variant"].tolist() == [variant.name]
        figure = figures.chart(experiment, frame, records)
        if figure and variant.name in kinds and dataset == experiment.datasets_of(variant.name)[0]:
            figure.draw_without_rendering()  # laid out; as a file it is written by the test of our own figures


ONE_ROW_A_VARIANT = [
    "depth-sweep",
    "enough-examples",
    "features",
    "receptive-field",
    "sample-efficiency",
    "shift",
    "stride-vs-pooling",
    "weight-sharing",
]


@pytest.mark.parametrize("name", ONE_ROW_A_VARIANT)
@pytest.mark.slow
def test_a_figure_that_has_one_place_for_a_variant_shows_its_declared_recipe(name, tmp_path):
    experiment, records = catalogue.find(name), Records(tmp_path / "results")
    shutil.copytree(REFERENCE / "runs" / name, records.folder(name))
    frame = tables.write(experiment, records).assign(declared=True)
    values = [column for column in frame if str(column).endswith(("_mean", "_low", "_high"))]
    others = frame.assign(declared=False, specification="0" * 12, **{column: frame[column] / 2 for column in values})
    both = pd.concat([others, frame], ignore_index=True)

    def drawn(of, file):
        figures.save(figures.chart(experiment, of, records), file)
        return file.read_text()

    assert drawn(both, tmp_path / "both.svg") == drawn(frame, tmp_path / "declared.svg")


def test_keeping_what_is_not_there_touches_nothing(tmp_path):
    before = sorted(path.name for path in (REFERENCE / "runs" / "lenet").iterdir())
    with pytest.raises(UsageError, match="make lenet first"):
        reference.keep(catalogue.find("lenet"), tmp_path)
    assert before == sorted(path.name for path in (REFERENCE / "runs" / "lenet").iterdir())
