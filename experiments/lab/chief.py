"""The chief of a search and its worker processes, on this host and on others.

KerasTuner's oracle answers over KerasTuner's own gRPC service. Its chief would wait for ever for a
worker that died, and its workers an hour for a chief: here a dead process of this host is noticed at
once, one of another host by its silence, and its trial is tried again by somebody else. TensorFlow and
KerasTuner are imported where they are needed, as a worker must first be told its devices.
"""

import contextlib
import dataclasses
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import filelock

from experiments.lab import worker
from experiments.lab.devices import Devices, Layout
from experiments.lab.fanout import STARTS_LOST, Hand, Listener, WorkersLost
from experiments.lab.records import Record, Records
from experiments.lab.search import Address, Journal, Search, Trial, journal
from experiments.lab.spec import UsageError, resolve

if TYPE_CHECKING:
    from keras_tuner.src.engine.trial import Trial as KerasTunerTrial

    from experiments.lab.oracles import Bayesian, Hyperband, Random

POLL_SECONDS = 0.5
SILENCE_SECONDS = 60.0  # a worker of another host that says nothing for so long is taken for dead
PARTING_SECONDS = 10.0  # in which workers of other hosts hear that the search is over


class Display(Listener, Protocol):
    """A listener that is told how many runs there will be."""

    def expect(self, total: int) -> None:
        """The number of runs, once it is known."""


@dataclasses.dataclass(frozen=True)
class Terms:
    """What all worker processes of a search are given.

    Attributes:
        work: `module.Class` of the `worker.Work` to do.
        search: what is searched.
        records: where records go.
        environment: copied into every record.
        layout: how many workers, and what each computes on.
        retries: how often a run that fails is tried again.
        force: run even what has a record.
    """

    work: str
    search: Search
    records: Records
    environment: Record
    layout: Layout
    retries: int = 0
    force: bool = False


@dataclasses.dataclass(frozen=True)
class Loss:
    """A worker process that died: how the oracle knew it, and what it left."""

    tuner_id: str
    reason: str
    last_lines: str


