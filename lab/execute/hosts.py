"""Several hosts, one training: the same call on each, joined by the standard `TF_CONFIG`.

Every host goes through the same runs in the same order; before each they agree on which it is, and on whether it is
to be trained: the chief (the first host) knows what has a record. They train it together, each on its share of every
batch, and the chief alone writes. A host that is lost ends the call: TensorFlow notices a dead process within
seconds, and this module a silent one.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lab.declare.machine import Hosts
from lab.execute import host_worker
from lab.execute.attempts import Attempts, Listener, Outcome
from lab.execute.handle import WorkerHandle
from lab.execute.job import Job, Source, Task
from lab.execute.pool import WorkersLost

PATIENCE_SECONDS = 600.0  # for the first word of all hosts, and for a hundred steps or a record


class AllHosts:
    """The engine that trains each run on all hosts together.

    Args:
        job: what all runs share.
        listener: hears of progress.
        hosts: which hosts, and which of them this is.
        patience: seconds without a word from the worker process after which a host counts as lost.
    """

    def __init__(self, job: Job, listener: Listener, hosts: Hosts, patience: float = PATIENCE_SECONDS) -> None:
        self.job = replace(job, environment=job.environment | {"hosts": len(hosts.addresses)})
        self.listener, self.hosts, self.patience = listener, hosts, patience
        self._attempts: Attempts
        self._tasks: list[Task]
        self._next = 0  # the number of the run that the hosts agree on next
        self._closing = False

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Does the runs that the chief has no record of; every host must be called alike.

        Args:
            source: gives the runs, which must not depend on what comes of them.
            prepare: done before any run; what it raises ends the call.

        Returns:
            What became of the runs. A run in which a host was lost is failed, and ends the call.

        Raises:
            WorkersLost: the hosts did not come together.
            OSError: records cannot be written.
        """
        prepare()
        self._attempts = Attempts(self.job, source, self.listener)
        self._tasks = list(iter(source.next, None))
        with tempfile.TemporaryDirectory() as scratch:
            arguments = (self.job, self.hosts, self._tasks)
            handle = WorkerHandle(Path(scratch) / "worker.log", host_worker.main, arguments)
            try:
                while self._listen(handle):
                    pass
            finally:
                handle.kill()
        return self._attempts.outcome

    def _listen(self, handle: WorkerHandle) -> bool:
        """Takes the next message; False where there will be none."""
        if not handle.pipe.poll(self.patience) and not self._closing:
            self._lost(handle, f"no word for {self.patience:.0f} seconds: a host does not answer")
            return False
        kind, value = handle.answer()
        match kind:
            case "run":
                handle.ready, handle.task, self._next = True, self._tasks[value], value + 1
            case "progress" if handle.task:
                self.listener.progress(handle.task.run, value)
            case "ended" if handle.task:
                self._attempts.ended(handle.take_task(), value)
            case "kept" if handle.task:
                self._attempts.kept(handle.take_task(), value)
            case "closing":
                self._closing = True
            case "unwritable":
                raise OSError(value)
            case "failed" | "died" if not self._closing:
                self._lost(handle, *value)
        return kind in ("run", "progress", "ended", "kept", "closing")

    def _lost(self, handle: WorkerHandle, reason: str, last_lines: str | None = None) -> None:
        lines = handle.last_lines() if last_lines is None else last_lines
        if not handle.ready:
            raise WorkersLost(f"The hosts {', '.join(self.hosts.addresses)} did not come together: {reason}\n{lines}")
        task = handle.task or self._tasks[min(self._next, len(self._tasks) - 1)]  # between two runs: the next
        handle.task = None
        handle.kill()  # it may be silent, and hold the run's lock
        self._attempts.failed(task, reason, lines, recorded=self.hosts.chief)
