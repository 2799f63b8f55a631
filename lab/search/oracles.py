"""KerasTuner's oracles, which decide on trials, with a memory that a kill cannot tear.

KerasTuner rewrites its JSON files in place and loses the runs of a trial that is interrupted (keras-tuner
#702); its oracle neither forgets a worker that died nor hears of it. Here every decision goes to a journal
first thing, a fresh oracle makes the same decisions again from it, and what is lost is tried again.
"""

import collections
import time
import warnings
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from keras_tuner.src.engine.trial import Trial, TrialStatus
from sklearn.exceptions import ConvergenceWarning

from cnn_models.search_space import Range, space
from lab.search import search as searches
from lab.search.search import Journal, Search

OBJECTIVE = "validation_accuracy"
SEED = 1  # of what the oracles draw


class Kept:
    """What is added to an oracle of KerasTuner; used as the first base beside one of its classes.

    A trial that diverged or failed ends with the score 0 and not as KerasTuner's "failed": then
    Hyperband compares it with the others, where it would else promote one fewer, and the Gaussian
    process learns where not to look.
    """

    def remember(self: Any, journal: Journal, losses: int) -> None:
        """Makes the decisions of a journal again; what was under way waits to be tried again.

        Args:
            journal: takes every further decision.
            losses: how often a trial may lose its worker and be tried again.

        Raises:
            ValueError: the oracle decides otherwise than it did, as with another version of KerasTuner.
        """
        self.verbose = 0
        self.error: OSError | None = None
        self.stopped = False
        self._losses_allowed = losses
        self._losses: collections.Counter[str] = collections.Counter()
        self._heard: dict[str, float] = {}
        self._journal: Journal | None = None
        self._decided: dict[str, Any] | None = None  # what is decided again just now
        for kind, *what in journal.events:
            getattr(self, f"_again_{kind}")(*what)
        self._journal = journal
        for tuner in list(self.ongoing_trials):
            self._release(tuner)
            self._note("released", tuner)

    @keras_tuner.synchronized
    def create_trial(self: Any, tuner_id: str) -> Trial:
        """As KerasTuner; notes a new trial, and when the worker was heard of."""
        known = tuner_id in self.ongoing_trials
        trial = super().create_trial(tuner_id)  # type: ignore[misc]
        if trial.status == TrialStatus.STOPPED:
            self.stopped = True
        elif trial.status == TrialStatus.RUNNING:
            self._heard[trial.trial_id] = time.monotonic()
            if not known:
                self._note("created", tuner_id, trial.trial_id, trial.hyperparameters.values)
        return trial

    @keras_tuner.synchronized
    def end_trial(self: Any, trial: Trial) -> None:
        """Ends a trial with the score it was given.

        One that was taken for lost, by this chief or with one before it, ends where nobody has ended it since.
        """
        if trial.trial_id in self._retry_queue and trial.status == TrialStatus.COMPLETED:
            self._take_up(trial.trial_id)
            self._note("taken_up", trial.trial_id)
        if not any(ongoing.trial_id == trial.trial_id for ongoing in self.ongoing_trials.values()):
            return
        if trial.status != TrialStatus.COMPLETED:  # the worker could not even say how it failed
            self.lose(trial.trial_id)
            return
        self._complete(trial.trial_id)

    def get_trial(self: Any, trial_id: str) -> Trial:
        """As KerasTuner; a worker asks for its trial now and then, to say that it lives."""
        self._heard[trial_id] = time.monotonic()
        return super().get_trial(trial_id)  # type: ignore[misc]

    @keras_tuner.synchronized
    def lose(self: Any, trial_id: str) -> bool:
        """A trial's worker is gone: the trial is tried again, or ends with the score 0. True for the former."""
        tuner = next(key for key, trial in self.ongoing_trials.items() if trial.trial_id == trial_id)
        self._losses[trial_id] += 1
        self._note("lost", trial_id)
        if self._losses[trial_id] <= self._losses_allowed:
            self._release(tuner)
            return True
        self.update_trial(trial_id, {OBJECTIVE: 0.0})
        self._complete(trial_id)
        self.tuner_ids.discard(tuner)
        return False

    @keras_tuner.synchronized
    def lose_worker(self: Any, tuner_id: str) -> tuple[Trial, bool] | None:
        """As `lose`, of whatever trial the worker was at; None where it was at none."""
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.get(tuner_id)
        return (trial, self.lose(trial.trial_id)) if trial else None

    @keras_tuner.synchronized
    def silent(self: Any, seconds: float) -> list[str]:
        """The workers that are at a trial and have not been heard of for so long."""
        latest = time.monotonic() - seconds
        return [tuner for tuner, trial in self.ongoing_trials.items() if self._heard[trial.trial_id] < latest]

    @keras_tuner.synchronized
    def hiring(self: Any) -> bool:
        """Whether there may be trials to make for one more worker."""
        return bool(self._retry_queue) or not self.stopped

    @keras_tuner.synchronized
    def anything_left(self: Any) -> bool:
        """Whether there is a trial to make; it waits for the next worker that asks. Only where none is at work."""
        trial = self.create_trial("nobody")
        if trial.status != TrialStatus.RUNNING:
            return False
        self._release("nobody")
        self._note("released", "nobody")
        return True

    @keras_tuner.synchronized
    def made(self: Any) -> list[dict[str, Any]]:
        """The points of the search space that trials were made of."""
        return [trial.hyperparameters.values for trial in self.trials.values()]

    def trials_in_all(self: Any) -> int:
        """How many trials there will be."""
        return self.max_trials or self.size()

    @keras_tuner.synchronized
    def over(self: Any) -> bool:
        """Whether every trial has ended and there will be no other."""
        return self.stopped and not self.ongoing_trials and not self._retry_queue

    @keras_tuner.synchronized
    def ended(self: Any) -> list[Trial]:
        """The trials that have ended, in the order of their beginning."""
        return [trial for trial in self.trials.values() if trial.status == TrialStatus.COMPLETED]

    def save(self) -> None:
        """Nothing: the journal has it."""

    def _save_trial(self, trial: Trial) -> None:
        """Nothing: the journal has it."""

    def _note(self: Any, *event: Any) -> None:
        if self._journal is None:
            return
        try:
            self._journal.append(*event)
        except OSError as error:  # which must not leave a lock of KerasTuner's taken
            self.error = error

    def _complete(self: Any, trial_id: str) -> None:
        trial = self.trials[trial_id]  # as the oracle made it: a worker's copy adds nothing
        trial.status = TrialStatus.COMPLETED
        super().end_trial(trial)  # type: ignore[misc]
        self._note("ended", trial_id, trial.score)

    def _release(self: Any, tuner: str) -> None:
        self._retry_queue.insert(0, self.ongoing_trials.pop(tuner).trial_id)
        self.tuner_ids.discard(tuner)

    def _take_up(self: Any, trial_id: str) -> None:
        self._retry_queue.remove(trial_id)
        self.ongoing_trials["somebody"] = self.trials[trial_id]

    def _again_created(self: Any, tuner: str, trial_id: str, values: dict[str, Any]) -> None:
        self._decided = values
        trial = self.create_trial(tuner)
        self._decided = None
        if (int(trial.trial_id), trial.hyperparameters.values) != (int(trial_id), values):
            raise ValueError(f"trial {trial_id} was made otherwise before")

    def _again_ended(self: Any, trial_id: str, score: float) -> None:
        self.update_trial(self._own(trial_id), {OBJECTIVE: score})
        self._complete(self._own(trial_id))

    def _again_taken_up(self: Any, trial_id: str) -> None:
        self._take_up(self._own(trial_id))

    def _again_lost(self: Any, trial_id: str) -> None:
        self.lose(self._own(trial_id))

    def _again_released(self: Any, tuner: str) -> None:
        self._release(tuner)

    def _own(self: Any, trial_id: str) -> str:
        """The identity that this oracle has given a trial: KerasTuner pads it to the length of the largest."""
        return next(key for key in self.trials if int(key) == int(trial_id))


