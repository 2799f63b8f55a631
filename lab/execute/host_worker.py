"""The worker process of one host, when several hosts train each run together."""

import contextlib
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from lab.declare.machine import Hosts
from lab.errors import UsageError
from lab.execute import recorded, worker
from lab.execute.job import Job, Task
from lab.execute.recorded import RecordedWork
from lab.store.record import Record
from lab.store.records import Unwritable, storing

CONNECT_SECONDS = 5.0  # for a connection to another host
FINGERPRINT_SIZE = 16  # numbers in the fingerprint of a run, see `fingerprint`
TRAIN, SKIP, END = 1, 2, 3  # the chief's decision: train this run; skip it, as it has a record; no more runs


def main(connection: Connection, log: str, job: Job, hosts: Hosts, tasks: Sequence[Task]) -> None:
    """Connects to the other hosts and executes the tasks together with them.

    Sends `("run", index)` before each run, then the messages of `worker.main` about it; `("closing", None)` after all
    runs, and `("done", None)` at the end.

    Args:
        connection: the connection to the parent.
        log: file for the output of this process.
        job: what all runs share.
        hosts: all hosts, and which of them this is.
        tasks: the runs, the same on all hosts.
    """
    worker.prepare_process(log, job.devices)
    try:
        work = recorded.make_work(job)
        agreement = Agreement(hosts)
        for index, task in enumerate(tasks):
            _execute(connection, work, agreement, index, task)
        agreement.reach("", END)
        connection.send(("closing", None))
        with contextlib.suppress(Exception):  # another host may end before this sum is complete
            agreement.reach("", END)  # no host may end before all have received the first END
        connection.send(("done", None))
    except Unwritable as error:
        connection.send(("unwritable", str(error)))
    except Exception as error:
        _, lines = recorded.failure(error)
        connection.send(("failed", (explain(error, hosts), lines)))
    connection.poll(None)  # the parent ends this process


def _execute(connection: Connection, work: RecordedWork, agreement: "Agreement", index: int, task: Task) -> None:
    """Executes one run on all hosts, unless the chief has its record. Only the chief records it."""
    records, chief = work.job.records, agreement.hosts.chief
    with _locked(work.job, task, chief):
        with storing(records.path(task.run)):
            kept = records.find(task.run) if chief and not work.job.force else None
        decision = agreement.reach(task.run.key, SKIP if kept else TRAIN)
        connection.send(("run", index))
        report = lambda event: connection.send(("progress", event))  # noqa: E731
        if kept:
            connection.send(("kept", kept))
        elif decision == TRAIN and chief:
            connection.send(("ended", work.execute(task, report)))
        elif decision == TRAIN:
            outcome, _ = work.work.execute(task.run, report)
            connection.send(("ended", Record.from_json({"specification": task.run.specification(), **outcome})))
        else:
            connection.send(("kept", Record(task.run.specification(), "recorded by the chief")))


@contextlib.contextmanager
def _locked(job: Job, task: Task, chief: bool) -> Iterator[None]:
    """Holds the lock of a run within the block, on the chief only."""
    if not chief:
        yield
        return
    lock = job.records.lock(task.run)
    with storing(job.records.path(task.run)):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Agreement:
    """Lets the hosts agree on the next run, by sums over all hosts (the operation that also adds up gradients).

    Args:
        hosts: all hosts, and which of them this is.
    """

    def __init__(self, hosts: Hosts) -> None:
        import tensorflow as tf

        from lab.learn import devices

        self.hosts = hosts
        self.strategy = strategy = devices.strategy()
        each = strategy.num_replicas_in_sync // len(hosts.addresses)

        @tf.function(input_signature=[tf.TensorSpec([len(hosts.addresses) * FINGERPRINT_SIZE + 1], tf.float32)])
        def total(words: tf.Tensor) -> tf.Tensor:
            def summed() -> tf.Tensor:
                return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(words))  # copied to its device

            sums = strategy.run(summed)
            return strategy.experimental_local_results(sums)[0] / each

        self._total = total

    def reach(self, name: str, decision: int) -> int:
        """Waits for all hosts, checks that they name the same run, and returns the chief's decision.

        Args:
            name: the key of the run that this host expects next.
            decision: TRAIN, SKIP or END; only the chief's counts.

        Raises:
            UsageError: another host names another run.
        """
        mine, place = fingerprint(name), self.hosts.index * FINGERPRINT_SIZE
        words = [0.0] * (len(self.hosts.addresses) * FINGERPRINT_SIZE + 1)
        words[place : place + FINGERPRINT_SIZE] = mine
        if self.hosts.chief:
            words[-1] = decision
        *sums, decided = self._total(words).numpy().tolist()
        theirs = [sums[start : start + FINGERPRINT_SIZE] for start in range(0, len(sums), FINGERPRINT_SIZE)]
        if odd := [address for address, other in zip(self.hosts.addresses, theirs, strict=True) if other != mine]:
            raise UsageError(
                f"{' and '.join(odd)} was called for other runs than {self.hosts.address}; make the same call on all."
            )
        return int(decided)


def fingerprint(name: str) -> list[float]:
    """The SHA-256 digest of a name as sixteen 16-bit numbers. float32 holds each, and its sum with zeros, exactly."""
    digest = hashlib.sha256(name.encode()).digest()
    return [float(int.from_bytes(digest[start : start + 2], "big")) for start in range(0, len(digest), 2)]


def explain(error: Exception, hosts: Hosts) -> str:
    """The error in one line; if a host was lost, the line names it.

    TensorFlow's error names the lost host if its heartbeat noticed the loss. If a connection broke first, the error
    names none; then the hosts that no longer accept connections are the lost ones.
    """
    if type(error).__name__ not in ("UnavailableError", "AbortedError", "DeadlineExceededError", "CancelledError"):
        return f"{type(error).__name__}: {error}"
    named = re.findall(r"^/job:(chief|worker)/replica:\d+/task:(\d+)$", str(error), re.MULTILINE)
    jobs = json.loads(os.environ["TF_CONFIG"])["cluster"]
    others = [address for address in hosts.addresses if address != hosts.address]
    lost = [jobs[job][int(task)] for job, task in named] or [address for address in others if not _listens(address)]
    return f"{' and '.join(lost) or 'a host'} was lost; call all hosts again"


def _listens(address: str) -> bool:
    """Whether a process accepts connections at this address."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
