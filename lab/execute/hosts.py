"""The engine of several hosts that train each run together. The user makes the same call on each host.

The hosts are named by the standard environment variable `TF_CONFIG`. Every host goes through the same runs in the same
order. Before each run the hosts check that they mean the same run, and the chief (the first host) says whether it
already has a record. The hosts train the run together, each on its share of every batch; only the chief writes records.
A lost host ends the call: TensorFlow notices a dead process within seconds, and this module notices a silent one.
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

PATIENCE_SECONDS = 600.0  # longer than all hosts take to connect, to train a hundred steps, or to write a record


class AllHosts:
    """The engine that trains each run on all hosts together.

    Args:
        job: what all runs share.
        listener: receives the events of each run.
        hosts: all hosts, and which of them this is.
        patience: after so many seconds without a message of the worker process, a host counts as lost.
    """

    def __init__(self, job: Job, listener: Listener, hosts: Hosts, patience: float = PATIENCE_SECONDS) -> None:
        self.job = replace(job, environment=job.environment | {"hosts": len(hosts.addresses)})
        self.listener, self.hosts, self.patience = listener, hosts, patience
        self._attempts: Attempts
        self._tasks: list[Task]
        self._next = 0  # the number of the run that the hosts agree on next
        self._closing = False

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes the runs of which the chief has no record. The call must be the same on every host.

        Args:
            source: gives the runs; they must not depend on the outcome of earlier runs.
            prepare: called before any run; its exceptions end the call.

        Returns:
            The metrics or the reason of failure of each run. A run in which a host was lost counts as failed and is
            the last one.

        Raises:
            WorkersLost: the hosts did not connect to one another.
            OSError: records cannot be written.
        """
        prepare()
        self._attempts = Attempts(self.job, source, self.listener)
        self._tasks = list(iter(source.next, None))
        with tempfile.TemporaryDirectory() as scratch:
            arguments = (self.job, self.hosts, self._tasks)
            handle = WorkerHandle(Path(scratch) / "worker.log", host_worker.main, arguments)
            try:
                while self._handle_message(handle):
                    pass
            finally:
                handle.kill()
        return self._attempts.outcome

    def _handle_message(self, handle: WorkerHandle) -> bool:
        """Handles the next message; returns False if it was the last one."""
        if not handle.pipe.poll(self.patience) and not self._closing:
            self._fail_lost(handle, f"no message for {self.patience:.0f} seconds: a host does not answer")
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
                self._fail_lost(handle, *value)
        return kind in ("run", "progress", "ended", "kept", "closing")

    def _fail_lost(self, handle: WorkerHandle, reason: str, last_lines: str | None = None) -> None:
        """Ends the worker process after a host was lost, and fails the current run.

        Raises:
            WorkersLost: no run had started yet.
        """
        lines = handle.last_lines() if last_lines is None else last_lines
        if not handle.ready:
            raise WorkersLost(f"The hosts {', '.join(self.hosts.addresses)} did not connect: {reason}\n{lines}")
        task = handle.task or self._tasks[min(self._next, len(self._tasks) - 1)]  # between two runs: the next one
        handle.task = None
        handle.kill()  # it may hang while it holds the lock of the run
        self._attempts.failed(task, reason, lines, recorded=self.hosts.chief)
