"""The simplest engine: one run after another in this very process. Start reading here."""

import time
from collections.abc import Callable

from lab.execute import recorded
from lab.execute.attempts import Attempts, Listener, Outcome
from lab.execute.job import Job, Source

HELD_POLL_SECONDS = 0.5


class InProcess:
    """Does the runs of a call in this process, in order.

    A run that kills its process ends the call, and TensorFlow stays with the devices it first saw: `WorkerPool`
    has neither limit.
    """

    def __init__(self, job: Job, listener: Listener) -> None:
        self.job, self.listener = job, listener

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Does all runs of a source that have no record yet; see `lab.execute.pool.WorkerPool.execute`."""
        attempts = Attempts(self.job, source, self.listener)
        prepare()
        work = None
        while not attempts.finished():
            if (task := attempts.next()) is None:
                continue
            work = work or recorded.begin(self.job)
            kind, value = work.do(task, lambda event: self.listener.progress(task.run, event))
            match kind:
                case "ended":
                    attempts.ended(task, value)
                case "kept":
                    attempts.kept(task, value)
                case "skipped":
                    attempts.skipped(task, value)
                case "held":
                    attempts.later(task)
                    time.sleep(HELD_POLL_SECONDS)
                case "unwritable":
                    raise OSError(value)
                case _:
                    attempts.failed(task, *value)
        return attempts.outcome
