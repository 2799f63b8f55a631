"""One worker process, as its parent sees it."""

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

    A worker has a pipe of its own, so that one killed in the middle of a message spoils no other's: that rules
    out the shared queues of `multiprocessing.Pool` and `concurrent.futures`, where one dead worker ends the
    pool or holds its lock for ever.

    Args:
        log: file that takes what the process prints.
        main: what the process does; called with its end of the pipe, the log's name and the arguments.
        arguments: as above.
        slot: which place among the workers it has, see `lab.learn.devices.claim`.
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
        """Sends a task; that the worker has just died is noticed when its answer is awaited."""
        self.task = task
        try:
            self.pipe.send(task)
        except OSError:
            self.process.join(1)

    def take_task(self) -> Task:
        """The current task, which the worker has no longer."""
        assert self.task
        task, self.task = self.task, None
        return task

    def answer(self) -> tuple[str, Any]:
        """The next message; `("died", (reason, last lines))` where the process is gone."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return "died", (_how(self.process.exitcode), self.last_lines())

    def last_lines(self) -> str:
        """The end of what the process printed, without what TensorFlow prints at its start."""
        text = startup.without_lines(self.log.read_text(errors="replace")) if self.log.exists() else ""
        return "\n".join(text.strip().splitlines()[-LAST_LINES:])

    def kill(self) -> None:
        """Ends the process at once; the system frees whatever it holds."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (as the system does when memory runs out)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"
    return f"the worker ended with exit code {exit_code}"
