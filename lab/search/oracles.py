"""KerasTuner's oracles, asked and told in this process, with a memory that a kill cannot tear.

KerasTuner rewrites its JSON files in place and loses the runs of a trial that is interrupted (keras-tuner #702).
Here each decision goes to a journal first, and a fresh oracle makes the same decisions again from it.
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
SEED = 1  # of what the oracles draw


@dataclasses.dataclass
class Decision:
    """A point of the search space that is to be tried, or was.

    Attributes:
        number: from 0, in the order of decisions.
        values: as KerasTuner gives them.
        score: None as long as the trial is under way.
    """

    number: int
    values: dict[str, Any]
    score: float | None = None


class Decisions:
    """What an oracle decides, one trial after another.

    A trial that diverged or failed ends with the score 0 and not as KerasTuner's "failed": then Hyperband compares
    it with the others, where it would else promote one fewer, and the Gaussian process learns where not to look.

    Args:
        search: what is searched.
        journal: the decisions made so far, which are made again; it takes every further one.

    Raises:
        ValueError: the oracle decides otherwise than it did, as with another version of KerasTuner.
    """

    def __init__(self, search: Search, journal: Journal) -> None:
        self._oracle = make(search)
        self._journal = journal
        self.made: list[Decision] = []
        self.stopped = False
        for kind, *what in journal.events:
            self._again(kind, *what)

    def next(self) -> Decision | None:
        """The next trial; None where the oracle waits for one that is under way, or has no more (`stopped`)."""
        if self.stopped:
            return None
        decision = self._decide()
        if decision:
            self._journal.append("created", decision.number, decision.values)
        return decision

    def end(self, decision: Decision, score: float) -> None:
        """Tells the oracle what a trial was worth."""
        self._journal.append("ended", decision.number, score)
        self._tell(decision, score)

    @property
    def total(self) -> int:
        """How many trials there will be."""
        return self._oracle.max_trials or self._oracle.size()

    def _decide(self) -> Decision | None:
        trial = self._oracle.create_trial(str(len(self.made)))  # each trial is a worker of its own to KerasTuner
        self.stopped = trial.status == TrialStatus.STOPPED
        if trial.status != TrialStatus.RUNNING:
            return None
        self.made.append(Decision(len(self.made), trial.hyperparameters.values))
        return self.made[-1]

    def _tell(self, decision: Decision, score: float) -> None:
        decision.score = score
        trial: Trial = self._oracle.ongoing_trials[str(decision.number)]
        self._oracle.update_trial(trial.trial_id, {OBJECTIVE: score})
        trial.status = TrialStatus.COMPLETED
        self._oracle.end_trial(trial)

    def _again(self, kind: str, number: int, what: Any) -> None:
        """Makes a decision of the journal again."""
        if kind == "ended":
            self._tell(self.made[number], what)
            return
        self._oracle.decided = what
        decision = self._decide() if kind == "created" else None
        self._oracle.decided = None
        if decision is None or (decision.number, decision.values) != (number, what):
            raise ValueError(f"trial {number} was made otherwise before")


class InMemory:
    """An oracle of KerasTuner that prints nothing and writes no file; the journal has what it needs.

    It is the first base beside one of KerasTuner's classes.
    """

    decided: dict[str, Any] | None = None  # what is decided again just now

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.verbose = 0

    def save(self) -> None:
        """Nothing."""

    def _save_trial(self, trial: Trial) -> None:
        """Nothing."""

    def size(self) -> int:
        """Trials in all, where no number was given."""
        raise NotImplementedError


class Random(InMemory, RandomSearchOracle):  # noqa: D101
    pass


class Bayesian(InMemory, BayesianOptimizationOracle):  # noqa: D101
    def populate_space(self: Any, trial_id: str) -> dict[str, Any]:
        """As KerasTuner; but what was decided before is not searched for again, which takes a second a trial."""
        ended = sum(trial.status == TrialStatus.COMPLETED for trial in self.trials.values())
        if ended < self.num_initial_points:
            return super().populate_space(trial_id)
        # Of what it draws, nothing depends on how many decisions came before in this process.
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        with warnings.catch_warnings():
            # That a Gaussian process has few points to learn a length scale from is no news.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if self.decided is None:
                return super().populate_space(trial_id)
            self.gpr.fit(*self._vectorize_trials())  # the next decision takes from it what trials under way may give
        return {"status": TrialStatus.RUNNING, "values": self.decided}


class Hyperband(InMemory, HyperbandOracle):  # noqa: D101
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
