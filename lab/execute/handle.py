"""The parent's handle of one worker process."""

import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.execute.job import Task
from lab.execute.recorded import LAST_LINES
from lab.learn import startup


class WorkerHandle:
    """Pipe, log and current task of one worker process.

    Each worker has its own pipe, so that a worker killed in the middle of a message disturbs no other. The shared
    queues of `multiprocessing.Pool` and `concurrent.futures` do not work here: there, one dead worker ends the pool
    or holds its lock for ever.

    Args:
        log: file for the output of the process.
        main: the function that the process executes. It is called with the process's end of the pipe, the log's
            name, and `arguments`.
        arguments: further arguments of `main`.
        slot: number of this worker among all workers, see `lab.learn.devices.claim`.
    """

    def __init__(self, log: Path, main: Callable[..., None], arguments: tuple[Any, ...], slot: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self.log = log
        self.slot = slot
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=main, args=(theirs, str(log), *arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        """Sends a task to the worker. If the worker has just died, `answer` will say so."""
        self.task = task
        try:
            self.pipe.send(task)
        except OSError:
            self.process.join(1)

    def take_task(self) -> Task:
        """Returns the current task, and marks the worker as free."""
        assert self.task
        task, self.task = self.task, None
        return task

    def answer(self) -> tuple[str, Any]:
        """Waits for the next message of the worker; `("died", (reason, last_lines))` if the process has ended."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return "died", (_end_of(self.process.exitcode), self.last_lines())

    def last_lines(self) -> str:
        """The last lines of the process's output, without TensorFlow's start-up lines."""
        text = startup.without_lines(self.log.read_text(errors="replace")) if self.log.exists() else ""
        return "\n".join(text.strip().splitlines()[-LAST_LINES:])

    def kill(self) -> None:
        """Kills the process. The operating system releases its locks and memory."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _end_of(exit_code: int | None) -> str:
    """Says how a process ended."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (as the system does when memory runs out)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"
    return f"the worker ended with exit code {exit_code}"
