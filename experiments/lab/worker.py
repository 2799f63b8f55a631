"""A worker process: takes runs one after another, trains, and writes their records.

Each worker is pinned to one thread, so that a result does not depend on how many cores or workers
there are. It keeps the data set and the traced graph of its last variant for the runs that follow.
"""

import os
import signal
import sys
import threading
import traceback
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import filelock

from experiments.lab.records import Record, Records
from experiments.lab.spec import Run

if TYPE_CHECKING:
    from experiments.lab.training import Trainer

LAST_LINES = 20
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(connection: Connection, log: str, records: Records, environment: Record) -> None:
    """Serves the fan-out until it closes the connection or dies.

    Receives `(run, force)`, answers any number of `("progress", event)` and then one of
    `("ended", record)`, `("held", None)` where another process is at this run, or
    `("failed", (reason, last lines))`.

    Args:
        connection: to the fan-out.
        log: file that takes what the process prints, for the last lines of one that dies.
        records: where the records go.
        environment: versions, commit and processor, copied into every record.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the fan-out decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _print_to(log)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREADS, "1"), TF_CPP_MIN_LOG_LEVEL="2")
    desk = Desk(records, environment)
    connection.send(("ready", None))
    while True:
        try:
            run, force = connection.recv()
        except EOFError:
            return
        connection.send(_answer(desk, run, force, connection))


def _answer(desk: "Desk", run: Run, force: bool, connection: Connection) -> tuple[str, Any]:
    try:
        with desk.records.lock(run).acquire(blocking=False):
            ended = None if force else desk.records.find(run)
            return "ended", ended or desk.execute(run, connection)
    except filelock.Timeout:
        return "held", None
    except OSError as error:
        return "unwritable", str(error)
    except Exception as error:
        lines = traceback.format_exc().strip().splitlines()[-LAST_LINES:]
        return "failed", (f"{type(error).__name__}: {error}", "\n".join(lines))


class Desk:
    """What a worker keeps between runs: the framework, the data and the last variant's graph."""

    def __init__(self, records: Records, environment: Record) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
        self.records = records
        self.environment = environment
        self._kept: tuple[object, Trainer] | None = None

    def execute(self, run: Run, connection: Connection) -> Record:
        """Trains and records one run; the caller holds its lock."""
        trainer = self._trainer(run)
        outcome = trainer.run(run.seed, lambda event: connection.send(("progress", event)))
        outcome["environment"] = self.environment | {"dataset_sha256": trainer.dataset.checksum}
        return self.records.save(run, outcome, trainer.model.save)

    def _trainer(self, run: Run) -> "Trainer":
        from experiments.lab import data, training

        graph = (run.dataset, run.settings)
        if self._kept is None or self._kept[0] != graph:
            dataset = self._kept[1].dataset if self._kept and self._kept[1].dataset.name == run.dataset else None
            self._kept = None  # frees the old graph before the new one is built
            self._kept = (graph, training.Trainer(run.settings, dataset or data.load(run.dataset)))
        return self._kept[1]


def _print_to(log: str) -> None:
    """Sends both output streams, C libraries' too, to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _die_with_parent() -> None:
    """Ends this process when the one that started it is gone, whatever ended it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
