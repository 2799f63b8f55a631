"""The chief of a search, which leads its workers on this host and on others.

KerasTuner's oracle answers over KerasTuner's own gRPC service. Its chief would wait for ever for a
worker that died: here a dead process of this host is noticed at once, one of another host by its silence,
and its trial is tried again by somebody else.
"""

import contextlib
import queue
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from lab.declare.run import Run
from lab.errors import UsageError
from lab.learn import startup, surroundings
from lab.search.crew import POLL_SECONDS, Crew, Display, Terms
from lab.search.search import Address, Journal, Trial, journal
from lab.store.records import Record

if TYPE_CHECKING:
    from keras_tuner.src.engine.trial import Trial as KerasTunerTrial

    from lab.search.oracles import Bayesian, Hyperband, Random

SILENCE_SECONDS = 60.0  # a worker of another host that says nothing for so long is taken for dead
PARTING_SECONDS = 10.0  # in which workers of other hosts hear that the search is over


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
        self._handed_in: queue.SimpleQueue[tuple[Run, Record]] = queue.SimpleQueue()

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
                    self._serve(oracle, crew)
            finally:
                crew.disband()
        self.failed |= crew.failed
        return [self._trial(trial) for trial in oracle.ended()]

    def _oracle(self, kept: Journal) -> "Random | Bayesian | Hyperband":
        surroundings.surroundings()
        with startup.quiet():
            from lab.search import oracles

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
                    self.display.kept(run, record)
        return oracle

    def _serve(self, oracle: "Random | Bayesian | Hyperband", crew: Crew) -> None:
        from lab.search import service

        with service.serving(oracle, lambda record: self._take(oracle, record), self.address) as port:
            crew.meet(self.address.host if self.address else "127.0.0.1", port)
            self._follow(oracle, crew)

    def _take(self, oracle: "Random | Bayesian | Hyperband", record: Record) -> None:
        """Keeps what a worker of another host has recorded, if it is of this search."""
        runs = (run for values in oracle.made() for run in self.terms.search.runs(values))
        run = next((run for run in runs if run.specification() == record["specification"]), None)
        if run is None:
            return
        try:
            with self.terms.records.lock(run):
                if self.terms.force or not self.terms.records.find(run):
                    self.terms.records.adopt(run, record)
        except OSError as error:
            oracle.error = error
            raise
        self._handed_in.put((run, record))

    def _follow(self, oracle: "Random | Bayesian | Hyperband", crew: Crew) -> None:
        while not oracle.over():
            if oracle.hiring():
                crew.staff()
            crew.listen()
            self._tell_handed_in()
            while crew.losses:
                loss = crew.losses.pop()
                self._mourn(oracle.lose_worker(loss.tuner_id), loss.reason, loss.last_lines)
            for tuner_id in set(oracle.silent(SILENCE_SECONDS)) - crew.ids:
                reason = f"its worker, on another host, has said nothing for {SILENCE_SECONDS:g} s"
                self._mourn(oracle.lose_worker(tuner_id), reason, "")
            if oracle.error:
                raise oracle.error
        crew.drain()  # what they have said; those that would only now be ready are not waited for
        self._tell_handed_in()
        patience = time.monotonic() + PARTING_SECONDS
        while oracle.tuner_ids - crew.ids and time.monotonic() < patience:
            time.sleep(POLL_SECONDS)

    def _tell_handed_in(self) -> None:
        while not self._handed_in.empty():
            self._tell(*self._handed_in.get())

    def _tell(self, run: Run, record: Record) -> None:
        if record["status"] == "failed":
            self.failed[run.key] = record["reason"]
            self.display.failed(run, record["reason"], False)
        else:
            self.display.ended(run, record)

    def _mourn(self, lost: "tuple[KerasTunerTrial, bool] | None", reason: str, last_lines: str) -> None:
        """Records the runs of a trial that will not be tried again as failed."""
        if not lost or lost[1]:
            return
        records, facts = self.terms.records, self.terms.search.facts(lost[0].trial_id)
        for run in self.terms.search.runs(lost[0].hyperparameters.values):
            with records.lock(run):
                if not records.find(run):
                    self._tell(run, records.save_failed(run, reason, last_lines, facts))

    def _trial(self, trial: "KerasTunerTrial") -> Trial:
        training = self.terms.search.training(trial.hyperparameters.values)
        return Trial(int(trial.trial_id) + 1, training, trial.score)


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
