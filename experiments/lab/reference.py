"""Keeps our own runs: their records, tables and figures under results/reference, and what they say in Markdown.

`results/reference/README.md` and the ledger between two marks of the project's README are written
here, never by hand.
"""

import re
import shutil
from pathlib import Path

import pandas as pd

from experiments.lab import catalogue, console, tables, verdicts
from experiments.lab.ledger import CLAIMS
from experiments.lab.spec import Experiment, UsageError

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
BEGIN, END = "<!-- ledger -->", "<!-- end of ledger -->"
SHOWN = "#look-inside-a-trained-network"  # where the README says how to start what shows a claim
HEAD = """# What came out

Our own runs, five seeds each where something is drawn (`image-to-image` three, a trial of `tune` one), on two
cores of an AMD EPYC; the records are in `runs/`, the verdicts with their evidence in `claims.csv`, the meaning
of columns in [the page above](../README.md). ± is half the 95 % interval of the mean over seeds (Student's t). Other
work ran on the machine meanwhile, so seconds are longer than on a quiet one. This page is written from the
tables by `python -m experiments keep`."""


def keep(experiment: Experiment, results: Path) -> None:
    """Copies an experiment's records, without networks, its table and its figure; renews ledger and README.

    Raises:
        UsageError: the results hold no such study; what was kept before stays.
    """
    if not (results / f"{experiment.name}.csv").exists():  # before what is kept is touched
        raise UsageError(f"{results} holds no table of {experiment.name}: make {experiment.name} first.")
    kept = REFERENCE / "runs" / experiment.name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for ending in ("json", "npz"):
        for file in sorted((results / "runs" / experiment.name).glob(f"*.{ending}")):
            shutil.copy(file, kept)
    for ending in ("csv", "svg"):
        shutil.copy(results / f"{experiment.name}.{ending}", REFERENCE)
    verdicts.write(REFERENCE)
    write_pages()


def write_pages() -> None:
    """Writes what is kept as Markdown: a page of all tables and figures, and the ledger in the README."""
    (REFERENCE / "README.md").write_text(page())
    readme = ROOT / "README.md"
    readme.write_text(with_ledger(readme.read_text(), tables.read(REFERENCE / "claims.csv")))


def page() -> str:
    """All experiments that are kept, each with its question, table, figure and what surprised."""
    sections = [
        _section(experiment) for experiment in catalogue.whole() if (REFERENCE / f"{experiment.name}.csv").exists()
    ]
    return "\n\n".join([HEAD, *sections]) + "\n"


def _section(experiment: Experiment) -> str:
    frame = tables.read(REFERENCE / f"{experiment.name}.csv")
    words = [experiment.reading, experiment.surprises and f"**What surprised.** {experiment.surprises}"]
    return "\n\n".join(
        [
            f"## {experiment.question}",
            f"`make {experiment.name}`. Expected: {experiment.expectation}",
            markdown(experiment, frame),
            f"![{experiment.question}]({experiment.name}.svg)",
            *(text for text in words if text),
        ]
    )


def with_ledger(readme: str, claims: pd.DataFrame) -> str:
    """The README with the verdicts on all claims between its two marks."""
    lines = ["| claim of the lecture | verdict, by experiment |", "| --- | --- |"]
    for claim, rows in claims.groupby("claim", sort=False):
        judged = rows.dropna(subset="experiment")
        verdicts_ = ", ".join(f"{row.experiment}: *{row.verdict}*" for row in judged.itertuples())
        command = CLAIMS[str(claim)].shown_by
        shown = command and f"shown, not measured: [`{command}`]({SHOWN})"
        lines.append(f"| {rows['statement'].iloc[0]} | {verdicts_ or shown or 'no experiment yet'} |")
    table = "\n".join([BEGIN, *lines, END])
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: table, readme, flags=re.DOTALL)


def markdown(experiment: Experiment, frame: pd.DataFrame) -> str:
    """The experiment's printed columns as a Markdown table, rounded for reading."""
    columns = [column for column in experiment.columns if column in frame]
    lines = [[console.heading(column) for column in columns], ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [[console.cell(row, column) for column in columns] for _, row in frame.iterrows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
