"""A worker process: takes runs one after another, does the work, and writes their records.

Each worker is pinned to one thread, so that a result does not depend on how many cores or workers
there are. It lives for many runs, and its `Work` may keep what it built for one for the next.
"""

import contextlib
import dataclasses
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

import filelock

from lab.declare.machine import Devices
from lab.declare.run import Run, resolve
from lab.declare.work import Work
from lab.errors import Unavailable
from lab.learn.devices import claim
from lab.learn.surroundings import surroundings
from lab.store.records import Record, Records, Unwritable, storing

LAST_LINES = 20
# Keras imports these where they are installed, for wrappers, plots and data frames that no worker has. It
# starts in 2.9 s without them, and in 4.6 s with them (medians of five), each time a worker does.
KERAS_EXTRAS = ("sklearn", "matplotlib", "pandas")


def main(
    connection: Connection,
    log: str,
    work: str,
    records: Records,
    environment: Record,
    devices: Devices = Devices(),  # noqa: B008 (it is frozen)
    slot: int = 0,
) -> None:
    """Serves the fan-out until it closes the connection or dies.

    Receives `(run, force)`, answers any number of `("progress", event)` and then one of
    `("ended", record)`, `("held", None)` where another process is at this run, `("skipped", reason)`
    where it needs what is not there yet, `("unwritable", reason)` where its record cannot be written,
    or `("failed", (reason, last lines))`.

    Args:
        connection: to the fan-out.
        log: file that takes what the process prints, for the last lines of one that dies.
        work: `module.Class` of the `Work` to do.
        records: where the records go.
        environment: versions, commit and processor, copied into every record.
        devices, slot: what to compute on, see `lab.learn.devices.claim`.
    """
    settle(log, devices, slot)
    desk = Desk(begin(work, records), records, environment)
    connection.send(("ready", None))
    while True:
        try:
            run, force = connection.recv()
        except EOFError:
            return
        connection.send(answer(desk, run, force, connection))


def settle(log: str, devices: Devices, slot: int = 0) -> None:
    """What every worker process does first: one thread, its own devices, its log, and an end when the parent ends.

    Args:
        log: file that takes what the process prints.
        devices, slot: what to compute on, see `lab.learn.devices.claim`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the fan-out decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _print_to(log)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    surroundings()
    claim(devices, slot)


def begin(work: str, records: Records) -> Work:
    """The work of a worker process; its Keras starts here, without what it would import and not use.

    Args:
        work: `module.Class` of the `Work` to do.
        records: where the records go.
    """
    try:
        with _unseen(KERAS_EXTRAS):
            made: Callable[[Records], Work] = resolve(work)
    except ModuleNotFoundError:  # this work's module imports one of them itself
        made = resolve(work)
    return made(records)


@contextlib.contextmanager
def _unseen(packages: Iterable[str]) -> Iterator[None]:
    """Packages are as if not installed meanwhile, but for those that are imported already."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


def answer(desk: "Desk", run: Run, force: bool, connection: Connection) -> tuple[str, Any]:
    """Does one run, unless it has a record; the answer is one of those that `main` gives."""
    try:
        lock = desk.records.lock(run)
        with storing(desk.records.path(run)):
            held = lock.acquire(blocking=False)
    except filelock.Timeout:
        return "held", None
    except Unwritable as error:
        return "unwritable", str(error)
    with held:
        return _done(desk, run, force, connection)


def _done(desk: "Desk", run: Run, force: bool, connection: Connection) -> tuple[str, Any]:
    """As `answer`; the run's lock is held."""
    try:
        with storing(desk.records.path(run)):
            ended = None if force else desk.records.find(run)
        return "ended", ended or desk.execute(run, connection)
    except Unavailable as reason:
        return "skipped", str(reason)
    except Unwritable as error:  # which no other run would escape; any other error is of this run alone
        return "unwritable", str(error)
    except Exception as error:
        lines = traceback.format_exc().strip().splitlines()[-LAST_LINES:]
        return "failed", (f"{type(error).__name__}: {error}", "\n".join(lines))


@dataclasses.dataclass(frozen=True)
class Desk:
    """What a worker has at hand: its work, and where records go."""

    work: Work
    records: Records
    environment: Record

    def execute(self, run: Run, connection: Connection) -> Record:
        """Does and records one run; the caller holds its lock."""
        outcome, attachment = self.work.execute(run, lambda event: connection.send(("progress", event)))
        outcome["environment"] = self.environment | outcome.get("environment", {})
        return self.records.save(run, outcome, attachment)


def _print_to(log: str) -> None:
    """Sends both output streams, C libraries' too, to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True)  # what is printed last must be there when the process dies
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _die_with_parent() -> None:
    """Ends this process when the one that started it is gone, whatever ended it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
