"""Tracks the attempts at each run of a call: which run comes next, which are tried again, and how each ended.

All engines share this policy of retry and failure. They differ only in where the work is done.
"""

import collections
import contextlib
import dataclasses
from typing import Any, Protocol

import filelock

from lab.declare.run import Run
from lab.execute.job import Job, Source, Task
from lab.store.record import Record


class Listener(Protocol):
    """Receives the events of runs, as a progress display does."""

    def progress(self, run: Run, event: dict[str, Any]) -> None:
        """A run has done `event["done"]` of `event["total"]`, see `lab.declare.work.Work`."""

    def kept(self, run: Run, record: Record) -> None:
        """A run already has a record, from an earlier call or from another process."""

    def ended(self, run: Run, record: Record) -> None:
        """A run has just finished or diverged."""

    def skipped(self, run: Run, reason: str) -> None:
        """A run needs the output of a run that does not exist yet. Nothing was recorded."""

    def failed(self, run: Run, reason: str, again: bool) -> None:
        """A run failed. `again`: it will be tried again."""


@dataclasses.dataclass
class Outcome:
    """How the runs of a call ended. It keeps no whole records: those of a million runs would fill the memory.

    Attributes:
        ended: by the key of each run that ended, its metrics.
        failed: by the key of each run that failed, the reason.
    """

    ended: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)


class Attempts:
    """The tasks of one call: takes them from a source, counts failures, and reports how each ended.

    Args:
        job: says how often to retry, and where failures are recorded.
        source: gives the tasks.
        listener: receives the events of each run.
    """

    def __init__(self, job: Job, source: Source, listener: Listener) -> None:
        self.job, self.source, self.listener = job, source, listener
        self.outcome = Outcome()
        self._postponed: collections.deque[Task] = collections.deque()
        self._failures: collections.Counter[str] = collections.Counter()

    def next(self) -> Task | None:
        """The next task without a record; None if there is none at present.

        A task that has a record ends here, so that no worker has to start for it.
        """
        while (task := self.source.next()) is not None:
            record = None if self.job.force else self.job.records.find(task.run)
            if record is None:
                return task
            self.kept(task, record)
        return self._postponed.popleft() if self._postponed else None

    def finished(self) -> bool:
        """Whether no further task will come unless one that is in progress ends."""
        return not self._postponed and self.source.finished()

    def postpone(self, task: Task) -> None:
        """Puts a task back because another process holds the lock of its run. `next` returns it again later."""
        self._postponed.append(task)

    def take(self, task: Task, kind: str, value: Any) -> None:
        """Handles a result of `lab.execute.recorded.RecordedWork.do` other than "held".

        Raises:
            OSError: records cannot be written.
        """
        match kind:
            case "ended":
                self.ended(task, value)
            case "kept":
                self.kept(task, value)
            case "skipped":
                self.skipped(task, value)
            case "unwritable":
                raise OSError(value)
            case _:
                self.failed(task, *value)

    def kept(self, task: Task, record: Record) -> None:
        """Ends a task whose run already has a record."""
        self._end(task, record)
        self.listener.kept(task.run, record)

    def ended(self, task: Task, record: Record) -> None:
        """Ends a task whose run finished or diverged and is recorded."""
        self._end(task, record)
        self.listener.ended(task.run, record)

    def skipped(self, task: Task, reason: str) -> None:
        """Ends a task that needs the output of a run that does not exist yet."""
        self.source.ended(task, None)
        self.listener.skipped(task.run, reason)

    def failed(
        self,
        task: Task,
        reason: str,
        last_lines: str,
        *,
        lost: bool = False,
        locked: bool = False,
        recorded: bool = True,
    ) -> None:
        """Handles a failed task: postpones it if a retry is left, otherwise records the failure.

        Args:
            task: the task.
            reason: why it failed, in one line.
            last_lines: the last lines of its output.
            lost: its process died, perhaps through no fault of the run.
            locked: the caller holds the lock of the run.
            recorded: whether this process may write the record of the failure.
        """
        self._failures[task.run.key] += 1
        allowed = max(self.job.retries, self.job.lost_retries) if lost else self.job.retries
        again = self._failures[task.run.key] <= allowed
        self.listener.failed(task.run, reason, again)
        if again:
            self._postponed.append(task)
            return
        self.outcome.failed[task.run.key] = reason
        # If another process holds the lock by now, its record of the run will count.
        if recorded:
            with contextlib.suppress(filelock.Timeout), self._lock(task.run, locked):
                self.job.records.save_failed(task.run, reason, last_lines, task.facts)
        self.source.ended(task, None)

    def _end(self, task: Task, record: Record) -> None:
        self.outcome.ended[task.run.key] = record.metrics
        self.source.ended(task, record)

    def _lock(self, run: Run, locked: bool) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if locked else self.job.records.lock(run).acquire(blocking=False)
