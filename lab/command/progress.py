"""Shows the progress of runs: bars in a terminal, one line per finished run everywhere."""

import collections
import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft

from lab.declare.run import Run
from lab.store.record import Record

LOG_WIDTH = 140


class Display:
    """Shows the progress and the outcome of each run. It is a `lab.execute.attempts.Listener`; make it by `watch`."""

    def __init__(self, console: Console, progress: Progress, title: str, total: int) -> None:
        self.console = console
        self.total = total
        self.done = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self._progress = progress
        self._fractions: dict[str, float] = {}
        self._lines: dict[str, TaskID] = {}
        self._all = progress.add_task(title, total=total, note="starting TensorFlow")  # until something is known

    def expect(self, total: int) -> None:
        """Sets the number of runs to expect."""
        self.total = total
        self._progress.update(self._all, total=total)

    def progress(self, run: Run, event: dict[str, Any]) -> None:
        """Updates the bar of a run."""
        if run.key not in self._lines:
            self._lines[run.key] = self._progress.add_task(name(run), total=event["total"], note="")
        self._progress.update(self._lines[run.key], completed=event["done"], note=event["note"])
        self._fractions[run.key] = event["done"] / event["total"]
        self._move()

    def fetched(self, file: str, done: int, total: int) -> None:
        """Updates the bar of a download, in megabytes; prints one line when the file is complete."""
        if file not in self._lines:
            self._lines[file] = self._progress.add_task(f"fetching {file}", total=total / 1e6, note="MB")
        self._progress.update(self._lines[file], completed=done / 1e6)
        if done == total:
            self._progress.remove_task(self._lines.pop(file))
            self.console.print(f"fetched {file}, {total / 1e6:,.1f} MB", markup=False, highlight=False)

    def kept(self, run: Run, record: Record) -> None:
        """Prints one line for a run that already has a record, from an earlier or a parallel call."""
        self.counts["kept"] += 1
        self._line(run, f"kept from before: {_outcome(record)}")

    def ended(self, run: Run, record: Record) -> None:
        """Prints one line for a run that finished or diverged."""
        self.counts[record.status] += 1
        self._line(run, _outcome(record))

    def skipped(self, run: Run, reason: str) -> None:
        """Prints one line for a run whose input, the output of another run, is missing."""
        self.counts["skipped"] += 1
        self._line(run, f"skipped: {reason}")

    def failed(self, run: Run, reason: str, again: bool) -> None:
        """Prints one line for a run that failed."""
        self.counts["failed"] += not again
        self._line(run, f"failed: {reason}" + (" (will be tried again)" if again else ""), done=not again)

    def summary(self) -> str:
        """One sentence: how many runs were kept from earlier calls, and how those of this call ended."""
        now = {word: count for word, count in self.counts.items() if word != "kept" and count}
        outcomes = f" ({', '.join(f'{count} {word}' for word, count in now.items())})" if now else ""
        kept = self.counts["kept"]
        return f"{kept} run{'s' * (kept != 1)} kept from before, {sum(now.values())} ran now{outcomes}."

    def _line(self, run: Run, text: str, done: bool = True) -> None:
        self.done += done
        self._fractions.pop(run.key, None)
        if run.key in self._lines:
            self._progress.remove_task(self._lines.pop(run.key))
        self.console.print(f"[{self.done}/{self.total}] {name(run)}: {text}", markup=False, highlight=False)
        self._move()

    def _move(self) -> None:
        self._progress.update(self._all, completed=self.done + sum(self._fractions.values()), note="")


class Screen(Console):
    """A console that raises BrokenPipeError when the reader of its output has gone, as after `| head`.

    Rich itself would end the process with exit code 1. `lab.command.main` decides on the exit code instead.
    """

    def on_broken_pipe(self) -> None:
        """Raises the BrokenPipeError that is being handled."""
        raise


def _outcome(record: Record) -> str:
    """The outcome of a run in a few words: "finished, test error 0.95 %, 12.3 s"."""
    names = ("test_error_percent", "validation_accuracy", "train_seconds")
    error, validation, seconds = (record.metrics.get(name) for name in names)
    words = [record.status]
    words += [f"test error {error:.2f} %"] if error is not None else []
    words += [f"validation accuracy {validation:.4f}"] if error is None and validation is not None else []
    words += [f"{seconds:.1f} s"] if seconds is not None else []
    return ", ".join(words)


def screen() -> Console:
    """Returns a console for the terminal, or one of fixed width for a log file."""
    terminal = Screen()
    return terminal if terminal.is_terminal else Screen(width=LOG_WIDTH)


@contextlib.contextmanager
def watch(console: Console, title: str, total: int) -> Iterator[Display]:
    """Yields a display that lasts as long as the block. Without a terminal it has no bars.

    Args:
        console: where it prints.
        title: label of the bar over all runs.
        total: number of runs.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:g}"),
        TimeElapsedColumn(),
        TimeLeft(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with progress:
        yield Display(console, progress, title, total)


def name(run: Run) -> str:
    """The name of a run in messages: "lenet5 on mnist, seed 0"."""
    return f"{run.variant} on {run.dataset}, seed {run.seed}"
