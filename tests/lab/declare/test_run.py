"""What a run's specification says of the networks it reads."""

import dataclasses

import pytest

from lab.declare.recipe import Training
from lab.declare.run import Run, digest


@dataclasses.dataclass(frozen=True)
class Reading:
    """Settings of a run that reads a network; no field says how that is trained."""

    experiment: str

    def needs(self, run):
        return (Run(self.experiment, "lenet5", "mnist", Training("lenet5", learning_rate=RATES[-1]), run.seed),)


RATES = [0.001]


@pytest.mark.parametrize(("experiment", "other_name"), [("lenet", True), ("own", False)])
def test_another_recipe_of_a_network_that_another_experiment_trained_is_another_run(
    monkeypatch, experiment, other_name
):
    run = Run("own", "looks", "mnist", Reading(experiment), 3)
    before = run.specification()
    assert before.get("reads") == ([digest(run.needs[0].specification())] if other_name else None)
    monkeypatch.setitem(globals(), "RATES", [0.002])
    assert (run.specification() != before) == other_name
    assert digest(Run("own", "looks", "mnist", Reading(experiment), 4).specification()) == digest(run.specification())
