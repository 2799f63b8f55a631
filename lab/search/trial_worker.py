"""A worker process of a search: KerasTuner's tuner, whose trials are runs with records."""

import os
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src.engine.trial import Trial
from keras_tuner.src.errors import FatalError

from lab.declare.run import Run
from lab.declare.work import Report, Work
from lab.execute import worker
from lab.search.oracles import OBJECTIVE
from lab.search.search import Search
from lab.search.service import Client
from lab.store.records import Attachment, Record, Unwritable

HELD_SECONDS = 0.5  # between looks at a run that another process is at


class TrialTuner(keras_tuner.engine.base_tuner.BaseTuner):
    """KerasTuner's loop over trials, each of them one run or several.

    Args:
        search: what is searched.
        desk: does and records runs.
        connection: told of all that happens, as `worker.main` tells, and of ("begun", run) before.
        retries: how often a run that fails is tried again.
        force: run even what has a record.
        away: the chief is on another host, which is handed every record.
        chief: its host and port.
        scratch: a folder that KerasTuner wants.
    """

    def __init__(
        self,
        search: Search,
        desk: worker.Desk,
        connection: Connection,
        *,
        retries: int,
        force: bool,
        away: bool,
        chief: tuple[str, int],
        scratch: str,
    ) -> None:
        oracle = keras_tuner.oracles.RandomSearchOracle(keras_tuner.Objective(OBJECTIVE, "max"))
        super().__init__(oracle, directory=scratch)
        self.oracle = self.client = Client(oracle, *chief)
        self.search_asked, self.desk, self.connection = search, desk, connection
        self.retries, self.force, self.away = retries, force, away

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> dict[str, float]:
        """Makes a trial: the mean validation accuracy of its runs, or 0 where one diverged or failed."""
        facts = self.search_asked.facts(trial.trial_id)
        desk = worker.Desk(OfTrial(self.desk.work, facts), self.desk.records, self.desk.environment)
        scores = []
        with self.client.beating(trial.trial_id):
            for run in self.search_asked.runs(trial.hyperparameters.values):
                record = self._make(run, desk, facts)
                if self.away:
                    self.client.hand_in(record)
                finished = record["status"] == "finished"
                scores.append(float(record["metrics"].get(OBJECTIVE, 0.0)) if finished else 0.0)
        return {OBJECTIVE: statistics.mean(scores) if all(scores) else 0.0}

    def _make(self, run: Run, desk: worker.Desk, facts: dict[str, Any]) -> Record:
        """A run's record, be it that it failed."""
        self.connection.send(("begun", run))
        for left in reversed(range(self.retries + 1)):
            while (answer := worker.answer(desk, run, self.force, self.connection))[0] == "held":
                time.sleep(HELD_SECONDS)
            kind, value = answer
            self.connection.send((kind, (value, left > 0) if kind == "failed" else value))
            if kind == "ended":
                return value
            if kind != "failed":
                raise FatalError(f"{run.key}: {kind}: {value}")
        reason, last_lines = value
        try:
            with desk.records.lock(run):
                return desk.records.save_failed(run, reason, last_lines, facts)
        except Unwritable as error:
            self.connection.send(("unwritable", str(error)))
            raise FatalError(str(error)) from error

    def save(self) -> None:
        """Nothing: records and the chief's journal have it."""


class OfTrial:
    """A work whose records also say of which trial they are, and when they were made."""

    def __init__(self, work: Work, facts: dict[str, Any]) -> None:
        self.work, self.facts = work, facts

    def execute(self, run: Run, report: Report) -> tuple[Record, Attachment | tuple[Attachment, ...] | None]:
        """Does one run; see `lab.declare.work.Work`."""
        outcome, attached = self.work.execute(run, report)
        outcome["facts"] |= self.facts
        outcome["ended_unix_seconds"] = time.time()
        return outcome, attached


def work(connection: Connection, tuner_id: str, search: Search, desk: worker.Desk, **how: Any) -> None:
    """Makes trials until the chief has no more.

    Args:
        connection: to the parent. It sends the chief's (host, port) when it is told ("ready", None);
            then it is told what becomes of runs (see `TrialTuner`), and ("over", None) or ("lost", reason)
            at the end.
        tuner_id: how the chief knows this worker.
        search: what is searched.
        desk: what it has at hand.
        how: `retries`, `force` and `away`, see `TrialTuner`.
    """
    connection.send(("ready", None))
    host, port = connection.recv()
    os.environ["KERASTUNER_TUNER_ID"] = tuner_id
    with tempfile.TemporaryDirectory() as scratch:
        try:
            TrialTuner(search, desk, connection, **how, chief=(host, port), scratch=scratch).search()
        except grpc.RpcError as error:
            connection.send(("lost", f"{host}:{port}: {error.code().name}"))
        except FatalError:
            pass  # the parent has been told
        else:
            connection.send(("over", None))
