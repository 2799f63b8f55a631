"""Keeping a study: all of it, or what was kept before stays to the last byte."""

import shutil
from pathlib import Path

import pytest

from lab.declare import catalogue
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.report import blocks, reference, refresh
from lab.report.table import csv_files, rates, tables
from lab.store.records import Records

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "results" / "reference"
FILTERS = catalogue.find("filters")  # whose records have arrays beside them


@pytest.fixture
def study(tmp_path):
    """A folder of results that holds a whole study, with what else may lie there."""
    folder = tmp_path / "results" / "runs" / "filters"
    shutil.copytree(KEPT / "runs" / "filters", folder)
    refresh.write(FILTERS, Records(tmp_path / "results"))
    record = next(folder.glob("*.json"))
    for name in (f".part-{record.name}", f".part-{record.stem}.npz", f"{record.stem}.keras", "left.npz"):
        (folder / name).write_bytes(b"of no record")
    (folder / f"{record.name}.set-aside").write_bytes(b"damaged")
    return tmp_path / "results"


@pytest.fixture
def kept(tmp_path):
    """What was kept before: one row of the same study, and two tables of others."""
    folder = tmp_path / "reference"
    (folder / "runs" / "filters").mkdir(parents=True)
    for file in sorted((KEPT / "runs" / "filters").iterdir())[:2]:
        shutil.copy(file, folder / "runs" / "filters")
    for name in ("filters.csv", "filters.svg", "gradients.csv", "claims.csv"):
        shutil.copy(KEPT / name, folder)
    shutil.copy(ROOT / "README.md", tmp_path)
    reference.write_pages(folder, tmp_path)
    return folder


def content(folder):
    """All files but locks, which stay empty."""
    found = {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {path: data for path, data in found.items() if path.name != ".tables.lock"}


def keep(study, kept):
    reference.keep(FILTERS, study, kept, kept.parent)


def test_a_whole_study_is_kept_without_parts_networks_and_what_no_record_names(study, kept):
    keep(study, kept)
    names = {path.name for path in (kept / "runs" / "filters").iterdir()}
    assert names == {path.name for path in (KEPT / "runs" / "filters").iterdir()}
    assert (kept / "filters.csv").read_bytes() == (study / "filters.csv").read_bytes()
    assert (kept / "filters.svg").stat().st_size > 1_000
    assert [path.name for path in (kept / "runs").iterdir()] == ["filters"]
    assert (kept / "README.md").read_text() == reference.page(kept)
    assert "| reproduced | The edge kernel gives 0 on flat areas" in (kept.parent / "README.md").read_text()
    assert sorted(path.name for path in kept.iterdir() if path.is_dir()) == ["runs", "seeds"]


def choose_rates(study, accuracies):
    """Records and table of runs that chose a learning rate, in a folder of results: accuracies by rate."""
    records = Records(study / rates.FOLDER)
    records.folder("filters").mkdir(parents=True)
    for rate, accuracy in accuracies.items():
        run = Run("filters", "edge", "mnist", Training("linear", learning_rate=rate), 100)
        metrics = {"validation_accuracy": accuracy, "train_seconds": 1800.0}
        records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    rates.write(FILTERS, study)


def test_with_a_study_goes_how_its_learning_rates_were_chosen(study, kept):
    choose_rates(study, {0.001: 0.9, 0.003: 0.95, 0.01: 0.875})
    keep(study, kept)
    assert len(Records(kept / rates.FOLDER).of("filters")) == 3
    assert rates.path(kept, "filters").read_bytes() == rates.path(study, "filters").read_bytes()
    page = (kept / "README.md").read_text()
    assert "| variant | dataset | chosen | 0.001 | 0.003 | 0.01 |" in page
    assert "| edge | mnist | 0.003 | 10.00 | 5.00 | 12.50 |" in page
    assert "| filters | 0 | 0.0 | 3 | 1.5 |" in blocks.hours(kept)
    shutil.rmtree(study / rates.FOLDER)
    keep(study, kept)  # results without them leave those that are kept
    assert len(Records(kept / rates.FOLDER).of("filters")) == 3


def minutes_of(name, folder):
    blocks.write_minutes(folder)
    frame = csv_files.read(folder / "minutes.csv").set_index("experiment")
    return frame["minutes_on_two_cores"].astype(str)[name]


def test_one_run_that_was_suspended_for_a_day_does_not_decide_how_long_an_experiment_takes(tmp_path):
    seeds = csv_files.read(tables.seeds_path(KEPT, "relearning"))
    copy = tables.seeds_path(tmp_path, "relearning")
    copy.parent.mkdir()
    csv_files.write(seeds, copy)
    usual = minutes_of("relearning", tmp_path)
    seeds.loc[0, "train_seconds"] += 86_400
    csv_files.write(seeds, copy)
    assert usual not in ("0", blocks.UNMEASURED)
    assert minutes_of("relearning", tmp_path) == usual


def damage_rates(folder):
    choose_rates(folder, {0.001: 0.9})
    file = next((folder / rates.FOLDER).glob("runs/filters/*.json"))
    file.write_bytes(file.read_bytes()[:-1])


def damage_record(folder):
    file = sorted(folder.glob("runs/filters/[!.]*.json"))[0]
    file.write_bytes(file.read_bytes()[:-1])


def lose_record(folder):
    sorted(folder.glob("runs/filters/[!.]*.json"))[0].unlink()


def damage_arrays(folder):
    file = sorted(folder.glob("runs/filters/[!.l]*.npz"))[0]
    file.write_bytes(file.read_bytes()[:-1])


def lose_arrays(folder):
    sorted(folder.glob("runs/filters/[!.l]*.npz"))[0].unlink()


def lose_row(folder):
    """Runs of some rows alone, though all are kept."""
    for file in folder.glob("runs/filters/edges*"):
        file.unlink()
    refresh.write(FILTERS, Records(folder))


def change_table(folder):
    text = (folder / "filters.csv").read_text()
    (folder / "filters.csv").write_text(text.replace("mnist", "digits").replace("0.5", "0.4"))


def lose_table(folder):
    (folder / "filters.csv").unlink()


@pytest.mark.parametrize(
    "harm", [damage_rates, damage_record, lose_record, damage_arrays, lose_arrays, lose_row, change_table, lose_table]
)
def test_a_study_that_is_not_whole_leaves_what_was_kept_to_the_last_byte(study, kept, harm):
    before, page = content(kept), (kept.parent / "README.md").read_bytes()
    harm(study)
    with pytest.raises(UsageError, match="filters"):
        keep(study, kept)
    assert content(kept) == before
    assert (kept.parent / "README.md").read_bytes() == page


def test_what_is_kept_is_not_kept_of_itself(kept):
    before = content(kept)
    with pytest.raises(UsageError, match="is what is kept"):
        keep(kept, kept)
    assert content(kept) == before


def test_a_study_of_nothing_but_failures_is_not_kept(tmp_path, kept):
    records = Records(tmp_path / "results")
    lenet = catalogue.find("lenet")
    variant = lenet.variants[0]
    records.save_failed(Run("lenet", variant.name, "mnist", variant.settings, 0), "MemoryError", "")
    refresh.write(lenet, records)
    before = content(kept)
    with pytest.raises(UsageError, match="nothing that a figure could show"):
        reference.keep(lenet, tmp_path / "results", kept, kept.parent)
    assert content(kept) == before


def test_what_a_kill_left_aside_is_put_back_before_it_is_replaced(study, kept):
    (kept / "runs" / "filters").rename(kept / "runs" / ".old-filters")
    keep(study, kept)
    assert [path.name for path in (kept / "runs").iterdir()] == ["filters"]
