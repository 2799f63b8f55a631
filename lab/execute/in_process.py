"""The simplest engine: one run after another in this process. Tests use it. Read it before the others."""

import time
from collections.abc import Callable

from lab.execute import recorded
from lab.execute.attempts import Attempts, Listener, Outcome
from lab.execute.job import Job, Source

HELD_POLL_SECONDS = 0.5  # how often an engine checks whether another process has released a run's lock


class InProcess:
    """The engine that executes the runs of a call in this process, in order.

    It has two limits that `WorkerPool` has not: a run that kills its process ends the call, and TensorFlow
    keeps the devices that it saw first.

    Args:
        job: what all runs share.
        listener: receives the events of each run.
    """

    def __init__(self, job: Job, listener: Listener) -> None:
        self.job, self.listener = job, listener

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes all runs of a source that have no record yet; see `lab.execute.pool.WorkerPool.execute`."""
        attempts = Attempts(self.job, source, self.listener)
        prepare()
        work = None
        while not attempts.finished():
            if (task := attempts.next()) is None:
                continue
            work = work or recorded.make_work(self.job)
            kind, value = work.do(task, lambda event: self.listener.progress(task.run, event))
            if kind == "held":
                attempts.postpone(task)
                time.sleep(HELD_POLL_SECONDS)
            else:
                attempts.take(task, kind, value)
        return attempts.outcome
