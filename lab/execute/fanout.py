"""Fan-out: runs over worker processes, each a run at a time.

Each worker has a pipe of its own, so a worker killed in the middle of a message spoils no other's:
that rules out the shared queues of `multiprocessing.Pool`, `concurrent.futures` and their kin,
where one dead worker ends the pool or holds its lock for ever. This module writes no record but
that of a failure; what a run gave is on the disk before the worker says so.
"""

import collections
import contextlib
import dataclasses
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

import filelock

from lab.declare.machine import Devices
from lab.declare.run import Run
from lab.execute import worker
from lab.learn import startup
from lab.store.records import Record, Records

CPU = Devices()
HELD_POLL_SECONDS = 0.5
STARTS_LOST = 3  # workers that may die in a row before they are ready; then something is wrong with all


class Listener(Protocol):
    """What the fan-out tells as it goes on."""

    def progress(self, run: Run, event: dict[str, Any]) -> None:
        """A worker has done `event["done"]` of `event["total"]`; see `worker.Work`."""

    def kept(self, run: Run, record: Record) -> None:
        """A run had ended before: it is not done again."""

    def ended(self, run: Run, record: Record) -> None:
        """A run finished or diverged, here or in another process."""

    def skipped(self, run: Run, reason: str) -> None:
        """A run needs what is not there yet; nothing was recorded."""

    def failed(self, run: Run, reason: str, again: bool) -> None:
        """A run failed; `again` where it will be retried."""


@dataclasses.dataclass
class Outcome:
    """What became of the runs: metrics by run (records of a million would fill the memory), and why some failed."""

    ended: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)


class Engine(Protocol):
    """What executes the runs of a call: `FanOut` here, `lab.execute.hosts.Together`, `lab.execute.cluster.Cluster`."""

    def execute(self, runs: Sequence[Run], prepare: Callable[[], object]) -> Outcome:
        """Executes the runs that have no record yet; see `FanOut.execute`."""


class WorkersLost(RuntimeError):
    """No worker process can start; the message has the last lines of one."""


