"""All that the report may say, for its translators: `python -m tests.support.catalogues` brings catalogues up to date.

What is new gets an empty place, what is no longer said goes, and what is translated stays.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.report import language, printing, summary
from lab.report.answers.judge import Estimate, Outcome, measure_words, unit
from lab.report.page import MARKS
from lab.report.table import starvation

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "lab" / "report"


def messages():
    """Every text that a catalogue has to have, in the order of the page: of the template, of claims, of experiments."""
    found = [*_extracted(), *(verdict.value for verdict in MARKS), *(outcome.value for outcome in Outcome)]
    found += [starvation.STILL, starvation.UNDERFIT, starvation.EDGE]
    for claim in CLAIMS.values():
        found += [claim.statement, claim.unjudged]
    for experiment in catalogue.whole():
        found += [experiment.question, experiment.expectation, experiment.reading, experiment.surprises]
        for evidence in experiment.evidence:
            found += _of_evidence(evidence)
        found += _headings(experiment)
    found += [printing.heading(column).template for column in summary.PRINTED]
    return list(dict.fromkeys(filter(None, found)))


def _extracted():
    """What the template and the modules of the report say."""
    for file in sorted(REPORT.rglob("*.py")):
        for _, text, _, _ in extract_from_file("python", file, keywords={"Said": None}):
            yield text
    for _, text, _, _ in extract_from_file("jinja2.ext:babel_extract", REPORT / "report.html.jinja", {"_": None}):
        yield text


def _of_evidence(evidence):
    quantities = [*evidence.answer.quantities.values()]
    quantities += [bound.of for statement in (*evidence.core, *evidence.limits) for bound in statement.bounds]
    yield from (evidence.answer.template, evidence.checked, evidence.rules)
    yield from (evidence.literature_for, evidence.literature_against)
    yield from (statement.words for statement in (*evidence.core, *evidence.limits))
    for quantity in quantities:
        yield measure_words(quantity)
        yield Estimate(1, 1, 1, 0, unit(quantity)).said().template


def _headings(experiment):
    """Headings of the columns that its printed table can have, and of the measures that these compare."""
    for column in ("variant", "dataset", "deviations", "chosen", *experiment.columns):
        heading = printing.heading(column, experiment)
        yield heading.template
        yield from _inside(heading)


def _inside(said):
    for value in said.values.values():
        if isinstance(value, language.Said):
            yield value.template
            yield from _inside(value)


def read(code):
    """A catalogue as it is kept; an empty one where there is none."""
    path = language.CATALOGUES / f"{code}.po"
    if not path.exists():
        return Catalog(code)
    with path.open("rb") as file:
        return read_po(file, code)


def renewed(code):
    """A catalogue with a place for every message, and none for others."""
    kept = read(code)
    new = Catalog(code, fuzzy=False)
    for message in messages():
        found = kept.get(message)
        new.add(message, found.string if found else "")
    return new


def write(code):
    """Brings the catalogue of a language up to date."""
    made = renewed(code)  # from the file, which opening it empties
    with (language.CATALOGUES / f"{code}.po").open("wb") as file:
        write_po(file, made, width=110, no_location=True, omit_header=True)


if __name__ == "__main__":
    for code in {"ru", *language.codes()} - {language.SOURCE}:
        write(code)
