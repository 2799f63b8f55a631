"""What becomes of runs: counted once, tried again where they may be, recorded as failed where they may not.

All engines share this one policy; they differ in who does the work.
"""

import collections
import contextlib
import dataclasses
from typing import Any, Protocol

import filelock

from lab.declare.run import Run
from lab.execute.job import Job, Source, Task
from lab.store.records import Record


class Listener(Protocol):
    """Hears what becomes of runs."""

    def progress(self, run: Run, event: dict[str, Any]) -> None:
        """`event["done"]` of `event["total"]` are done, see `lab.declare.work.Work`."""

    def kept(self, run: Run, record: Record) -> None:
        """The run has a record from an earlier call, or from another that works on the same study."""

    def ended(self, run: Run, record: Record) -> None:
        """The run finished or diverged just now."""

    def skipped(self, run: Run, reason: str) -> None:
        """The run needs what is not there yet; nothing was recorded."""

    def failed(self, run: Run, reason: str, again: bool) -> None:
        """The run failed; `again` where it will be tried again."""


@dataclasses.dataclass
class Outcome:
    """The metrics of the runs that ended, and why the others failed, by run.

    Whole records of a million runs would fill the memory.
    """

    ended: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)


class Attempts:
    """The tasks of one call: which come next, how often each has failed, and what became of it.

    Args:
        job: how often to try, and where failures are recorded.
        source: where tasks come from.
        listener: hears of each.
    """

    def __init__(self, job: Job, source: Source, listener: Listener) -> None:
        self.job, self.source, self.listener = job, source, listener
        self.outcome = Outcome()
        self._again: collections.deque[Task] = collections.deque()
        self._failures: collections.Counter[str] = collections.Counter()

    def next(self) -> Task | None:
        """The next task without a record; those that have one end here, so that nobody need start for them."""
        while (task := self.source.next()) is not None:
            record = None if self.job.force else self.job.records.find(task.run)
            if record is None:
                return task
            self.kept(task, record)
        return self._again.popleft() if self._again else None

    def finished(self) -> bool:
        """Whether no task will come, given what has ended so far."""
        return not self._again and self.source.finished()

    def later(self, task: Task) -> None:
        """Another process is at this run: its turn comes again."""
        self._again.append(task)

    def kept(self, task: Task, record: Record) -> None:
        """A task has the record of another call."""
        self._end(task, record)
        self.listener.kept(task.run, record)

    def ended(self, task: Task, record: Record) -> None:
        """A task finished or diverged, and is recorded."""
        self._end(task, record)
        self.listener.ended(task.run, record)

    def skipped(self, task: Task, reason: str) -> None:
        """A task needs what is not there yet."""
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
        """A task failed: it is tried again, or recorded as failed.

        Args:
            task: which.
            reason, last_lines: why, and what was printed last.
            lost: its process died, and may not be to blame.
            locked: the caller holds the lock of the run.
            recorded: whether this process may write the record of the failure.
        """
        self._failures[task.run.key] += 1
        allowed = max(self.job.retries, self.job.lost_retries) if lost else self.job.retries
        again = self._failures[task.run.key] <= allowed
        self.listener.failed(task.run, reason, again)
        if again:
            self._again.append(task)
            return
        self.outcome.failed[task.run.key] = reason
        # Where another call is at this run by now, what comes of that will stand.
        if recorded:
            with contextlib.suppress(filelock.Timeout), self._lock(task.run, locked):
                self.job.records.save_failed(task.run, reason, last_lines, task.facts)
        self.source.ended(task, None)

    def _end(self, task: Task, record: Record) -> None:
        self.outcome.ended[task.run.key] = record["metrics"]
        self.source.ended(task, record)

    def _lock(self, run: Run, locked: bool) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if locked else self.job.records.lock(run).acquire(blocking=False)
