"""A worker process: takes tasks one after another, does the work, and writes the records.

Each worker is pinned to one thread, so that a result does not depend on how many cores or workers there are. It
lives for many runs, and its work may keep what it built for one for the next.
"""

import io
import os
import signal
import sys
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection

from lab.declare.machine import Devices
from lab.execute import recorded
from lab.execute.job import Job
from lab.learn.devices import claim
from lab.learn.surroundings import surroundings


def main(connection: Connection, log: str, job: Job, slot: int = 0) -> None:
    """Serves the parent until it closes the connection or this process dies.

    Sends `("ready", None)` once; then receives tasks, and for each sends any number of `("progress", event)` and
    then one answer of `recorded.RecordedWork.do`.

    Args:
        connection: to the parent.
        log: file that takes what the process prints, for the last lines of one that dies.
        job: what all runs share.
        slot: which place among the workers this one has, see `lab.learn.devices.claim`.
    """
    settle(log, job.devices, slot)
    work = recorded.begin(job)
    connection.send(("ready", None))
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(work.do(task, lambda event: connection.send(("progress", event))))


def settle(log: str, devices: Devices, slot: int = 0) -> None:
    """What every worker process does first: one thread, its own devices, its log, and an end when the parent ends.

    Args:
        log: file that takes what the process prints.
        devices, slot: what to compute on, see `lab.learn.devices.claim`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _print_to(log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    surroundings()
    claim(devices, slot)


def _print_to(log: str) -> None:
    """Sends both output streams, C libraries' too, to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True)  # what is printed last must be there when the process dies
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, whatever ended it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
