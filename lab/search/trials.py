"""A search as a source of runs: KerasTuner's oracle decides in this process, any engine does the runs."""

import collections
import contextlib
import statistics
from collections.abc import Iterator

import filelock

from lab.declare.search import Search, Trial
from lab.errors import UsageError
from lab.execute.job import Task
from lab.search.journal import Journal, journal
from lab.search.oracles import OBJECTIVE, Decision, Decisions
from lab.store.records import Record, Records


class Trials:
    """The runs of a search, trial by trial; see `lab.execute.job.Source`.

    Args:
        search: what is searched.
        decisions: where an earlier call got to; trials that were under way are given again.
    """

    def __init__(self, search: Search, decisions: Decisions) -> None:
        self.search, self._decisions = search, decisions
        self._waiting: collections.deque[Task] = collections.deque()
        self._scores: dict[int, list[float]] = {}  # of the trials under way
        for decision in decisions.made:
            if decision.score is None:
                self._begin(decision)

    @property
    def left(self) -> int:
        """How many runs there will be, but for trials that ended in an earlier call."""
        ended = sum(decision.score is not None for decision in self._decisions.made)
        return (self._decisions.total - ended) * self.search.seeds

    def next(self) -> Task | None:
        """The next run of a trial; None where the oracle waits for others to end, or has no more."""
        if not self._waiting and (decision := self._decisions.next()):
            self._begin(decision)
        return self._waiting.popleft() if self._waiting else None

    def ended(self, task: Task, record: Record | None) -> None:
        """A trial whose runs have all ended gets their mean score, or 0 where one of them diverged or failed."""
        number = task.facts["trial"] - 1
        scores = self._scores[number]
        finished = record is not None and record["status"] == "finished"
        scores.append(float(record["metrics"].get(OBJECTIVE, 0.0)) if record and finished else 0.0)
        if len(scores) == self.search.seeds:
            del self._scores[number]
            self._decisions.end(self._decisions.made[number], statistics.mean(scores) if all(scores) else 0.0)

    def finished(self) -> bool:
        """Whether every trial has ended and there will be no other."""
        if not self._waiting and not self._scores:
            decision = self._decisions.next()
            if decision:
                self._begin(decision)
        return not self._waiting and not self._scores

    def trials(self) -> list[Trial]:
        """The trials that have ended, in the order of their beginning."""
        return [
            Trial(decision.number + 1, self.search.training(decision.values), decision.score)
            for decision in self._decisions.made
            if decision.score is not None
        ]

    def _begin(self, decision: Decision) -> None:
        self._scores[decision.number] = []
        facts = {"trial": decision.number + 1, "tuner": self.search.tuner}
        self._waiting.extend(Task(run, facts) for run in self.search.runs(decision.values))


@contextlib.contextmanager
def searching(search: Search, records: Records, force: bool) -> Iterator[Trials]:
    """The trials of a search, of which this process alone decides as long as the block runs.

    Args:
        search: what is searched.
        records: among which its journal lies.
        force: forget what was decided before.

    Raises:
        UsageError: another process is at this very search.
    """
    kept = journal(search, records)
    with _alone(kept):
        if force:
            kept.clear()
        yield Trials(search, _decisions(search, kept))


def _decisions(search: Search, kept: Journal) -> Decisions:
    try:
        return Decisions(search, kept)
    except (ValueError, TypeError, IndexError) as reason:
        print(f"{kept.path}: {reason}, so the search decides anew; finished runs are not repeated.", flush=True)
        kept.clear()
        return Decisions(search, kept)


@contextlib.contextmanager
def _alone(kept: Journal) -> Iterator[None]:
    """Holds the lock of a search, which the system frees when its holder dies."""
    lock = filelock.FileLock(kept.path.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise UsageError("Another process is at this very search, in the same results folder: wait for it.") from None
    try:
        yield
    finally:
        lock.release()
