"""KerasTuner's oracles in this process: an oracle chooses the next trial and receives the score of each.

KerasTuner's own files do not survive a kill: it rewrites them in place, and it loses the runs of an interrupted
trial (keras-tuner #702). So this module writes each decision to a journal first. After a kill, a new oracle makes
the same decisions again from the journal.
"""

import dataclasses
import warnings
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from keras_tuner.src.engine.trial import Trial, TrialStatus
from sklearn.exceptions import ConvergenceWarning

from cnn_models.search_space import Range, space
from lab.declare import search as searches
from lab.declare.search import Search
from lab.search.journal import Journal

OBJECTIVE = "validation_accuracy"
SEED = 1  # of the oracles' random choices


@dataclasses.dataclass
class Decision:
    """A point of the search space that the oracle has chosen for a trial.

    Attributes:
        number: number of the trial, from 0, in the order of decisions.
        values: KerasTuner's values by hyperparameter name.
        score: validation accuracy; None while the trial is in progress.
    """

    number: int
    values: dict[str, Any]
    score: float | None = None


class Decisions:
    """Makes the decisions of an oracle, one trial after another, and writes them to a journal.

    A trial that diverged or failed gets the score 0 instead of KerasTuner's status "failed". So Hyperband still
    compares it with the others (otherwise it would promote one trial fewer), and the Gaussian process learns to avoid
    its region.

    Args:
        search: the search.
        journal: the decisions of earlier calls, which are made again first. Further ones are appended.

    Raises:
        ValueError: the oracle now decides differently, as with another version of KerasTuner.
    """

    def __init__(self, search: Search, journal: Journal) -> None:
        self._oracle = make(search)
        self._journal = journal
        self.made: list[Decision] = []
        self.stopped = False
        for kind, *what in journal.events:
            self._replay(kind, *what)

    def next(self) -> Decision | None:
        """The next trial; None if the oracle waits for a trial in progress, or has no more (then `stopped` is true)."""
        if self.stopped:
            return None
        decision = self._decide()
        if decision:
            self._journal.append("created", decision.number, decision.values)
        return decision

    def end(self, decision: Decision, score: float) -> None:
        """Reports the score of a trial to the oracle."""
        self._journal.append("ended", decision.number, score)
        self._report(decision, score)

    @property
    def total(self) -> int:
        """Number of trials of the whole search."""
        return self._oracle.max_trials or self._oracle.size()

    def _decide(self) -> Decision | None:
        trial = self._oracle.create_trial(str(len(self.made)))  # KerasTuner sees each trial as a worker of its own
        self.stopped = trial.status == TrialStatus.STOPPED
        if trial.status != TrialStatus.RUNNING:
            return None
        self.made.append(Decision(len(self.made), trial.hyperparameters.values))
        return self.made[-1]

    def _report(self, decision: Decision, score: float) -> None:
        decision.score = score
        trial: Trial = self._oracle.ongoing_trials[str(decision.number)]
        self._oracle.update_trial(trial.trial_id, {OBJECTIVE: score})
        trial.status = TrialStatus.COMPLETED
        self._oracle.end_trial(trial)

    def _replay(self, kind: str, number: int, what: Any) -> None:
        """Repeats one entry of the journal.

        Raises:
            ValueError: the oracle now decides differently.
        """
        if kind == "ended":
            self._report(self.made[number], what)
            return
        self._oracle.decided = what
        decision = self._decide() if kind == "created" else None
        self._oracle.decided = None
        if decision is None or (decision.number, decision.values) != (number, what):
            raise ValueError(f"trial {number} had other values before")


class InMemory:
    """Mixin that makes a KerasTuner oracle print nothing and write no file; the journal replaces its files.

    It must come before KerasTuner's class among the bases.
    """

    decided: dict[str, Any] | None = None  # during a replay: the values of the decision that is repeated

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.verbose = 0

    def save(self) -> None:
        """Does nothing, in place of writing a file."""

    def _save_trial(self, trial: Trial) -> None:
        """Does nothing, in place of writing a file."""

    def size(self) -> int:
        """Number of trials if the user gave none."""
        raise NotImplementedError


class Random(InMemory, RandomSearchOracle):  # noqa: D101
    pass


class Bayesian(InMemory, BayesianOptimizationOracle):  # noqa: D101
    def populate_space(self: Any, trial_id: str) -> dict[str, Any]:
        """Chooses a point as KerasTuner does. A replay skips the optimisation, which takes a second per trial."""
        ended = sum(trial.status == TrialStatus.COMPLETED for trial in self.trials.values())
        if ended < self.num_initial_points:
            return super().populate_space(trial_id)
        # Random numbers must not depend on how many decisions this process has made before.
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        with warnings.catch_warnings():
            # The warning says that the length scale is uncertain; with so few points it always is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if self.decided is None:
                return super().populate_space(trial_id)
            self.gpr.fit(*self._vectorize_trials())  # the next decision predicts scores of trials in progress with it
        return {"status": TrialStatus.RUNNING, "values": self.decided}


class Hyperband(InMemory, HyperbandOracle):  # noqa: D101
    def size(self) -> int:
        """Number of trials of one iteration: all rounds of all brackets."""
        brackets = range(self._get_num_brackets())
        return sum(self._get_size(bracket, round_) for bracket in brackets for round_ in range(bracket + 1))


def make(search: Search) -> Random | Bayesian | Hyperband:
    """Makes the oracle of a search."""
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective(OBJECTIVE, "max"),
        "hyperparameters": hyperparameters(search),
        "seed": SEED,
    }
    trials = search.trials or searches.TRIALS
    if search.tuner == "random":
        return Random(max_trials=trials, **common)
    if search.tuner == "bayesian":
        # KerasTuner's default, three per dimension, would leave no trial to the Gaussian process.
        return Bayesian(max_trials=trials, num_initial_points=max(trials // 3, 3), **common)
    oracle = Hyperband(max_epochs=search.epochs, factor=3, hyperband_iterations=1, **common)
    if search.trials or oracle.size() < searches.LEAST_TRIALS:
        oracle.hyperband_iterations = float("inf")
        oracle.max_trials = search.trials or searches.LEAST_TRIALS
    return oracle


def hyperparameters(search: Search) -> keras_tuner.HyperParameters:
    """The search space of a search, as KerasTuner's hyperparameters."""
    known = keras_tuner.HyperParameters()
    for name, bounds in space(search.start.model).items():
        if isinstance(bounds, Range):
            sampling = "log" if bounds.log else "linear"
            known.Float(name, bounds.low, bounds.high, step=bounds.step, sampling=sampling)
        else:
            known.Choice(name, list(bounds.values))
    if search.tuner != "hyperband":  # Hyperband chooses the epochs itself
        known.Int("epochs", 1, search.epochs) if search.epochs > 1 else known.Fixed("epochs", 1)
    return known
