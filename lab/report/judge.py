"""Judging: what an experiment's table says of a claim. Computed from the table, never typed."""

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
from lab.declare.evidence import Evidence, Outcome

COLUMNS = (
    "claim",
    "experiment",
    "verdict",
    "evidence",
    "statement",
    "slide",
    "words",
    "reproduced_if",
    "contradicted_if",
    "literature_for",
    "literature_against",
)


class Verdict(enum.Enum):
    """What a table says of one claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly"
    CONTRADICTED = "contradicted"
    NOT_JUDGED = "not judged"


def judge(evidence: Evidence, table: "pd.DataFrame") -> tuple[Verdict, str]:
    """The verdict on a claim, and its evidence: each statement with its outcome and numbers.

    Args:
        evidence: the claim's parts.
        table: rows of the declared recipe, indexed by variant, see `lab.report.tables.judged`.
    """
    findings = [part.judge(table) for part in evidence.parts]
    words = "; ".join(
        f"{part.statement}: {finding.outcome.value} ({finding.numbers})"
        for part, finding in zip(evidence.parts, findings, strict=True)
    )
    return verdict([finding.outcome for finding in findings]), words


def verdict(outcomes: list[Outcome]) -> Verdict:
    """All hold: reproduced; all fail: contradicted; something missing: not judged; else partly."""
    found = set(outcomes)
    if not found or Outcome.MISSING in found:
        return Verdict.NOT_JUDGED
    if found == {Outcome.HOLDS}:
        return Verdict.REPRODUCED
    return Verdict.CONTRADICTED if found == {Outcome.FAILS} else Verdict.PARTLY
