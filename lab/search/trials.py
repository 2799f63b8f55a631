"""A search as a source of runs: KerasTuner's oracle chooses trials in this process, any engine executes the runs."""

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
from lab.store.record import Record
from lab.store.records import Records


class Trials:
    """The source that gives the runs of a search, trial by trial; see `lab.execute.job.Source`.

    Args:
        search: the search.
        decisions: the oracle's decisions. Trials that were in progress when an earlier call ended are given again.
    """

    def __init__(self, search: Search, decisions: Decisions) -> None:
        self.search, self._decisions = search, decisions
        self._waiting: collections.deque[Task] = collections.deque()
        self._scores: dict[int, list[float]] = {}  # by the number of each trial in progress
        for decision in decisions.made:
            if decision.score is None:
                self._begin(decision)

    @property
    def left(self) -> int:
        """Number of runs still to come, without those of trials that ended in earlier calls."""
        ended = sum(decision.score is not None for decision in self._decisions.made)
        return (self._decisions.total - ended) * self.search.seeds

    def next(self) -> Task | None:
        """The next run of a trial; None if the oracle waits for others to end, or has no more."""
        if not self._waiting and (decision := self._decisions.next()):
            self._begin(decision)
        return self._waiting.popleft() if self._waiting else None

    def ended(self, task: Task, record: Record | None) -> None:
        """Scores a trial when all its runs have ended: their mean score, or 0 if one of them diverged or failed."""
        number = task.facts["trial"] - 1
        scores = self._scores[number]
        finished = record is not None and record.status == "finished"
        scores.append(float(record.metrics.get(OBJECTIVE, 0.0)) if record and finished else 0.0)
        if len(scores) == self.search.seeds:
            del self._scores[number]
            self._decisions.end(self._decisions.made[number], statistics.mean(scores) if all(scores) else 0.0)

    def finished(self) -> bool:
        """Whether every trial has ended and the oracle has no more."""
        if not self._waiting and not self._scores:
            decision = self._decisions.next()
            if decision:
                self._begin(decision)
        return not self._waiting and not self._scores

    def trials(self) -> list[Trial]:
        """The trials that have ended, in the order of the oracle's decisions."""
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
def open_trials(search: Search, records: Records, force: bool) -> Iterator[Trials]:
    """Yields the trials of a search, and locks the search for other processes within the block.

    Args:
        search: the search.
        records: the records among which the journal lies.
        force: start again, without the decisions of earlier calls.

    Raises:
        UsageError: another process runs the same search.
    """
    log = journal(search, records)
    with _locked(log):
        if force:
            log.clear()
        yield Trials(search, _decisions(search, log))


def _decisions(search: Search, log: Journal) -> Decisions:
    """Repeats the decisions of a journal; starts again if the oracle now decides differently."""
    try:
        return Decisions(search, log)
    except (ValueError, TypeError, IndexError) as reason:
        print(f"{log.path}: {reason}, so the search starts again; finished runs are not repeated.", flush=True)
        log.clear()
        return Decisions(search, log)


@contextlib.contextmanager
def _locked(log: Journal) -> Iterator[None]:
    """Holds the lock of a search within the block. The system frees it when this process dies."""
    lock = filelock.FileLock(log.path.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise UsageError("Another process runs the same search in the same results folder: wait for it.") from None
    try:
        yield
    finally:
        lock.release()
