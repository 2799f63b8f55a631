"""A work whose every run is recorded: what all engines do where the run itself is done."""

import contextlib
import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import filelock

from lab.declare.run import resolve
from lab.declare.work import Report, Work
from lab.errors import Unavailable
from lab.execute.job import Job, Task
from lab.store.records import Record, Unwritable, storing

LAST_LINES = 20
# Keras imports these where they are installed, for wrappers, plots and data frames that no worker has. It
# starts in 2.9 s without them, and in 4.6 s with them (medians of five), each time a worker does.
KERAS_EXTRAS = ("sklearn", "matplotlib", "pandas")
Answer = tuple[str, Any]


@dataclasses.dataclass(frozen=True)
class RecordedWork:
    """Does the runs of a job and writes their records."""

    work: Work
    job: Job

    def do(self, task: Task, report: Report) -> Answer:
        """Does one run, unless it has a record.

        Args:
            task: what to do.
            report: hears of progress, see `lab.declare.work.Work`.

        Returns:
            `("ended", record)`; `("kept", record)` where another call has recorded it; `("held", None)` where
            another process is at this run; `("skipped", reason)` where it needs what is not there yet;
            `("unwritable", reason)` where its record cannot be written; or `("failed", (reason, last lines))`.
        """
        try:
            lock = self.job.records.lock(task.run)
            with storing(self.job.records.path(task.run)):
                held = lock.acquire(blocking=False)
        except filelock.Timeout:
            return "held", None
        except Unwritable as error:
            return "unwritable", str(error)
        with held:
            return self._do(task, report)

    def execute(self, task: Task, report: Report) -> Record:
        """Does and records one run; the caller holds its lock."""
        outcome, attachment = self.work.execute(task.run, report)
        return self.job.records.save(task.run, completed(outcome, task, self.job), attachment)

    def _do(self, task: Task, report: Report) -> Answer:
        try:
            with storing(self.job.records.path(task.run)):
                record = None if self.job.force else self.job.records.find(task.run)
            return ("kept", record) if record else ("ended", self.execute(task, report))
        except Unavailable as reason:
            return "skipped", str(reason)
        except Unwritable as error:  # which no other run would escape; any other error is of this run alone
            return "unwritable", str(error)
        except Exception as error:
            return "failed", failure(error)


def completed(outcome: Record, task: Task, job: Job) -> Record:
    """What a work found, with what its record says beside: the environment, facts of the task, and the time."""
    return outcome | {
        "environment": job.environment | outcome.get("environment", {}),
        "facts": outcome.get("facts", {}) | task.facts,
        "ended_unix_seconds": time.time(),
    }


def failure(error: BaseException) -> tuple[str, str]:
    """Why a run failed, in one line, and the last lines of the traceback."""
    lines = traceback.format_exc().strip().splitlines()[-LAST_LINES:]
    return f"{type(error).__name__}: {error}", "\n".join(lines)


def begin(job: Job) -> RecordedWork:
    """Makes the work of a job; its Keras starts here, without what it would import and not use."""
    try:
        with _unseen(KERAS_EXTRAS):
            made: Callable[..., Work] = resolve(job.work)
    except ModuleNotFoundError:  # this work's module imports one of them itself
        made = resolve(job.work)
    return RecordedWork(made(job.records), job)


@contextlib.contextmanager
def _unseen(packages: Iterable[str]) -> Iterator[None]:
    """Packages are as if not installed meanwhile, but for those that are imported already."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]
