"""The worker process of one host among several that train each run together."""

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
from lab.store.records import Unwritable, storing

ANSWER_SECONDS = 5.0  # for a host that is asked whether it is there
MARKS = 16  # numbers that stand for a run's name, see `marks`
TRAIN, HAVE, END = 1, 2, 3  # what the chief says of a run


def main(connection: Connection, log: str, job: Job, hosts: Hosts, tasks: Sequence[Task]) -> None:
    """Joins the other hosts and goes through the tasks with them.

    Sends `("run", index)` before each run that all train, then what `worker.main` sends; `("closing", None)` when
    all runs are done, and `("done", None)` at the end.

    Args:
        connection: to the parent.
        log: file that takes what the process prints.
        job: what all runs share.
        hosts: which hosts, and which of them this is.
        tasks: the runs, the same on all hosts.
    """
    worker.settle(log, job.devices)
    try:
        work = recorded.begin(job)
        agreement = Agreement(hosts)
        for index, task in enumerate(tasks):
            _take(connection, work, agreement, index, task)
        agreement.reach("", END)
        connection.send(("closing", None))
        with contextlib.suppress(Exception):  # the others may be gone before their answer is here
            agreement.reach("", END)  # has an answer when all have heard the first; until then none may end
        connection.send(("done", None))
    except Unwritable as error:
        connection.send(("unwritable", str(error)))
    except Exception as error:
        _, lines = recorded.failure(error)
        connection.send(("failed", (explain(error, hosts), lines)))
    connection.poll(None)  # the parent ends this process


def _take(connection: Connection, work: RecordedWork, agreement: "Agreement", index: int, task: Task) -> None:
    """One run, trained by all hosts unless the chief has its record; the chief alone records it."""
    records, chief = work.job.records, agreement.hosts.chief
    with _held(work.job, task, chief):
        with storing(records.path(task.run)):
            kept = records.find(task.run) if chief and not work.job.force else None
        said = agreement.reach(task.run.key, HAVE if kept else TRAIN)
        connection.send(("run", index))
        report = lambda event: connection.send(("progress", event))  # noqa: E731
        if kept:
            connection.send(("kept", kept))
        elif said == TRAIN and chief:
            connection.send(("ended", work.execute(task, report)))
        elif said == TRAIN:
            outcome, _ = work.work.execute(task.run, report)
            connection.send(("ended", outcome))
        else:
            connection.send(("kept", {"status": "the chief has it", "metrics": {}}))


@contextlib.contextmanager
def _held(job: Job, task: Task, chief: bool) -> Iterator[None]:
    """Holds the lock of a run, on the chief."""
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
    """How the hosts agree on the next run: by sums over all of them, over the same wires as the gradients."""

    def __init__(self, hosts: Hosts) -> None:
        import tensorflow as tf

        from lab.learn import devices

        self.hosts = hosts
        self.strategy = strategy = devices.strategy()
        each = strategy.num_replicas_in_sync // len(hosts.addresses)

        @tf.function(input_signature=[tf.TensorSpec([len(hosts.addresses) * MARKS + 1], tf.float32)])
        def total(words: tf.Tensor) -> tf.Tensor:
            def summed() -> tf.Tensor:
                return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(words))  # on its device

            sums = strategy.run(summed)
            return strategy.experimental_local_results(sums)[0] / each

        self._total = total

    def reach(self, name: str, says: int) -> int:
        """Returns what the chief says of the run of this name, when all have named the same.

        Raises:
            UsageError: another host names another run.
        """
        mine, place = marks(name), self.hosts.index * MARKS
        words = [0.0] * (len(self.hosts.addresses) * MARKS + 1)
        words[place : place + MARKS] = mine
        if self.hosts.chief:
            words[-1] = says
        *sums, said = self._total(words).numpy().tolist()
        theirs = [sums[start : start + MARKS] for start in range(0, len(sums), MARKS)]
        if odd := [address for address, other in zip(self.hosts.addresses, theirs, strict=True) if other != mine]:
            raise UsageError(
                f"{' and '.join(odd)} was called for other runs than {self.hosts.address}; call all alike."
            )
        return int(said)


def marks(name: str) -> list[float]:
    """A name's whole SHA-256 digest in numbers that float32 holds exactly, also as sums with zeros: 16 bits each."""
    digest = hashlib.sha256(name.encode()).digest()
    return [float(int.from_bytes(digest[start : start + 2], "big")) for start in range(0, len(digest), 2)]


def explain(error: Exception, hosts: Hosts) -> str:
    """One line that says which host was lost, where that is what happened.

    TensorFlow names the host where its own watch noticed the loss first. Where a wire broke first its error
    names none, and whoever no longer listens was lost.
    """
    if type(error).__name__ not in ("UnavailableError", "AbortedError", "DeadlineExceededError", "CancelledError"):
        return f"{type(error).__name__}: {error}"
    told = re.findall(r"^/job:(chief|worker)/replica:\d+/task:(\d+)$", str(error), re.MULTILINE)
    jobs = json.loads(os.environ["TF_CONFIG"])["cluster"]
    others = [address for address in hosts.addresses if address != hosts.address]
    lost = [jobs[job][int(task)] for job, task in told] or [address for address in others if not _listens(address)]
    return f"{' and '.join(lost) or 'a host'} was lost; call all hosts again"


def _listens(address: str) -> bool:
    """Whether somebody takes connections there; nobody does for a process that has died."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
