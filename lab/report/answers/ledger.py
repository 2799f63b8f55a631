"""The ledger: every claim of the lecture with its answer, from the tables in a results folder.

`claims.csv` has one row a claim, `statements.csv` one row a bound of a statement.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lab.declare import catalogue
from lab.declare.claims import CLAIMS, Claim
from lab.declare.evidence import Comparison, Identity
from lab.declare.experiment import Experiment
from lab.report.answers import evidence_rows
from lab.report.answers.judge import Compared, Finding, Judged, Outcome, Verdict, judged, verdict
from lab.report.language import joined
from lab.report.table import csv_files

CLAIM_COLUMNS = (
    "claim",
    "slide",
    "words",
    "statement",
    "verdict",
    "answer",
    "further_answers",
    "checked",
    "limits",
    "reason",
    "experiments",
    "rules",
    "literature_for",
    "literature_against",
)
STATEMENT_COLUMNS = (
    *("claim", "experiment", "kind", "statement", "outcome"),
    *(
        "quantity",
        "variant",
        "than",
        "measure",
        "mean",
        "ci95_low",
        "ci95_high",
        "seeds",
        "relation",
        "bound",
        "reason",
    ),
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One claim with what each experiment says of it.

    Attributes:
        name: the claim's name.
        claim: what the slide says.
        judged: one an experiment that bears on it; the leading one first, others in the lecture's order.
    """

    name: str
    claim: Claim
    judged: tuple[Judged, ...]

    @property
    def deciding(self) -> tuple[Judged, ...]:
        """The experiments whose core statements are all judged; the others are named in `reason`."""
        return tuple(one for one in self.judged if one.verdict is not Verdict.NOT_JUDGED)

    @property
    def verdict(self) -> Verdict:
        """By the core statements of all deciding experiments together."""
        return verdict([finding for one in self.deciding for finding in one.core])

    @property
    def answers(self) -> list[str]:
        """A sentence with its numbers from each deciding experiment; the first answers the claim."""
        return [one.answer for one in self.deciding if one.answer]

    @property
    def limits(self) -> tuple[Finding, ...]:
        """Where the claim was found to stop holding."""
        found = (finding for one in self.judged for finding in one.limits)
        return tuple(finding for finding in found if finding.outcome is Outcome.HOLDS)

    @property
    def reason(self) -> str:
        """Why it is not judged, or which of its experiments do not count and why."""
        if not self.judged:
            return self.claim.unjudged
        whose = [joined([one.experiment, one.reason], ": ") for one in self.judged if one.reason]
        return joined(whose, "; ")


def entries(results: Path) -> list[Entry]:
    """Judges every claim, in the lecture's order."""
    found: dict[str, list[Judged]] = {name: [] for name in CLAIMS}
    for experiment in catalogue.whole():
        if experiment.evidence:
            of_experiment = evidence_rows.read(experiment, results)
            for evidence in experiment.evidence:
                found[evidence.claim].append(judged(experiment.name, evidence, of_experiment))
    return [Entry(name, CLAIMS[name], _leading_first(CLAIMS[name].leading, says)) for name, says in found.items()]


def _leading_first(leading: str, says: Sequence[Judged]) -> tuple[Judged, ...]:
    return tuple(sorted(says, key=lambda one: one.experiment != leading))


def answers(experiment: Experiment, results: Path) -> Iterator[str]:
    """What an experiment's own rows answer, a line a claim and a line a limit, for reading."""
    if not experiment.evidence:
        return
    of_experiment = evidence_rows.read(experiment, results)
    for evidence in experiment.evidence:
        one = judged(experiment.name, evidence, of_experiment)
        said = one.answer if one.verdict is not Verdict.NOT_JUDGED else one.reason
        yield f"{CLAIMS[evidence.claim].statement.rstrip('.')}: {one.verdict.value}. {said}"
        for finding in one.limits:
            if finding.outcome is Outcome.HOLDS:
                yield f"  limit: {finding.statement.words}."


def write(results: Path) -> list[Entry]:
    """Writes `claims.csv` and `statements.csv` into a results folder, and returns what they say."""
    judged_claims = entries(results)
    csv_files.write(claims(judged_claims), results / "claims.csv")
    csv_files.write(statements(judged_claims), results / "statements.csv")
    return judged_claims


def claims(judged_claims: Sequence[Entry]) -> pd.DataFrame:
    """One row a claim."""
    return pd.DataFrame([_claim(entry) for entry in judged_claims], columns=list(CLAIM_COLUMNS))


def statements(judged_claims: Sequence[Entry]) -> pd.DataFrame:
    """One row a bound of a statement."""
    lines = (line for entry in judged_claims for one in entry.judged for line in _statements(entry.name, one))
    return pd.DataFrame(list(lines), columns=list(STATEMENT_COLUMNS))


def _claim(entry: Entry) -> dict[str, str]:
    evidence = [one.evidence for one in entry.judged]
    return {
        "claim": entry.name,
        "slide": entry.claim.slide,
        "words": entry.claim.words,
        "statement": entry.claim.statement,
        "verdict": entry.verdict.value,
        "answer": "".join(entry.answers[:1]),
        "further_answers": " ".join(entry.answers[1:]),
        "checked": " ".join(each.checked for each in evidence),
        "limits": " ".join(f"{finding.statement.words}." for finding in entry.limits),
        "reason": entry.reason,
        "experiments": " ".join(one.experiment for one in entry.judged),
        "rules": " ".join(dict.fromkeys(each.rules for each in evidence)),
        "literature_for": " ".join(each.literature_for for each in evidence if each.literature_for),
        "literature_against": " ".join(each.literature_against for each in evidence if each.literature_against),
    }


def _statements(claim: str, one: Judged) -> Iterator[dict[str, Any]]:
    """A line for each bound of each statement."""
    for kind, findings in (("core", one.core), ("limit", one.limits)):
        for finding in findings:
            line = {
                "claim": claim,
                "experiment": one.experiment,
                "kind": "identity" if isinstance(finding.statement, Identity) else kind,
                "statement": finding.statement.words,
                "outcome": finding.outcome.value,
            }
            yield from (line | _compared(compared) for compared in finding.compared)


def _compared(compared: Compared) -> dict[str, Any]:
    of, found = compared.bound.of, compared.found
    numbers = {} if found is None else {"mean": found.mean, "ci95_low": found.low, "ci95_high": found.high}
    return {
        "quantity": type(of).__name__.lower(),
        "variant": of.variant,
        "than": of.than if isinstance(of, Comparison) else "",
        "measure": of.measure,
        **numbers,
        "seeds": found.seeds if found else 0,
        "relation": compared.bound.relation,
        "bound": compared.bound.value,
        "reason": compared.reason,
    }