class Crew:
    """The worker processes of a search on this host.

    Args:
        terms: what each of them is given.
        listener: told of runs.
        scratch: folder for what they print.
    """

    def __init__(self, terms: Terms, listener: Listener, scratch: Path) -> None:
        self.terms, self.listener, self.scratch = terms, listener, scratch
        self.failed: dict[str, str] = {}
        self.losses: list[Loss] = []
        self.over = False
        self.ids: set[str] = set()
        self.hands: dict[str, Hand] = {}
        self._address: tuple[str, int] | None = None
        self._lost_starts = 0

    def staff(self) -> None:
        """Starts as many workers as are missing."""
        terms = self.terms
        while len(self.hands) < terms.layout.workers:
            slot = min(set(range(terms.layout.workers)) - {hand.slot for hand in self.hands.values()})
            tuner_id = f"tuner-{uuid.uuid4().hex}"
            log = self.scratch / f"{tuner_id}.log"
            self.hands[tuner_id] = Hand(log, enter, (terms, terms.layout.devices, slot, tuner_id), slot)
            self.ids.add(tuner_id)
            self._tell(self.hands[tuner_id])

    def meet(self, host: str, port: int) -> None:
        """Tells all workers, now and later, where the chief is."""
        self._address = (host, port)
        for hand in self.hands.values():
            self._tell(hand)

    def listen(self) -> None:
        """Takes in what the workers say, for at most `POLL_SECONDS`."""
        pipes = {hand.pipe: tuner_id for tuner_id, hand in self.hands.items()}
        if not pipes:
            time.sleep(POLL_SECONDS)
            return
        for pipe in connection.wait(list(pipes), POLL_SECONDS):
            tuner_id = pipes[pipe]  # type: ignore[index]
            kind, value = self.hands[tuner_id].answer()
            getattr(self, f"_on_{kind}")(tuner_id, self.hands[tuner_id], value)

    def disband(self) -> None:
        """Ends all workers at once."""
        for hand in self.hands.values():
            hand.kill()
        self.hands.clear()

    def _tell(self, hand: Hand) -> None:
        if self._address:
            with contextlib.suppress(OSError):  # it has died, which is noticed when it is listened to
                hand.pipe.send(self._address)

    def _on_ready(self, tuner_id: str, hand: Hand, value: None) -> None:
        hand.ready = True
        self._lost_starts = 0

    def _on_begun(self, tuner_id: str, hand: Hand, run: Any) -> None:
        hand.run = run

    def _on_progress(self, tuner_id: str, hand: Hand, event: dict[str, Any]) -> None:
        assert hand.run
        self.listener.progress(hand.run, event)

    def _on_ended(self, tuner_id: str, hand: Hand, record: Record) -> None:
        assert hand.run
        self.listener.ended(hand.run, record)
        hand.run = None

    def _on_failed(self, tuner_id: str, hand: Hand, value: tuple[tuple[str, str], bool]) -> None:
        assert hand.run
        (reason, _), again = value
        self.listener.failed(hand.run, reason, again)
        if not again:
            self.failed[hand.run.key] = reason
            hand.run = None

    def _on_unwritable(self, tuner_id: str, hand: Hand, reason: str) -> None:
        raise OSError(reason)

    def _on_over(self, tuner_id: str, hand: Hand, value: None) -> None:
        self.over = hand.over = True

    def _on_lost(self, tuner_id: str, hand: Hand, reason: str) -> None:
        raise UsageError(f"No chief of a search answers ({reason}). What was recorded is kept; call again with one.")

    def _on_died(self, tuner_id: str, hand: Hand, value: tuple[str, str]) -> None:
        del self.hands[tuner_id]
        hand.kill()
        if hand.over:
            return
        if hand.run:
            self.listener.failed(hand.run, value[0], True)
        self.losses.append(Loss(tuner_id, *value))
        if not hand.ready:
            self._lost_starts += 1
            if self._lost_starts >= STARTS_LOST:
                raise WorkersLost(f"Worker processes die at start ({value[0]}):\n{value[1]}")


