"""The report: one HTML file that holds everything and asks no other host for anything.

It is made from a results folder alone: tables, figures and answers, in any language that has a catalogue; figures,
names of rows and what deviates from a declaration stay in English. Nothing here imports TensorFlow.
"""

import collections
import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import jinja2

from lab.declare import catalogue
from lab.declare.experiment import Experiment
from lab.report import notes, printing, summary
from lab.report.answers import ledger
from lab.report.answers.judge import Verdict
from lab.report.answers.ledger import Entry
from lab.report.language import ENGLISH, SOURCE, Language
from lab.report.table import rates, tables
from lab.store.files import sole_writer, write_whole

MARKS = {
    Verdict.CONSTRUCTED: "≡",
    Verdict.REPRODUCED: "✓",
    Verdict.CONTRADICTED: "✗",
    Verdict.MIXED: "◐",
    Verdict.UNDECIDED: "?",
    Verdict.NOT_JUDGED: "–",
}


@dataclasses.dataclass(frozen=True)
class Shown:
    """A table as it is read, not as it is computed."""

    head: list[str]
    body: list[list[str]]


@dataclasses.dataclass(frozen=True)
class Section:
    """One experiment of the report."""

    experiment: Experiment
    table: Shown
    rates: Shown | None
    figure: str
    notes: list[str]


def write(results: Path, language: Language = ENGLISH) -> Path:
    """Writes `results/report.html`, or `report-CODE.html`, and the ledger beside it; returns the report's path."""
    entries = ledger.write(results)
    experiments = list(catalogue.whole())
    sections = {one.name: _section(one, results, language) for one in experiments if _path(one, results).exists()}
    page = _template(language).render(
        language=language.code,
        entries=entries,
        networks=_networks(results, language),
        networks_figure=_figure(results, "summary"),
        counts=collections.Counter(entry.verdict for entry in entries),
        pictured=pictured(entries, sections),
        sections=sections,
        waiting=[experiment for experiment in experiments if experiment.name not in sections],
        marks=MARKS,
        rates=rates,
    )
    path = results / ("report.html" if language.code == SOURCE else f"report-{language.code}.html")
    with sole_writer(results):
        write_whole(path, lambda part: part.write_text(page, encoding="utf-8"))
    return path


def pictured(entries: Sequence[Entry], sections: Iterable[str]) -> dict[str, str]:
    """The experiment whose figure each claim shows: the first that bears on it and that no claim before it shows."""
    shown: dict[str, str] = {}
    for entry in entries:
        for judged in entry.judged:
            if judged.experiment in sections and judged.experiment not in shown.values():
                shown[entry.name] = judged.experiment
                break
    return shown


def _section(experiment: Experiment, results: Path, language: Language) -> Section:
    frame = tables.read_of(experiment, _path(experiment, results))
    table = Shown(*printing.as_read(frame, notes.columns(experiment, frame), experiment, language))
    chosen = _learning_rates(experiment, results, language)
    return Section(experiment, table, chosen, _figure(results, experiment.name), notes.notes(experiment, frame))


def _learning_rates(experiment: Experiment, results: Path, language: Language) -> Shown | None:
    """The table by which the rows' learning rates were chosen; None where there is none."""
    shown = rates.side_by_side(results, experiment)
    return None if shown is None else Shown(*printing.as_read(shown, [*map(str, shown)], language=language))


def _networks(results: Path, language: Language) -> list[tuple[str, Shown]]:
    """The summary of all networks, in parts with their titles."""
    parts = summary.groups(summary.write(results))
    return [
        (title, Shown(*printing.as_read(rows, summary.printed_columns(rows), language=language)))
        for title, rows in parts
    ]


def _figure(results: Path, name: str) -> str:
    """The figure of this name as part of the page; nothing where there is none."""
    path = results / f"{name}.svg"
    return _inline(path.read_text(encoding="utf-8"), name) if path.exists() else ""


def _path(experiment: Experiment, results: Path) -> Path:
    return results / f"{experiment.name}.csv"


def _inline(svg: str, name: str) -> str:
    """A figure of ours as part of the page: without its XML head, with ids that no other figure has."""
    body = svg[svg.index("<svg") :]
    for mark in ('id="', 'href="#', "url(#"):
        body = body.replace(mark, f"{mark}{name}-")
    return body


def _template(language: Language) -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["parts"] = parts
    environment.filters["say"] = language.say
    environment.globals["_"] = lambda template, **values: language.filled(language.translated(template), values)
    return environment.get_template("report.html.jinja")


def parts(text: str) -> list[tuple[str, bool]]:
    """An answer in parts, and whether each is an interval in brackets: set apart, the numbers are read first."""
    return [(part, bool(number % 2)) for number, part in enumerate(re.split(r"(\[[^\]]*\])", text)) if part]