class Random(Kept, RandomSearchOracle):  # noqa: D101
    pass


class Bayesian(Kept, BayesianOptimizationOracle):  # noqa: D101
    def populate_space(self: Any, trial_id: str) -> dict[str, Any]:
        """As KerasTuner; but what was decided before is not searched for again, which takes a second a trial."""
        if len(self.ended()) < self.num_initial_points:
            return super().populate_space(trial_id)
        # Of what it draws, nothing depends on how many decisions came before in this process.
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        with warnings.catch_warnings():
            # That a Gaussian process has few points to learn a length scale from is no news.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if self._decided is None:
                return super().populate_space(trial_id)
            self.gpr.fit(*self._vectorize_trials())  # the next decision takes from it what trials under way may give
        return {"status": TrialStatus.RUNNING, "values": self._decided}


class Hyperband(Kept, HyperbandOracle):  # noqa: D101
    def size(self) -> int:
        """Trials of one iteration: all rounds of all brackets."""
        brackets = range(self._get_num_brackets())
        return sum(self._get_size(bracket, round_) for bracket in brackets for round_ in range(bracket + 1))


def make(search: Search) -> Random | Bayesian | Hyperband:
    """The oracle of a search."""
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": hyperparameters(search),
        "seed": SEED,
    }
    trials = search.trials or searches.TRIALS
    if search.tuner == "random":
        return Random(max_trials=trials, **common)
    if search.tuner == "bayesian":
        # KerasTuner's own choice, three a dimension, would leave nothing for the Gaussian process.
        return Bayesian(max_trials=trials, num_initial_points=max(trials // 3, 3), **common)
    oracle = Hyperband(max_epochs=search.epochs, factor=3, hyperband_iterations=1, **common)
    if search.trials or oracle.size() < searches.LEAST_TRIALS:
        oracle.hyperband_iterations = float("inf")
        oracle.max_trials = search.trials or searches.LEAST_TRIALS
    return oracle


def hyperparameters(search: Search) -> keras_tuner.HyperParameters:
    """The search space in KerasTuner's words."""
    known = keras_tuner.HyperParameters()
    for name, bounds in space(search.start.model).items():
        if isinstance(bounds, Range):
            sampling = "log" if bounds.log else "linear"
            known.Float(name, bounds.low, bounds.high, step=bounds.step, sampling=sampling)
        else:
            known.Choice(name, list(bounds.values))
    if search.tuner != "hyperband":  # which decides itself how long each trial is
        known.Int("epochs", 1, search.epochs) if search.epochs > 1 else known.Fixed("epochs", 1)
    return known
