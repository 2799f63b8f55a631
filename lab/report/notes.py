"""What a reader must know before believing a table, in a line under it; and what tells its rows apart."""

import collections
from collections.abc import Iterator

import pandas as pd

from lab.declare.evidence import MIN_SEEDS
from lab.declare.experiment import Experiment
from lab.report.answers.evidence_rows import deviation_of, lost
from lab.report.language import Number, Said, joined
from lab.report.table.tables import shown


def columns(experiment: Experiment, frame: pd.DataFrame) -> list[str]:
    """The columns of the printed table, and those without which two of its rows look alike."""
    present = shown(experiment, frame)
    telling = [name for name in ("dataset", "deviations") if name in frame and frame[name].nunique(dropna=False) > 1]
    added = [name for name in telling if name not in present]
    return [*present[:1], *added, *present[1:]]


def notes(experiment: Experiment, frame: pd.DataFrame) -> list[str]:
    """Sentences on the data set, epochs, ±, baseline, and what is not judged and why."""
    said = [
        _trained(frame),
        _spread(frame),
        _baseline(experiment, frame),
        *_not_judged(experiment, frame),
        _lost(frame),
    ]
    return [sentence for sentence in said if sentence]


def _trained(frame: pd.DataFrame) -> str:
    """Data sets and epochs, where networks were trained."""
    if "epochs" not in frame or frame["epochs"].isna().all():
        return ""
    least, most = (Number(f"{n:g}") if isinstance(n, int | float) else str(n) for n in _ends(frame["epochs"]))
    if least != most:
        length = Said("{least} to {most} epochs", least=least, most=most)
    else:
        length = Said("{most} epoch", most=most) if most == "1" else Said("{most} epochs", most=most)
    return Said("{datasets}; {length}.", datasets=", ".join(dict.fromkeys(frame["dataset"])), length=length)


def _ends(column: pd.Series) -> tuple[object, object]:
    known = sorted(column.dropna(), key=lambda value: (isinstance(value, str), value))
    return known[0], known[-1]


def _spread(frame: pd.DataFrame) -> str:
    drawn = sampled(frame) and (frame["seeds"] > 1).any()
    return Said("± is half the 95 % interval of the mean over seeds (Student's t).") if drawn else ""


def sampled(frame: pd.DataFrame) -> bool:
    """Whether seeds differ: exact facts are the same in every run, so one is enough, and they have no interval."""
    return any(str(column).endswith("_ci95_high") for column in frame)


def _baseline(experiment: Experiment, frame: pd.DataFrame) -> str:
    compared = [column for column in frame if str(column).endswith("_minus_baseline_mean")]
    names = [name for name in dict.fromkeys(map(experiment.baseline_of, experiment.rows)) if name]
    if not compared or not names:
        return ""
    if names == [experiment.baseline]:
        return Said("Δ: difference from the baseline, {baseline}, paired by seed.", baseline=experiment.baseline)
    if not experiment.baseline:
        return Said("Δ: difference from the row that `comparison` names, paired by seed.")
    return Said(
        "Δ: difference from the baseline, {baseline}, or the row that `comparison` names, paired by seed.",
        baseline=experiment.baseline,
    )


def _not_judged(experiment: Experiment, frame: pd.DataFrame) -> Iterator[str]:
    if experiment.search or frame.empty:  # a search bears on no claim
        return
    by_reason: dict[str, list[str]] = collections.defaultdict(list)
    for _, row in frame.iterrows():
        if reasons := list(_reasons(experiment, row, sampled(frame))):
            by_reason[joined(reasons, ", ")].append(row["variant"])
    for reason, names in by_reason.items():
        who = Said("all rows") if len(names) == len(frame) > 1 else ", ".join(dict.fromkeys(names))
        yield Said("Not judged: {who} ({reason}).", who=who, reason=reason)


def _reasons(experiment: Experiment, row: pd.Series, drawn: bool) -> Iterator[str]:
    if not row["declared"]:
        yield deviation_of(row)
    if row["variant"] in experiment.named and row["dataset"] not in experiment.datasets_of(row["variant"]):
        yield Said("on {dataset}", dataset=row["dataset"])
    if isinstance(starved := row.get("starved"), str):
        yield from map(Said, starved.split(", "))
    if drawn and row["seeds"] < MIN_SEEDS:
        yield Said("{count} of at least {least} seeds", count=row["seeds"], least=MIN_SEEDS)


def _lost(frame: pd.DataFrame) -> str:
    counts = [lost(word, f"{frame[word].sum():.0f}") for word in ("diverged", "failed") if frame[word].sum()]
    return Said("Runs in no mean: {counts}.", counts=joined(counts, ", ")) if counts else ""
