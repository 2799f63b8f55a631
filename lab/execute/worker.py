"""A worker process: receives tasks one after another, executes them, and writes the records.

Each worker has one thread, so that a result does not depend on the number of cores or workers. A worker lives for
many runs, so its work can reuse for the next run what it built for the last one.
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
    """Executes the tasks that the parent sends, until the parent closes the connection.

    Sends `("ready", None)` once. Then, for each task it receives, sends any number of `("progress", event)` and one
    result of `recorded.RecordedWork.do`.

    Args:
        connection: the connection to the parent.
        log: file for the output of this process; the parent reads its last lines if the process dies.
        job: what all runs share.
        slot: number of this worker among all workers, see `lab.learn.devices.claim`.
    """
    prepare_process(log, job.devices, slot)
    work = recorded.make_work(job)
    connection.send(("ready", None))
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(work.do(task, lambda event: connection.send(("progress", event))))


def prepare_process(log: str, devices: Devices, slot: int = 0) -> None:
    """Prepares this worker process: one thread, its own devices and log, and an end together with the parent.

    Args:
        log: file for the output of this process.
        devices: the devices of each run.
        slot: number of this worker among all workers, see `lab.learn.devices.claim`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of the group; the parent ends them
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _print_to(log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    surroundings()
    claim(devices, slot)


def _print_to(log: str) -> None:
    """Redirects stdout and stderr to the log, also the output of C libraries."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(line_buffering=True)  # the last line must be in the log when the process dies
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _end_with_parent() -> None:
    """Waits for the end of the parent process, then ends this process."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
