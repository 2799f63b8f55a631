"""A search for a network's recipe: what is searched, and what the best trials become.

A trial is one point of the search space, run with one or several seeds; each of these is a run like any
other, with a record of its own. No trial reads the test split. Nothing here imports KerasTuner.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from cnn_models.names import unknown
from cnn_models.search_space import Choice, space
from cnn_models.zoo import MODELS
from lab.declare.call import Call
from lab.declare.experiment import TRIAL, Experiment
from lab.declare.rates import TRIAL_SEED
from lab.declare.recipe import HANDWRITING, Distortion, Recipe, Training, with_options
from lab.declare.run import Run, digest, flat
from lab.errors import UsageError

TUNERS = ("hyperband", "random", "bayesian")
TRIALS = 20  # unless the user says otherwise; Hyperband counts its own
LEAST_TRIALS = 3  # of Hyperband, which by itself makes one or two where there are fewer than three epochs


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        experiment: whose records the trials are.
        start: the recipe it sets out from; a search changes what is in the network's search space.
        dataset: name of the data set.
        tuner: one of `TUNERS`.
        epochs: the most passes over the training split that a trial may take.
        seeds: runs a trial.
        trials: trials in all; None: one iteration of Hyperband, or `TRIALS`.
    """

    experiment: str
    start: Training
    dataset: str
    tuner: str
    epochs: int
    seeds: int
    trials: int | None = None

    def training(self, values: Mapping[str, Any]) -> Training:
        """The recipe of a trial.

        Args:
            values: a point of the search space, as KerasTuner gives it, with its epochs.
        """
        recipe: dict[str, Any] = {"epochs": int(values.get("tuner/epochs") or values["epochs"])}
        options = dict(self.start.options or {})
        for name in space(self.start.model):
            # Three digits, as a person would write them.
            value = float(f"{values[name]:.3g}") if isinstance(values[name], float) else values[name]
            if name == "distortion":
                recipe[name] = distortion(value)
            elif name in Recipe.__dataclass_fields__:
                recipe[name] = value
            else:
                options[name] = value
        return dataclasses.replace(self.start, **recipe, options=options or None, splits="search")

    def runs(self, values: Mapping[str, Any]) -> list[Run]:
        """The runs of a trial."""
        training = self.training(values)
        seeds = range(TRIAL_SEED, TRIAL_SEED + self.seeds)
        return [Run(self.experiment, TRIAL, self.dataset, training, seed) for seed in seeds]

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes that a trial may have."""
        sizes = space(self.start.model)["batch_size"]
        assert isinstance(sizes, Choice)
        return sizes.values

    @property
    def name(self) -> str:
        """Equal for searches that make the same trials one after another."""
        bounds = {name: dataclasses.asdict(choice) for name, choice in space(self.start.model).items()}
        # Of random trials the first are the same however many there are to be; the others plan for their number.
        trials = None if self.tuner == "random" else self.trials
        whole = dataclasses.asdict(self) | {"start": flat(self.start)} | {"trials": trials, "space": bounds}
        return f"{self.tuner}.{self.start.model}.{self.dataset}.{digest(whole)}"


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial that has ended.

    Attributes:
        number: from 1, in the order of their beginning.
        training: its recipe.
        score: mean validation accuracy over its seeds; 0 where one of them diverged or failed.
    """

    number: int
    training: Training
    score: float


def distortion(strength: float) -> Distortion | None:
    """All kinds of distortion at once, from 0 (none) to 1."""
    if not strength:
        return None
    parts = dataclasses.asdict(HANDWRITING).items()
    return Distortion(**{name: float(f"{strength * largest:.3g}") for name, largest in parts})


def best(trials: Iterable[Trial], count: int) -> list[Trial]:
    """The best trials, of each recipe the one with the epochs that served it best."""
    chosen: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: (-trial.score, trial.number)):
        recipe = repr(dataclasses.replace(trial.training, epochs=1))
        if trial.score > 0 and recipe not in chosen:
            chosen[recipe] = trial
    return list(chosen.values())[:count]


def asked_for(experiment: Experiment, call: Call) -> Search:
    """The search that a call of `run` asks for.

    Args:
        experiment: one with a search.
        call: what was asked.

    Raises:
        UsageError: an unknown name.
    """
    tuning = experiment.search
    assert tuning
    (start,) = (variant.settings for variant in experiment.select([tuning.start]))
    if call.variant:
        if call.variant not in MODELS:
            raise UsageError(unknown("network", call.variant, MODELS))
        start = Training(call.variant)
    start = dataclasses.replace(start, splits=None, precision=call.precision)
    return Search(
        experiment.name,
        start,
        call.dataset or experiment.dataset,
        call.tuner or TUNERS[0],
        call.epochs or tuning.epochs,
        call.trial_seeds or tuning.seeds,
        call.trials,
    )


def finals(experiment: Experiment, search: Search, epochs: int | None, trials: Iterable[Trial]) -> Experiment:
    """The experiment with the rows that a search has found.

    Args:
        experiment: its declaration, whose rows are the default and what our own search found.
        search: what was searched.
        epochs: of the default; None: as it declares.
        trials: those that have ended.

    Returns:
        The default recipe and the best few, each learning from training and validation split together.
    """
    tuning = experiment.search
    assert tuning
    (default,) = experiment.select([tuning.start])
    recipe = with_options(search.start, epochs=epochs, splits="final")
    rows = [dataclasses.replace(default, settings=recipe)]
    for name, trial in zip(tuning.found, best(trials, len(tuning.found)), strict=False):
        about = f"{search.tuner}'s trial {trial.number}"
        settings = dataclasses.replace(trial.training, splits="final")
        rows.append(dataclasses.replace(default, name=name, settings=settings, about=about))
    return dataclasses.replace(experiment, variants=tuple(rows))
