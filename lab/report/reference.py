"""Keeps our own runs: their records, tables and figures under results/reference, and what they say in Markdown.

`results/reference/README.md`, and the parts between marks of README.md and docs/ (see `lab.report.blocks`), are written
here, never by hand.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pandas as pd

from lab.declare import catalogue
from lab.declare.experiment import Experiment
from lab.errors import UsageError
from lab.report import blocks, notes, printing, refresh, summary
from lab.report.answers import ledger
from lab.report.table import rates, tables
from lab.store.files import sole_writer, sync, write_whole
from lab.store.records import REFERENCE, Records

ROOT = Path(__file__).parents[2]
HEAD = """# What came out

Our own runs, on two cores of an AMD EPYC (where a column `devices` says `gpu:1`, on an NVIDIA H100), with as many
seeds as the column `seeds` says (mostly five; some rows have more); the records are in `runs/`, each
seed's values in `seeds/`, the answers to the lecture's claims in `claims.csv` and `statements.csv`, the meaning of
columns in [the page above](../README.md). ± is half the 95 % interval of the mean over seeds (Student's t). Other work
ran on the machine meanwhile, so seconds are longer than on a quiet one. This page is written from the tables by
`python -m experiments keep`."""


def keep(experiment: Experiment, results: Path, reference: Path = REFERENCE, root: Path = ROOT) -> None:
    """Copies an experiment's records, without networks, its table and its figure; renews ledger and pages.

    With them go the records and the table of the runs that chose its learning rates, where these are in the results.
    All is made and verified beside what was kept before, which is replaced only then.

    Args:
        experiment: what to keep.
        results: where it was run.
        reference: the folder that keeps it.
        root: the folder of README.md and docs/, which have parts made of the tables.

    Raises:
        UsageError: the results hold no such study, or not the whole of it; what was kept before stays.
    """
    if results.resolve() == reference.resolve():
        raise UsageError(f"{results} is what is kept: name the folder that {experiment.name} was run in, by --results.")
    if not (results / f"{experiment.name}.csv").exists():
        raise UsageError(f"{results} holds no table of {experiment.name}: make {experiment.name} first.")
    with sole_writer(results), sole_writer(reference), tempfile.TemporaryDirectory(dir=reference) as scratch:
        copy = Records(Path(scratch))
        chosen = rates.path(results, experiment.name).exists()
        if chosen:  # first, as the table of the runs says which rates lie at an edge
            _copy_rates(experiment, results, copy.results)
        _copy(experiment, Records(results), copy)
        _check(experiment, results, copy, reference)
        if chosen:
            _replace_records(experiment, copy.results / rates.FOLDER, reference / rates.FOLDER)
            os.replace(rates.path(copy.results, experiment.name), rates.path(reference, experiment.name))
        _replace_records(experiment, copy.results, reference)
        for path in (Path(f"{experiment.name}.csv"), Path(f"{experiment.name}.svg"), _seeds(experiment)):
            (reference / path).parent.mkdir(exist_ok=True)
            os.replace(copy.results / path, reference / path)
        ledger.write(reference)
        summary.write(reference)
        write_pages(reference, root)


def _seeds(experiment: Experiment) -> Path:
    return tables.seeds_path(Path(), experiment.name)


def _copy(experiment: Experiment, results: Records, copy: Records) -> None:
    """Copies all records, verified, and the arrays beside them."""
    copy.folder(experiment.name).mkdir(parents=True)
    for file, record in results.files(experiment.name):
        shutil.copy(file, copy.folder(experiment.name))
        if "arrays" in record.attached:
            try:
                shutil.copy(results.attachment(record, "arrays"), copy.folder(experiment.name))
            except OSError as error:
                raise UsageError(
                    f"The arrays beside {file} are gone or damaged ({error.strerror or error}): "
                    f"make {experiment.name} with FORCE=1, then keep it."
                ) from error


def _copy_rates(experiment: Experiment, results: Path, copy: Path) -> None:
    """Copies the records of the runs that chose the learning rates, and makes their table anew."""
    _copy(experiment, Records(results / rates.FOLDER), Records(copy / rates.FOLDER))
    rates.write(experiment, copy)
    _refuse_another(results, rates.path(results, experiment.name), rates.path(copy, experiment.name))


def _check(experiment: Experiment, results: Path, copy: Records, reference: Path) -> None:
    """Makes table and figure of the copy, and refuses it where they are not those that were seen before."""
    _, figure = refresh.write(experiment, copy)
    table = results / f"{experiment.name}.csv"
    _refuse_another(results, table, copy.results / table.name)
    _refuse_loss(experiment, tables.read_of(experiment, table), reference)
    if figure is None:
        raise UsageError(f"{table} has nothing that a figure could show: make {experiment.name} first.")


def _refuse_loss(experiment: Experiment, table: pd.DataFrame, reference: Path) -> None:
    """Refuses a table that lacks a declared row which is kept already, on its data set."""
    kept = reference / f"{experiment.name}.csv"
    if not kept.exists():
        return
    before, now = (
        set(zip(one["variant"], one["dataset"], strict=True)) for one in (_declared(experiment, kept), table)
    )
    if lost := sorted(f"{variant} on {dataset}" for variant, dataset in before - now):
        raise UsageError(
            f"{experiment.name} was not run whole: {', '.join(lost)} would be lost from {reference}. Run make "
            f"{experiment.name} without VARIANTS, and keep it then."
        )


def _declared(experiment: Experiment, table: Path) -> pd.DataFrame:
    """The rows of a kept table that the experiment still has."""
    frame = tables.read_of(experiment, table)
    return frame[frame["variant"].isin(experiment.rows)]


def _refuse_another(results: Path, table: Path, made_anew: Path) -> None:
    """Refuses a table that is not the one that its records give."""
    if made_anew.read_bytes() != table.read_bytes():
        raise UsageError(
            f"{table} is not what its records give, so nothing is kept: make the tables of {results} anew "
            f"(make tables RESULTS={results}), and keep it when the new table is right."
        )


def _replace_records(experiment: Experiment, new: Path, old: Path) -> None:
    """Puts the records of an experiment in one folder of results in the place of those in another."""
    _replace(Records(new).folder(experiment.name), Records(old).folder(experiment.name))


def _replace(new: Path, old: Path) -> None:
    """Puts a folder in another's place; a kill in between leaves the old one beside it, for the next call to find."""
    aside = old.with_name(f".old-{old.name}")
    old.parent.mkdir(parents=True, exist_ok=True)
    if aside.exists() and not old.exists():
        os.replace(aside, old)
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        os.replace(old, aside)
    try:
        os.replace(new, old)
    except BaseException:
        if aside.exists():
            os.replace(aside, old)
        raise
    sync(old.parent)
    shutil.rmtree(aside, ignore_errors=True)


def write_pages(reference: Path = REFERENCE, root: Path = ROOT) -> None:
    """Writes what is kept as Markdown: a page of all tables and figures, and the parts of README.md and docs/."""
    blocks.write_minutes(reference)
    texts = {reference / "README.md": page(reference)}
    texts |= {path: blocks.renewed(path.read_text(), reference) for path in blocks.pages(root)}
    for path, text in texts.items():
        write_whole(path, lambda part, text=text: part.write_text(text))  # type: ignore[misc]


def page(reference: Path = REFERENCE) -> str:
    """All experiments that are kept, each with its question, table, figure and what surprised."""
    sections = [
        _section(experiment, reference)
        for experiment in catalogue.whole()
        if (reference / f"{experiment.name}.csv").exists()
    ]
    return "\n\n".join([HEAD, *sections]) + "\n"


def _section(experiment: Experiment, reference: Path) -> str:
    frame = tables.read_of(experiment, reference / f"{experiment.name}.csv")
    words = [experiment.reading, experiment.surprises and f"**What surprised.** {experiment.surprises}"]
    return "\n\n".join(
        [
            f"## {experiment.question}",
            f"`make {experiment.name}`. Expected: {experiment.expectation}",
            printing.markdown(frame, notes.columns(experiment, frame), experiment),
            f"![{experiment.question}]({experiment.name}.svg)",
            *(text for text in words if text),
            *_learning_rates(experiment, reference),
        ]
    )


def _learning_rates(experiment: Experiment, reference: Path) -> list[str]:
    """The table by which the learning rates were chosen, behind a line to click on; nothing where there is none."""
    shown = rates.side_by_side(reference, experiment)
    if shown is None:
        return []
    head = f"<details><summary>{rates.TITLE}</summary>"
    return [head, printing.markdown(shown, [*map(str, shown)]), rates.READING, "</details>"]
