"""Measures speed side by side; `make bench` writes results/benchmark.csv and its figure.

A contest compares several ways to do the same work. Each way runs in its own process, with oneDNN and the number of
threads that its name gives. The ways of a contest take turns, and ratios are taken within each turn. So a machine
whose speed drifts slows down all ways alike.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from cnn_models.names import unknown
from lab.bench.contests import CONTESTS, Contest, Way
from lab.errors import UsageError
from lab.report.table import csv_files
from lab.store import environment

REPEATS = 5
ROOT = Path(__file__).parent.parent.parent


@dataclasses.dataclass(frozen=True)
class Turn:
    """The result of one process.

    Attributes:
        value: the value that is compared.
        numbers: further numbers by name, as "accuracy" and "megabytes".
    """

    value: float
    numbers: dict[str, float]


class NotReached(RuntimeError):
    """A way did not reach the accuracy from which on its time counts; the message says how far it came."""


def words() -> list[str]:
    """The names of contests on the command line."""
    return list(dict.fromkeys(contest.word for contest in CONTESTS))


def write(
    results: Path, only: Iterable[str] | None = None, repeats: int | None = None, quick: bool = False
) -> pd.DataFrame:
    """Measures contests, and writes `benchmark.csv` and `benchmark.svg` again after each.

    Args:
        results: folder of the two files.
        only: names of contests, see `words`; rows of other contests stay in the table. None: all contests, in a new
            table.
        repeats: turns of each contest; None: `REPEATS`, or `Contest.quick` in a quick call.
        quick: leave out the less important contests, and measure fewer times.

    Returns:
        The table, one row per contest and way.

    Raises:
        UsageError: no contest has such a name, or `benchmark.csv` exists and is not a table of this function.
    """
    from lab.bench import speed_figure

    for word in only or ():
        if word not in words():
            raise UsageError(unknown("measurement", word, dict.fromkeys(words())))
    path = results / "benchmark.csv"
    kept = csv_files.read(path) if only and path.exists() else pd.DataFrame({"contest": []})
    if "contest" not in kept:
        raise UsageError(f"{path} was not written by this command: move it away, or leave out --only.")
    # Rows of a contest that an earlier version had cannot be measured again, and are left out.
    others = [word for word in words() if word not in (only or ())]
    rows: list[Any] = kept[kept["contest"].isin(others)].to_dict("records")
    for contest in CONTESTS:
        turns = repeats or (contest.quick if quick else REPEATS)
        if (only and contest.word not in only) or (quick and not contest.quick):
            continue
        rows += _measure(contest, turns)
        frame = pd.DataFrame(rows).sort_values("contest", key=lambda column: column.map(words().index), kind="stable")
        csv_files.write(frame, path)
        speed_figure.draw(frame, results / "benchmark.svg")
    return frame


def _measure(contest: Contest, repeats: int) -> list[dict[str, str | float | None]]:
    """Measures one contest; returns a row of the table for each way."""
    ways = [way for way in contest.ways if way.needs is None or importlib.util.find_spec(way.needs)]
    for way in set(contest.ways) - set(ways):
        install = ".venv/bin/pip install -r requirements-bench.txt"
        print(f"left out: {way.name}, as {way.needs} is not installed ({install})", flush=True)
    turns: dict[str, list[Turn]] = {way.name: [] for way in ways}
    for number in range(repeats):
        running = [way for way in ways if way.turns is None or number < way.turns]
        for way in list(running):
            try:
                turns[way.name].append(_run(way, number))
            except NotReached as error:
                if way is ways[0]:
                    raise
                print(f"left out: {error}", flush=True)
                ways.remove(way)
                running.remove(way)
        shown = ", ".join(f"{way.name} {turns[way.name][-1].value:.4g}" for way in running)
        print(f"{contest.about} [{number + 1}/{repeats}], {contest.unit}: {shown}", flush=True)
    return [_row(contest, way, turns[ways[0].name], turns[way.name]) for way in ways]


def _row(contest: Contest, way: Way, ours: list[Turn], turns: list[Turn]) -> dict[str, str | float | None]:
    """The row of the table for one way, from its turns and those of this suite."""
    values = [turn.value for turn in turns]
    ratios = [own.value / turn.value for own, turn in zip(ours, turns, strict=False)]
    numbers = {name: statistics.mean(turn.numbers[name] for turn in turns) for name in turns[0].numbers}
    machine = environment.machine()
    versions = dict(machine["versions"]) | ({way.needs: importlib.metadata.version(way.needs)} if way.needs else {})
    return {
        "contest": contest.word,
        "measure": contest.about,
        "way": way.name,
        "unit": contest.unit,
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
        "repeats": len(values),
        "suite_by_this_median": statistics.median(ratios),
        "suite_by_this_lowest": min(ratios),
        "suite_by_this_highest": max(ratios),
        "wanted_at_most": contest.most if way is contest.ways[0] else way.wanted,
        "accuracy_mean": numbers.get("accuracy"),
        "peak_megabytes_mean": numbers.get("megabytes"),
        "processor": machine["processor"],
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _run(way: Way, number: int) -> Turn:
    """Runs the command of a way once.

    Raises:
        RuntimeError: the command failed.
        NotReached: it did not reach its accuracy.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(way.command(folder, number), cwd=ROOT, check=False, capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{way.name} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
        if way.prints:
            numbers = json.loads(done.stdout.strip().splitlines()[-1])
            value = statistics.median(numbers.pop("values"))
        else:
            numbers, value = _accuracy(Path(folder), way.table), seconds
    if numbers.get("reached") is False or numbers.get("accuracy", 1.0) < way.least:
        reads = f"{100 * numbers.get('accuracy', 0):.2f} % after {numbers.get('epochs', '?')} epochs"
        raise NotReached(
            f"{way.name}: {value:.0f} s a training; it did not reach the accuracy that is asked for, so its time does "
            f"not count (test accuracy {reads})."
        )
    return Turn(way.convert(value), numbers)


def _accuracy(folder: Path, table: tuple[str, str] | None) -> dict[str, float]:
    if table is None:
        return {}
    name, column = table
    return {"accuracy": float(csv_files.read(folder / f"{name}.csv")[column].max())}
