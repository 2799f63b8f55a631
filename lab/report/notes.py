"""What a reader must know before believing a table, in a line under it; and what tells its rows apart."""

import collections
from collections.abc import Iterator

import pandas as pd

from lab.declare.evidence import MIN_SEEDS
from lab.declare.experiment import Experiment
from lab.report.answers.evidence_rows import deviation_of
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
    least, most = (f"{value:g}" if isinstance(value, int | float) else value for value in _ends(frame["epochs"]))
    unit = "epoch" if most == "1" else "epochs"
    length = f"{most} {unit}" if least == most else f"{least} to {most} {unit}"
    return f"{', '.join(dict.fromkeys(frame['dataset']))}; {length}."


def _ends(column: pd.Series) -> tuple[object, object]:
    known = sorted(column.dropna(), key=lambda value: (isinstance(value, str), value))
    return known[0], known[-1]


def _spread(frame: pd.DataFrame) -> str:
    drawn = sampled(frame) and (frame["seeds"] > 1).any()
    return "± is half the 95 % interval of the mean over seeds (Student's t)." if drawn else ""


def sampled(frame: pd.DataFrame) -> bool:
    """Whether seeds differ: exact facts are the same in every run, so one is enough, and they have no interval."""
    return any(str(column).endswith("_ci95_high") for column in frame)


def _baseline(experiment: Experiment, frame: pd.DataFrame) -> str:
    compared = [column for column in frame if str(column).endswith("_minus_baseline_mean")]
    names = [name for name in dict.fromkeys(map(experiment.baseline_of, experiment.rows)) if name]
    if not compared or not names:
        return ""
    others = f"the baseline, {experiment.baseline}" if experiment.baseline else ""
    if names != [experiment.baseline]:
        others = f"{others}, or " * bool(others) + "the row that `comparison` names"
    return f"Δ: difference from {others}, paired by seed."


def _not_judged(experiment: Experiment, frame: pd.DataFrame) -> Iterator[str]:
    if experiment.search or frame.empty:  # a search bears on no claim
        return
    by_reason: dict[str, list[str]] = collections.defaultdict(list)
    for _, row in frame.iterrows():
        if reason := ", ".join(_reasons(experiment, row, sampled(frame))):
            by_reason[reason].append(row["variant"])
    for reason, names in by_reason.items():
        who = "all rows" if len(names) == len(frame) > 1 else ", ".join(dict.fromkeys(names))
        yield f"Not judged: {who} ({reason})."


def _reasons(experiment: Experiment, row: pd.Series, drawn: bool) -> Iterator[str]:
    if not row["declared"]:
        yield deviation_of(row)
    if row["variant"] in experiment.named and row["dataset"] not in experiment.datasets_of(row["variant"]):
        yield f"on {row['dataset']}"
    if isinstance(starved := row.get("starved"), str):
        yield starved
    if drawn and row["seeds"] < MIN_SEEDS:
        yield f"{row['seeds']} of at least {MIN_SEEDS} seeds"


def _lost(frame: pd.DataFrame) -> str:
    counts = [f"{frame[word].sum():.0f} {word}" for word in ("diverged", "failed") if frame[word].sum()]
    return f"Runs in no mean: {', '.join(counts)}." if counts else ""
