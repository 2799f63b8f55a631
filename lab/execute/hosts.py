"""Several hosts, one training: the same call on each, joined by the standard `TF_CONFIG`.

Every host goes through the same runs in the same order; before each they agree on which it is, and
on whether it is to be trained: the chief (the first host) knows what has a record. They train it
together, each on its share of every batch, and the chief alone writes. A host that is lost ends the
call: TensorFlow notices a dead process within seconds, and this module a silent one.
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from lab.declare.machine import Devices, Hosts
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute import worker
from lab.execute.fanout import Hand, Listener, Outcome, WorkersLost
from lab.store.records import Record, Records, Unwritable, storing

PATIENCE_SECONDS = 600.0  # for the first word of all hosts, and for a hundred steps or a record
ANSWER_SECONDS = 5.0  # for a host that is asked whether it is there
MARKS = 16  # numbers that stand for a run's name, see `marks`
TRAIN, HAVE, END = 1, 2, 3  # what the chief says of a run


class Together:
    """One call's runs, each trained by all hosts together; see `fanout.FanOut`, whose interface it has.

    Args:
        hosts: which hosts, and which of them this is.
        work: `module.Class` of the `worker.Work` to do.
        records: where the chief's records go.
        environment: copied into every record.
        listener: told of progress.
        force: run even what has a record.
        devices: what each host computes on.
        patience: seconds without a word from the worker process after which a host is taken for lost.
    """

    def __init__(
        self,
        hosts: Hosts,
        work: str,
        records: Records,
        environment: Record,
        listener: Listener,
        force: bool = False,
        devices: Devices = Devices(),  # noqa: B008 (it is frozen)
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.hosts = hosts
        self.records = records
        self.listener = listener
        self.patience = patience
        self.outcome = Outcome()
        self._next = 0  # the number of the run that the hosts agree on next
        self._closing = False
        self._task = (hosts, work, records, environment | {"hosts": len(hosts.addresses)}, force, devices, patience)

    def execute(self, runs: Sequence[Run], prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes the runs that the chief has no record of; every host must be called alike.

        Args:
            runs: what to do, in this order.
            prepare: done before any run; what it raises ends the call.

        Returns:
            What became of the runs. A run in which a host was lost is failed, and ends the call.

        Raises:
            WorkersLost: the hosts did not come together.
            OSError: records cannot be written.
        """
        prepare()
        with tempfile.TemporaryDirectory() as scratch:
            hand = Hand(Path(scratch) / "worker.log", main, (*self._task, list(runs)))
            try:
                while self._listen(hand, runs):
                    pass
            finally:
                hand.kill()
        return self.outcome

    def _listen(self, hand: Hand, runs: Sequence[Run]) -> bool:
        """Takes the next message; False where there will be none."""
        if not hand.pipe.poll(self.patience) and not self._closing:
            self._lost(hand, runs, f"no word for {self.patience:.0f} seconds: a host does not answer")
            return False
        kind, value = hand.answer()
        match kind:
            case "run":
                hand.ready, hand.run, self._next = True, runs[value], value + 1
            case "progress" if hand.run:
                self.listener.progress(hand.run, value)
            case "ended" | "kept" if hand.run:
                self.outcome.ended[hand.run.key] = value["metrics"]
                (self.listener.kept if kind == "kept" else self.listener.ended)(hand.run, value)
                hand.run = None
            case "closing":
                self._closing = True
            case "unwritable":
                raise OSError(value)
            case "failed" | "died" if not self._closing:
                self._lost(hand, runs, *value)
        return kind in ("run", "progress", "ended", "kept", "closing")

    def _lost(self, hand: Hand, runs: Sequence[Run], reason: str, last_lines: str | None = None) -> None:
        lines = hand.last_lines() if last_lines is None else last_lines
        if not hand.ready:
            raise WorkersLost(f"The hosts {', '.join(self.hosts.addresses)} did not come together: {reason}\n{lines}")
        run = hand.run or runs[min(self._next, len(runs) - 1)]  # lost between two runs: the next is not begun
        hand.run = None
        self.outcome.failed[run.key] = reason
        self.listener.failed(run, reason, again=False)
        hand.kill()  # it may be silent, and hold the run's lock
        if self.hosts.chief:
            with self.records.lock(run):
                self.records.save_failed(run, reason, lines)


def main(
    connection: Connection,
    log: str,
    hosts: Hosts,
    work: str,
    records: Records,
    environment: Record,
    force: bool,
    devices: Devices,
    patience: float,
    runs: Sequence[Run],
) -> None:
    """The worker process of one host: joins the others, goes through the runs, and answers as `worker.main` does.

    It says `("run", index)` before each run, answers it by `("kept", record)` where it had ended before, and says
    `("done", None)` at the end.
    """
    worker.settle(log, devices)
    try:
        desk = worker.Desk(worker.begin(work, records), records, environment)
        council = Council(hosts, patience)
        for index, run in enumerate(runs):
            _take(connection, desk, council, index, run, force)
        council.agree("", END)
        connection.send(("closing", None))
        with contextlib.suppress(Exception):  # the others may be gone before their answer is here
            council.agree("", END)  # has an answer when all have heard the first; until then none may end
        connection.send(("done", None))
    except Unwritable as error:
        connection.send(("unwritable", str(error)))
    except Exception as error:
        lines = traceback.format_exc().strip().splitlines()[-worker.LAST_LINES :]
        connection.send(("failed", (explain(error, hosts), "\n".join(lines))))
    connection.poll(None)  # the parent ends this process


def _take(connection: Connection, desk: worker.Desk, council: "Council", index: int, run: Run, force: bool) -> None:
    with _held(desk.records, run, council.hosts.chief):
        with storing(desk.records.path(run)):
            ended = desk.records.find(run) if council.hosts.chief and not force else None
        said = council.agree(run.key, HAVE if ended else TRAIN)
        connection.send(("run", index))
        if ended:
            connection.send(("kept", ended))
        elif said == TRAIN and council.hosts.chief:
            connection.send(("ended", desk.execute(run, connection)))
        elif said == TRAIN:
            outcome, _ = desk.work.execute(run, lambda event: connection.send(("progress", event)))
            connection.send(("ended", outcome))
        else:
            connection.send(("kept", {"status": "the chief has it", "metrics": {}}))


@contextlib.contextmanager
def _held(records: Records, run: Run, chief: bool) -> Iterator[None]:
    if not chief:
        yield
        return
    lock = records.lock(run)
    with storing(records.path(run)):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Council:
    """How the hosts agree: sums over all of them, over the same wires as the gradients."""

    def __init__(self, hosts: Hosts, patience: float) -> None:
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

    def agree(self, name: str, says: int) -> int:
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
