"""The ledger with its verdicts: every claim of the lecture, judged from the tables in a results folder."""

from pathlib import Path

import pandas as pd

from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.declare.evidence import Evidence
from lab.declare.experiment import Experiment
from lab.report import tables
from lab.report.judge import COLUMNS, Verdict, judge


def write(results: Path) -> pd.DataFrame:
    """Writes `results/claims.csv` and returns it: one row a claim and experiment, in the lecture's order."""
    frame = ledger(results)
    tables.write_csv(frame, results / "claims.csv")
    return frame


def ledger(results: Path) -> pd.DataFrame:
    """Judges every claim. One that no experiment bears on, or whose table is not there, is "not judged"."""
    found = {name: [] for name in CLAIMS}  # type: dict[str, list[dict[str, str]]]
    for experiment in catalogue.whole():
        table = _table(experiment, results)
        for evidence in experiment.evidence:
            verdict, words = judge(evidence, table)
            found[evidence.claim].append(_line(evidence.claim, experiment.name, verdict, words, evidence))
    for claim, lines in found.items():
        if not lines:
            shown_by = CLAIMS[claim].shown_by
            words = f"shown, not measured: {shown_by}" if shown_by else "no experiment yet"
            lines.append(_line(claim, "", Verdict.NOT_JUDGED, words, None))
    return pd.DataFrame([line for lines in found.values() for line in lines], columns=list(COLUMNS))


def _table(experiment: Experiment, results: Path) -> pd.DataFrame:
    path = results / f"{experiment.name}.csv"
    return tables.judged(experiment, tables.read_of(experiment, path)) if path.exists() else pd.DataFrame()


def _line(claim: str, experiment: str, verdict: Verdict, words: str, evidence: Evidence | None) -> dict[str, str]:
    said = CLAIMS[claim]
    return {
        "claim": claim,
        "experiment": experiment,
        "verdict": verdict.value,
        "evidence": words,
        "statement": said.statement,
        "slide": said.slide,
        "words": said.words,
        "reproduced_if": evidence.reproduced_if if evidence else "",
        "contradicted_if": evidence.contradicted_if if evidence else "",
        "literature_for": evidence.literature_for if evidence else "",
        "literature_against": evidence.literature_against if evidence else "",
    }