class Hand:
    """The parent's end of one worker process.

    Args:
        log: file that takes what it prints.
        main: what it does; called with its end of the pipe, the log's name and the arguments.
        arguments: as above.
        slot: which of the places for workers it has, see `lab.learn.devices.claim`.
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
        self.over = False  # it has nothing more to do, and may end
        self.run: Run | None = None

    def give(self, run: Run, force: bool) -> None:
        """Hands over a run; a worker that has just died is noticed when its answer is awaited."""
        self.run = run
        try:
            self.pipe.send((run, force))
        except OSError:
            self.process.join(1)

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
        return "\n".join(text.strip().splitlines()[-worker.LAST_LINES :])

    def kill(self) -> None:
        """Ends the process at once; whatever it holds is freed by the system."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class FanOut:
    """One call's runs, over up to `workers` processes.

    Args:
        work: `module.Class` of the `worker.Work` to do.
        records: where records go.
        environment: copied into every record.
        listener: told of progress.
        workers: largest number of processes.
        retries: how often a failed run is tried again.
        force: run even what has a record.
        devices: what each worker computes on.
        spare: done once, when a worker has nothing more to do while others still work.
    """

    def __init__(
        self,
        work: str,
        records: Records,
        environment: Record,
        listener: Listener,
        workers: int,
        retries: int = 0,
        force: bool = False,
        devices: Devices = CPU,
        spare: Callable[[], object] | None = None,
    ) -> None:
        self.work = work
        self.records = records
        self.environment = environment
        self.listener = listener
        self.workers = workers
        self.retries = retries
        self.force = force
        self.devices = devices
        self._spare = spare
        self.outcome = Outcome()
        self._hands: list[Hand] = []
        self._waiting: collections.deque[Run] = collections.deque()
        self._held: dict[str, tuple[Run, float]] = {}
        self._unmet: set[str] = set()  # runs that others of this call need, and that have not ended
        self._attempts: collections.Counter[str] = collections.Counter()
        self._started = 0
        self._lost_starts = 0

    def execute(self, runs: Sequence[Run], prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes the runs that have no record yet, and waits for those another process is at.

        Args:
            runs: what to do, in this order.
            prepare: done while the first workers start, before any run; what it raises ends the call.

        Raises:
            WorkersLost: worker processes die before they can work.
            OSError: records cannot be written (disk full, folder not writable).
        """
        needed = {need.key for run in runs for need in run.needs}
        for run in runs:
            ended = None if self.force else self.records.find(run)
            if ended:  # no worker need start for it
                self.outcome.ended[run.key] = ended["metrics"]
                self.listener.kept(run, ended)
            else:
                self._waiting.append(run)
                self._unmet |= {run.key} & needed if needed else set()
        with tempfile.TemporaryDirectory() as scratch:
            try:
                self._staff(Path(scratch))
                prepare()
                while self._waiting or self._held or any(hand.run for hand in self._hands):
                    self._take_back_held()
                    self._staff(Path(scratch))
                    self._assign()
                    self._use_spare_time()
                    self._listen()
            finally:
                for hand in self._hands:
                    hand.kill()
                self._hands.clear()
        return self.outcome

    def _staff(self, scratch: Path) -> None:
        wanted = min(self.workers, len(self._waiting) + sum(hand.run is not None for hand in self._hands))
        while len(self._hands) < wanted:
            slot = min(set(range(wanted)) - {hand.slot for hand in self._hands})  # one that a dead worker left, too
            arguments = (self.work, self.records, self.environment, self.devices, slot)
            self._hands.append(Hand(scratch / f"worker{self._started}.log", worker.main, arguments, slot))
            self._started += 1

    def _assign(self) -> None:
        for hand in self._hands:
            if hand.ready and hand.run is None and (run := self._next()):
                hand.give(run, self.force)

    def _next(self) -> Run | None:
        """Takes the first waiting run whose needs are met; another would read a network about to be replaced."""
        for place, run in enumerate(self._waiting):
            if not self._unmet or self._unmet.isdisjoint(need.key for need in run.needs):
                del self._waiting[place]
                return run
        return None

    def _use_spare_time(self) -> None:
        if self._spare and not self._waiting and not all(hand.run for hand in self._hands):
            self._spare()
            self._spare = None

    def _listen(self) -> None:
        pipes = {hand.pipe: hand for hand in self._hands}
        timeout = HELD_POLL_SECONDS if self._held else None
        if not pipes:
            time.sleep(HELD_POLL_SECONDS)
            return
        for pipe in connection.wait(list(pipes), timeout):
            hand = pipes[pipe]  # type: ignore[index]
            kind, value = hand.answer()
            getattr(self, f"_on_{kind}")(hand, value)

    def _on_ready(self, hand: Hand, value: None) -> None:
        hand.ready = True
        self._lost_starts = 0

    def _on_progress(self, hand: Hand, event: dict[str, Any]) -> None:
        assert hand.run
        self.listener.progress(hand.run, event)

    def _on_ended(self, hand: Hand, record: Record) -> None:
        run = self._finish(hand)
        self.outcome.ended[run.key] = record["metrics"]
        self._unmet.discard(run.key)
        self.listener.ended(run, record)

    def _on_held(self, hand: Hand, value: None) -> None:
        run = self._finish(hand)
        self._held[run.key] = (run, time.monotonic() + HELD_POLL_SECONDS)

    def _on_skipped(self, hand: Hand, reason: str) -> None:
        run = self._finish(hand)
        self._unmet.discard(run.key)
        self.listener.skipped(run, reason)

    def _on_unwritable(self, hand: Hand, reason: str) -> None:
        raise OSError(reason)

    def _on_failed(self, hand: Hand, value: tuple[str, str]) -> None:
        self._fail(self._finish(hand), *value)

    def _on_died(self, hand: Hand, value: tuple[str, str]) -> None:
        self._hands.remove(hand)
        hand.kill()
        if hand.run:
            self._fail(self._finish(hand), *value)
        elif not hand.ready:
            self._lost_starts += 1
            if self._lost_starts >= STARTS_LOST:
                raise WorkersLost(f"Worker processes die at start ({value[0]}):\n{value[1]}")

    def _fail(self, run: Run, reason: str, last_lines: str) -> None:
        self._attempts[run.key] += 1
        again = self._attempts[run.key] <= self.retries
        self.listener.failed(run, reason, again)
        if again:
            self._waiting.append(run)
            return
        self.outcome.failed[run.key] = reason
        self._unmet.discard(run.key)
        # Where another call is at this run by now, what comes of that will stand.
        with contextlib.suppress(filelock.Timeout), self.records.lock(run).acquire(blocking=False):
            self.records.save_failed(run, reason, last_lines)

    def _finish(self, hand: Hand) -> Run:
        assert hand.run
        run, hand.run = hand.run, None
        return run

    def _take_back_held(self) -> None:
        """Runs that another process is at are looked at again from time to time: it may have died."""
        now = time.monotonic()
        for key, (run, due) in list(self._held.items()):
            if now >= due:
                del self._held[key]
                self._waiting.append(run)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (as the system does when memory runs out)" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"
    return f"the worker ended with exit code {exit_code}"
