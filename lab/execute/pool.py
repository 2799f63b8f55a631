"""Runs over worker processes on this machine, each one run at a time.

What a run gave is on the disk before its worker says so; this module writes no record but that of a failure.
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
from lab.store.records import Record

STARTS_LOST = 3  # workers that may die in a row before they are ready; then something is wrong with all


class WorkersLost(RuntimeError):
    """No worker process can start; the message has the last lines of one."""


class WorkerPool:
    """Up to `workers` processes that do the runs of a call.

    Args:
        job: what they do.
        listener: hears of progress.
        workers: largest number of processes.
        spare: done once, when a worker has nothing more to do while others still work.
    """

    def __init__(self, job: Job, listener: Listener, workers: int, spare: Callable[[], object] | None = None) -> None:
        self.job, self.listener, self.workers = job, listener, workers
        self._spare = spare
        self._attempts: Attempts
        self._handles: list[WorkerHandle] = []
        self._waiting: list[Task] = []  # at most one for each worker
        self._held: list[tuple[Task, float]] = []
        self._started = 0
        self._lost_starts = 0

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Does all runs of a source that have no record yet, and waits for those that another process is at.

        Args:
            source: gives the runs.
            prepare: done while the first workers start, before any run; what it raises ends the call.

        Raises:
            WorkersLost: worker processes die before they can work.
            OSError: records cannot be written (disk full, folder not writable).
        """
        self._attempts = Attempts(self.job, source, self.listener)
        with tempfile.TemporaryDirectory() as scratch:
            try:
                self._draw()
                self._staff(Path(scratch))
                prepare()
                while not self._over():
                    self._take_back_held()
                    self._draw()
                    self._staff(Path(scratch))
                    self._assign()
                    self._use_spare_time()
                    self._listen()
            finally:
                for handle in self._handles:
                    handle.kill()
                self._handles.clear()
        return self._attempts.outcome

    def _over(self) -> bool:
        busy = any(handle.task for handle in self._handles)
        return not (busy or self._waiting or self._held) and self._attempts.finished()

    def _draw(self) -> None:
        """Draws as many tasks as there are workers without one."""
        free = self.workers - sum(handle.task is not None for handle in self._handles)
        while len(self._waiting) < free and (task := self._attempts.next()):
            self._waiting.append(task)

    def _staff(self, scratch: Path) -> None:
        wanted = min(self.workers, len(self._waiting) + sum(handle.task is not None for handle in self._handles))
        while len(self._handles) < wanted:
            slot = min(set(range(wanted)) - {handle.slot for handle in self._handles})  # one that a dead worker left
            arguments = (self.job, slot)
            log = scratch / f"worker{self._started}.log"
            self._handles.append(WorkerHandle(log, worker.main, arguments, slot))
            self._started += 1

    def _assign(self) -> None:
        for handle in self._handles:
            if handle.ready and handle.task is None and self._waiting:
                handle.give(self._waiting.pop(0))

    def _use_spare_time(self) -> None:
        if self._spare and not self._waiting and not all(handle.task for handle in self._handles):
            self._spare()
            self._spare = None

    def _listen(self) -> None:
        pipes = {handle.pipe: handle for handle in self._handles}
        if not pipes:
            time.sleep(HELD_POLL_SECONDS if self._held else 0)
            return
        for pipe in connection.wait(list(pipes), HELD_POLL_SECONDS if self._held else self._patience()):
            handle = pipes[pipe]  # type: ignore[index]
            kind, value = handle.answer()
            getattr(self, f"_on_{kind}")(handle, value)

    def _patience(self) -> float | None:
        """How long to wait for a message: for ever, but not at all where no worker has anything to say."""
        return None if any(handle.task or not handle.ready for handle in self._handles) else 0

    def _take_back_held(self) -> None:
        """Runs that another process is at are looked at again from time to time: it may have died."""
        now = time.monotonic()
        for task, due in self._held:
            if now >= due:
                self._attempts.later(task)
        self._held = [(task, due) for task, due in self._held if now < due]

    def _on_ready(self, handle: WorkerHandle, value: None) -> None:
        handle.ready = True
        self._lost_starts = 0

    def _on_progress(self, handle: WorkerHandle, event: dict[str, Any]) -> None:
        assert handle.task
        self.listener.progress(handle.task.run, event)

    def _on_ended(self, handle: WorkerHandle, record: Record) -> None:
        self._attempts.ended(handle.take_task(), record)

    def _on_kept(self, handle: WorkerHandle, record: Record) -> None:
        self._attempts.kept(handle.take_task(), record)

    def _on_held(self, handle: WorkerHandle, value: None) -> None:
        self._held.append((handle.take_task(), time.monotonic() + HELD_POLL_SECONDS))

    def _on_skipped(self, handle: WorkerHandle, reason: str) -> None:
        self._attempts.skipped(handle.take_task(), reason)

    def _on_unwritable(self, handle: WorkerHandle, reason: str) -> None:
        raise OSError(reason)

    def _on_failed(self, handle: WorkerHandle, value: tuple[str, str]) -> None:
        self._attempts.failed(handle.take_task(), *value)

    def _on_died(self, handle: WorkerHandle, value: tuple[str, str]) -> None:
        self._handles.remove(handle)
        handle.kill()
        if handle.task:
            self._attempts.failed(handle.take_task(), *value, lost=True)
        elif not handle.ready:
            self._lost_starts += 1
            if self._lost_starts >= STARTS_LOST:
                raise WorkersLost(f"Worker processes die at start ({value[0]}):\n{value[1]}")
