"""A worker process of a search: KerasTuner's tuner, whose trials are runs with records.

It asks the search's chief for trials by KerasTuner's own gRPC service, within bounds of time: neither
waits an hour for the other when it has died.
"""

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_client import OracleClient
from keras_tuner.src.engine.trial import Trial, TrialStatus
from keras_tuner.src.errors import FatalError

from experiments.lab import worker
from experiments.lab.oracles import OBJECTIVE
from experiments.lab.records import Attachment, Record
from experiments.lab.search import Search
from experiments.lab.spec import Run

CALL_SECONDS = 60.0  # a chief that takes longer to answer is taken for dead
BEAT_SECONDS = 2.0  # between signs of life
IDLE_SECONDS = 0.5  # between questions whether there is a trial by now
HELD_SECONDS = 0.5  # between looks at a run that another process is at
# No proxy is asked for the way to a chief.
CHANNEL = (("grpc.enable_http_proxy", 0),)


class TrialTuner(keras_tuner.engine.base_tuner.BaseTuner):
    """KerasTuner's loop over trials, each of them one run or several.

    Args:
        search: what is searched.
        desk: does and records runs.
        connection: told of all that happens, as `worker.main` tells, and of ("begun", run) before.
        retries: how often a run that fails is tried again.
        force: run even what has a record.
    """

    def __init__(
        self, search: Search, desk: worker.Desk, connection: Connection, retries: int, force: bool, scratch: str
    ) -> None:
        oracle = keras_tuner.oracles.RandomSearchOracle(keras_tuner.Objective(OBJECTIVE, "max"))
        super().__init__(oracle, directory=scratch)
        self.oracle = BoundedClient(oracle)
        self.search_asked, self.desk, self.connection = search, desk, connection
        self.retries, self.force = retries, force

    def run_trial(self, trial: Trial, *fit_args: Any, **fit_kwargs: Any) -> dict[str, float]:
        """Makes a trial: the mean validation accuracy of its runs, or 0 where one diverged or failed."""
        facts = {"trial": int(trial.trial_id) + 1, "tuner": self.search_asked.tuner}
        runs = self.search_asked.runs(trial.hyperparameters.values)
        with self.oracle.beating(trial.trial_id):
            scores = [self._score(run, facts) for run in runs]
        return {OBJECTIVE: statistics.mean(scores) if all(scores) else 0.0}

    def _score(self, run: Run, facts: dict[str, Any]) -> float:
        desk = worker.Desk(OfTrial(self.desk.work, facts), self.desk.records, self.desk.environment)
        self.connection.send(("begun", run))
        for left in reversed(range(self.retries + 1)):
            while (answer := worker.answer(desk, run, self.force, self.connection))[0] == "held":
                time.sleep(HELD_SECONDS)
            kind, value = answer
            self.connection.send((kind, (value, left > 0) if kind == "failed" else value))
            if kind == "ended":
                return float(value["metrics"].get(OBJECTIVE, 0.0))
            if kind != "failed":
                raise FatalError(f"{run.key}: {kind}: {value}")
        with desk.records.lock(run):
            desk.records.save_failed(run, *value)
        return 0.0

    def save(self) -> None:
        """Nothing: records and the chief's journal have it."""


class OfTrial:
    """A work whose records also say of which trial they are, and when they were made."""

    def __init__(self, work: worker.Work, facts: dict[str, Any]) -> None:
        self.work, self.facts = work, facts

    def execute(self, run: Run, report: worker.Report) -> tuple[Record, Attachment | None]:
        """Does one run; see `lab.worker.Work`."""
        outcome, attachment = self.work.execute(run, report)
        outcome["facts"] |= self.facts
        outcome["ended_unix_seconds"] = time.time()
        return outcome, attachment


class BoundedClient(OracleClient):
    """KerasTuner's client, whose every call is over after `CALL_SECONDS` and not after an hour."""

    def __init__(self, oracle: keras_tuner.Oracle) -> None:
        super().__init__(oracle)
        address = f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"
        self.stub = Bounded(protos.get_service_grpc().OracleStub(grpc.insecure_channel(address, CHANNEL)))

    def create_trial(self, tuner_id: str) -> Trial:
        """As KerasTuner; waits a moment where there is nothing to do, instead of asking at once again."""
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.IDLE:
            time.sleep(IDLE_SECONDS)
        return trial

    @contextlib.contextmanager
    def beating(self, trial_id: str) -> Iterator[None]:
        """Tells the chief now and then that this worker is still at its trial."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_SECONDS):
                with contextlib.suppress(grpc.RpcError):  # the call that ends the trial will say what is wrong
                    self.get_trial(trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()


class Bounded:
    """A gRPC stub with a deadline of its own on every call."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._stub, name)
        return lambda request, **options: method(request, **options | {"timeout": CALL_SECONDS})


def work(connection: Connection, tuner_id: str, search: Search, desk: worker.Desk, retries: int, force: bool) -> None:
    """Makes trials until the chief has no more.

    Args:
        connection: to the parent. It sends the chief's (host, port) when it is told ("ready", None);
            then it is told what becomes of runs (see `TrialTuner`), and ("over", None) or ("lost", reason)
            at the end.
        tuner_id: how the chief knows this worker.
        search: what is searched.
        desk: what it has at hand.
        retries: how often a run that fails is tried again.
        force: run even what has a record.
    """
    connection.send(("ready", None))
    host, port = connection.recv()
    os.environ.update(KERASTUNER_TUNER_ID=tuner_id, KERASTUNER_ORACLE_IP=host, KERASTUNER_ORACLE_PORT=str(port))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            TrialTuner(search, desk, connection, retries, force, scratch).search()
        except grpc.RpcError as error:
            connection.send(("lost", f"{host}:{port}: {error.code().name}"))
        except FatalError:
            pass  # the parent has been told
        else:
            connection.send(("over", None))
