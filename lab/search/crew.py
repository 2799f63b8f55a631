"""The worker processes of a search on one host.

TensorFlow and KerasTuner are imported only in these processes, as each must first be told its devices.
"""

import contextlib
import dataclasses
import tempfile
import time
import uuid
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from lab.declare.machine import Layout
from lab.errors import UsageError
from lab.execute import worker
from lab.execute.fanout import STARTS_LOST, Hand, Listener, WorkersLost
from lab.search.search import Address, Search
from lab.store.records import Record, Records

POLL_SECONDS = 0.5


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
        away: the chief is on another host.
    """

    def __init__(self, terms: Terms, listener: Listener, scratch: Path, away: bool = False) -> None:
        self.terms, self.listener, self.scratch, self.away = terms, listener, scratch, away
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
            self.hands[tuner_id] = Hand(log, enter, (terms, slot, tuner_id, self.away), slot)
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

    def drain(self) -> None:
        """Takes in what the workers have said so far."""
        while any(hand.pipe.poll() for hand in self.hands.values()):
            self.listen()

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


def assist(terms: Terms, listener: Listener, address: Address) -> dict[str, str]:
    """Makes trials for the chief on another host until that has no more.

    Returns:
        Reasons of the runs that failed.

    Raises:
        UsageError: no chief answers.
        WorkersLost: worker processes die before they can work.
    """
    with tempfile.TemporaryDirectory() as scratch:
        crew = Crew(terms, listener, Path(scratch), away=True)
        try:
            crew.meet(address.host, address.port)
            while crew.hands or not crew.over:
                if not crew.over:
                    crew.staff()
                crew.listen()
        finally:
            crew.disband()
    return crew.failed


def enter(pipe: Any, log: str, terms: Terms, slot: int, tuner_id: str, away: bool) -> None:
    """What a worker process does; see `trial_worker.work`."""
    worker.settle(log, terms.layout.devices, slot)
    desk = worker.Desk(worker.begin(terms.work, terms.records), terms.records, terms.environment)
    from lab.search import trial_worker  # and with it KerasTuner, after a Keras without its extras

    trial_worker.work(pipe, tuner_id, terms.search, desk, retries=terms.retries, force=terms.force, away=away)
