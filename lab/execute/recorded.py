"""Executes runs and writes their records. Every engine uses this in the process that executes the run."""

import dataclasses
import time
import traceback
from collections.abc import Callable
from typing import Any

import filelock

from cnn_models import light_keras
from lab.declare.run import resolve
from lab.declare.work import Report, RunOutcome, Work
from lab.errors import Unavailable
from lab.execute.job import Job, Task
from lab.store.record import Record
from lab.store.records import Unwritable, storing

LAST_LINES = 20
Answer = tuple[str, Any]


@dataclasses.dataclass(frozen=True)
class RecordedWork:
    """Executes the runs of a job and writes their records."""

    work: Work
    job: Job

    def do(self, task: Task, report: Report) -> Answer:
        """Executes one run, unless it has a record.

        Args:
            task: the run.
            report: called with the progress, see `lab.declare.work.Work`.

        Returns:
            A pair of an outcome and its value:
            `("ended", record)`: the run was executed and recorded;
            `("kept", record)`: the run already has a record;
            `("held", None)`: another process holds the lock of this run;
            `("skipped", reason)`: the run needs the output of a run that does not exist yet;
            `("unwritable", reason)`: the record cannot be written;
            `("failed", (reason, last_lines))`: the run raised an exception.
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
        """Executes one run and writes its record; the caller holds the lock of the run."""
        outcome, attachment = self.work.execute(task.run, report)
        return self.job.records.save(task.run, completed(outcome, task, self.job), attachment)

    def _do(self, task: Task, report: Report) -> Answer:
        try:
            with storing(self.job.records.path(task.run)):
                record = None if self.job.force else self.job.records.find(task.run)
            return ("kept", record) if record else ("ended", self.execute(task, report))
        except Unavailable as reason:
            return "skipped", str(reason)
        except Unwritable as error:  # every other run would meet this error too; any other error concerns this run only
            return "unwritable", str(error)
        except Exception as error:
            return "failed", failure(error)


def completed(outcome: RunOutcome, task: Task, job: Job) -> RunOutcome:
    """An outcome completed for its record: with the environment, the facts of the task, and the time."""
    return outcome | {
        "environment": job.environment | outcome.get("environment", {}),
        "facts": outcome.get("facts", {}) | task.facts,
        "ended_unix_seconds": time.time(),
    }


def failure(error: BaseException) -> tuple[str, str]:
    """The reason of a failure in one line, and the last lines of the traceback being handled."""
    lines = traceback.format_exc().strip().splitlines()[-LAST_LINES:]
    return f"{type(error).__name__}: {error}", "\n".join(lines)


def make_work(job: Job) -> RecordedWork:
    """Makes the work of a job. This imports Keras, without the packages of `light_keras.EXTRAS`."""
    try:
        with light_keras.without():
            work_class: Callable[..., Work] = resolve(job.work)
    except ModuleNotFoundError:  # the module of this work imports one of them itself
        work_class = resolve(job.work)
    return RecordedWork(work_class(job.records), job)
