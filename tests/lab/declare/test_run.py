"""What a run's specification says of the networks it reads."""

import dataclasses

import pytest

from lab.declare.recipe import Training
from lab.declare.run import Run, digest


def reading(experiment, learning_rate, seed=3):
    """A run that reads a network of an experiment; none of its settings says how that network is trained."""

    @dataclasses.dataclass(frozen=True)
    class Reading:
        def needs(self, run):
            return (Run(experiment, "lenet5", "mnist", Training("lenet5", learning_rate=learning_rate), run.seed),)

    return Run("own", "looks", "mnist", Reading(), seed)


@pytest.mark.parametrize(("experiment", "named"), [("lenet", True), ("own", False)])
def test_a_specification_names_the_recipe_of_a_network_that_another_experiment_trained(experiment, named):
    run, other = reading(experiment, 0.001), reading(experiment, 0.002)
    assert run.specification().get("reads") == ([digest(run.needs[0].specification())] if named else None)
    assert (run.key != other.key) == named
    assert digest(reading(experiment, 0.001, seed=4).specification()) == digest(run.specification())
