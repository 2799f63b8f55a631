"""The engine of worker processes on this machine. Each worker executes one run at a time.

A worker writes the record of a run before it reports the run's end. The pool itself writes only records of failures.
"""

import tempfile
import time
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

from lab.execute import worker
from lab.execute.attempts import Attempts, Listener, Outcome
from lab.execute.handle import WorkerHandle
from lab.execute.in_process import HELD_POLL_SECONDS
from lab.execute.job import Job, Source, Task

STARTS_LOST = 3  # after so many workers in a row died before they were ready, the call ends


class WorkersLost(RuntimeError):
    """The worker processes cannot start; the message contains the last lines of one."""


class WorkerPool:
    """The engine that executes the runs of a call in up to `workers` processes.

    Args:
        job: what all runs share.
        listener: receives the events of each run.
        workers: largest number of processes.
        on_idle: called once in this process, when a worker is idle while others still work.
    """

    def __init__(self, job: Job, listener: Listener, workers: int, on_idle: Callable[[], object] | None = None) -> None:
        self.job, self.listener, self.workers = job, listener, workers
        self._on_idle = on_idle
        self._attempts: Attempts
        self._handles: list[WorkerHandle] = []
        self._waiting: list[Task] = []  # at most one per worker
        self._held: list[tuple[Task, float]] = []  # with the time of the next try
        self._started = 0
        self._lost_starts = 0

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes all runs of a source that have no record yet; waits for runs that another process executes.

        Args:
            source: gives the runs.
            prepare: called while the first workers start, before any run; its exceptions end the call.

        Returns:
            The metrics or the reason of failure of each run.

        Raises:
            WorkersLost: worker processes die before they are ready.
            OSError: records cannot be written, as the disk is full or the folder not writable.
        """
        self._attempts = Attempts(self.job, source, self.listener)
        with tempfile.TemporaryDirectory() as scratch:
            try:
                self._take_tasks()
                self._start_workers(Path(scratch))
                prepare()
                while not self._finished():
                    self._retry_held()
                    self._take_tasks()
                    self._start_workers(Path(scratch))
                    self._assign_tasks()
                    self._use_idle_time()
                    self._handle_messages()
            finally:
                for handle in self._handles:
                    handle.kill()
                self._handles.clear()
        return self._attempts.outcome

    def _finished(self) -> bool:
        busy = any(handle.task for handle in self._handles)
        return not (busy or self._waiting or self._held) and self._attempts.finished()

    def _take_tasks(self) -> None:
        """Takes one task for each worker without one."""
        free = self.workers - sum(handle.task is not None for handle in self._handles)
        while len(self._waiting) < free and (task := self._attempts.next()):
            self._waiting.append(task)

    def _start_workers(self, scratch: Path) -> None:
        """Starts workers for the waiting tasks."""
        wanted = min(self.workers, len(self._waiting) + sum(handle.task is not None for handle in self._handles))
        while len(self._handles) < wanted:
            slot = min(set(range(wanted)) - {handle.slot for handle in self._handles})  # a dead worker's is free again
            arguments = (self.job, slot)
            log = scratch / f"worker{self._started}.log"
            self._handles.append(WorkerHandle(log, worker.main, arguments, slot))
            self._started += 1

    def _assign_tasks(self) -> None:
        """Gives a waiting task to each ready worker."""
        for handle in self._handles:
            if handle.ready and handle.task is None and self._waiting:
                handle.give(self._waiting.pop(0))

    def _use_idle_time(self) -> None:
        if self._on_idle and not self._waiting and not all(handle.task for handle in self._handles):
            self._on_idle()
            self._on_idle = None

    def _handle_messages(self) -> None:
        """Waits for messages of workers, and handles one of each worker that sent any."""
        pipes = {handle.pipe: handle for handle in self._handles}
        if not pipes:
            time.sleep(HELD_POLL_SECONDS if self._held else 0)
            return
        for pipe in connection.wait(list(pipes), HELD_POLL_SECONDS if self._held else self._timeout()):
            handle = pipes[pipe]  # type: ignore[index]
            self._handle(handle, *handle.answer())

    def _handle(self, handle: WorkerHandle, kind: str, value: Any) -> None:
        match kind:
            case "ready":
                handle.ready = True
                self._lost_starts = 0
            case "progress":
                assert handle.task
                self.listener.progress(handle.task.run, value)
            case "held":
                self._held.append((handle.take_task(), time.monotonic() + HELD_POLL_SECONDS))
            case "died":
                self._handle_death(handle, *value)
            case _:
                self._attempts.take(handle.take_task(), kind, value)

    def _handle_death(self, handle: WorkerHandle, reason: str, last_lines: str) -> None:
        """Removes a dead worker and fails its task.

        Raises:
            WorkersLost: several workers in a row died before they were ready.
        """
        self._handles.remove(handle)
        handle.kill()
        if handle.task:
            self._attempts.failed(handle.take_task(), reason, last_lines, lost=True)
        elif not handle.ready:
            self._lost_starts += 1
            if self._lost_starts >= STARTS_LOST:
                raise WorkersLost(f"Worker processes die at start ({reason}):\n{last_lines}")

    def _timeout(self) -> float | None:
        """Seconds to wait for a message: no limit (None), but 0 if no worker will send one."""
        return None if any(handle.task or not handle.ready for handle in self._handles) else 0

    def _retry_held(self) -> None:
        """Tries runs again that another process held: it may have ended or died."""
        now = time.monotonic()
        for task, due in self._held:
            if now >= due:
                self._attempts.postpone(task)
        self._held = [(task, due) for task, due in self._held if now < due]