class Chief:
    """A search led by this process.

    Args:
        terms: what is searched, and how.
        display: told of runs.
        address: where workers of other hosts find it; None: there are none.
    """

    def __init__(self, terms: Terms, display: Display, address: Address | None = None) -> None:
        self.terms, self.display, self.address = terms, display, address
        self.failed: dict[str, str] = {}

    def lead(self, prepare: Callable[[], object] = lambda: None) -> list[Trial]:
        """Searches until all trials have ended, from wherever an earlier call was.

        Args:
            prepare: done while the first workers start; what it raises ends the call.

        Raises:
            UsageError: another process is at this very search, or the address cannot be had.
            WorkersLost: worker processes die before they can work.
            OSError: records or the journal cannot be written.
        """
        kept = journal(self.terms.search, self.terms.records)
        if self.terms.force:
            kept.clear()
        with tempfile.TemporaryDirectory() as scratch, _alone(kept):
            crew = Crew(self.terms, self.display, Path(scratch))
            try:
                if not kept.events:  # else there may be nothing left to do
                    crew.staff()  # they start while KerasTuner is imported here
                prepare()
                oracle = self._oracle(kept)
                if oracle.anything_left():
                    with _served(oracle, self.address) as port:
                        crew.meet(self.address.host if self.address else "127.0.0.1", port)
                        self._follow(oracle, crew)
            finally:
                crew.disband()
        self.failed |= crew.failed
        return [self._trial(trial) for trial in oracle.ended()]

    def _oracle(self, kept: Journal) -> "Random | Bayesian | Hyperband":
        worker.surroundings()
        from experiments.lab import oracles

        losses = max(self.terms.retries, 1)
        oracle = oracles.make(self.terms.search)
        try:
            oracle.remember(kept, losses)
        except ValueError as reason:
            print(f"{kept.path}: {reason}, so the search decides anew; finished runs are not repeated.", flush=True)
            kept.clear()
            oracle = oracles.make(self.terms.search)
            oracle.remember(kept, losses)
        self.display.expect(oracle.trials_in_all() * self.terms.search.seeds)
        for trial in oracle.ended():
            for run in self.terms.search.runs(trial.hyperparameters.values):
                if record := self.terms.records.find(run):
                    self.display.ended(run, record)
        return oracle

    def _follow(self, oracle: "Random | Bayesian | Hyperband", crew: Crew) -> None:
        while not oracle.over() or crew.hands:
            if oracle.hiring():
                crew.staff()
            crew.listen()
            while crew.losses:
                loss = crew.losses.pop()
                self._mourn(oracle.lose_worker(loss.tuner_id), loss.reason, loss.last_lines)
            for tuner_id in set(oracle.silent(SILENCE_SECONDS)) - crew.ids:
                reason = f"its worker, on another host, has said nothing for {SILENCE_SECONDS:g} s"
                self._mourn(oracle.lose_worker(tuner_id), reason, "")
            if oracle.error:
                raise oracle.error
        patience = time.monotonic() + PARTING_SECONDS
        while oracle.tuner_ids - crew.ids and time.monotonic() < patience:
            time.sleep(POLL_SECONDS)

    def _mourn(self, lost: "tuple[KerasTunerTrial, bool] | None", reason: str, last_lines: str) -> None:
        """Records the runs of a trial that will not be tried again as failed."""
        if not lost or lost[1]:
            return
        for run in self.terms.search.runs(lost[0].hyperparameters.values):
            with self.terms.records.lock(run):
                if not self.terms.records.find(run):
                    self.terms.records.save_failed(run, reason, last_lines)
                    self.display.failed(run, reason, False)
                    self.failed[run.key] = reason

    def _trial(self, trial: "KerasTunerTrial") -> Trial:
        training = self.terms.search.training(trial.hyperparameters.values)
        return Trial(int(trial.trial_id) + 1, training, trial.score)


def assist(terms: Terms, listener: Listener, address: Address) -> dict[str, str]:
    """Makes trials for the chief on another host until that has no more.

    Returns:
        Reasons of the runs that failed.

    Raises:
        UsageError: no chief answers.
        WorkersLost: worker processes die before they can work.
    """
    with tempfile.TemporaryDirectory() as scratch:
        crew = Crew(terms, listener, Path(scratch))
        try:
            crew.meet(address.host, address.port)
            while crew.hands or not crew.over:
                if not crew.over:
                    crew.staff()
                crew.listen()
        finally:
            crew.disband()
    return crew.failed


def enter(pipe: Any, log: str, terms: Terms, devices: Devices, slot: int, tuner_id: str) -> None:
    """What a worker process does; see `trial_worker.work`."""
    worker.settle(log, devices, slot)
    from experiments.lab import trial_worker

    desk = worker.Desk(resolve(terms.work)(terms.records), terms.records, terms.environment)
    trial_worker.work(pipe, tuner_id, terms.search, desk, terms.retries, terms.force)


@contextlib.contextmanager
def _alone(kept: Journal) -> Iterator[None]:
    """Holds the lock of a search, which the system frees when its holder dies."""
    lock = filelock.FileLock(kept.path.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise UsageError(
            "Another process is at this very search, in the same folder. To help it, see 'several hosts' in README.md."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _served(oracle: Any, address: Address | None) -> Iterator[int]:
    """The oracle answers KerasTuner's workers at an address, or at a free port of this host alone; gives the port."""
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    # Two chiefs must not share a port unknowingly, as gRPC lets them.
    server = grpc.server(futures.ThreadPoolExecutor(8), options=(("grpc.so_reuseport", 0),))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
    try:
        port = server.add_insecure_port(str(address or "127.0.0.1:0"))
    except RuntimeError as error:
        raise UsageError(f"The chief cannot answer at {address}: {error}") from error
    server.start()
    try:
        yield port
    finally:
        server.stop(None)
