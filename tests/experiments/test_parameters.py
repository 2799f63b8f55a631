"""The lecture's table of parameters: counted, and judged each way."""

import keras

from experiments import parameters
from experiments.parameters import measure
from lab.declare.run import Run
from tests.support import worlds

EXPERIMENT = parameters.EXPERIMENT


def outcome(variant):
    run = Run("parameters", variant.name, "none", variant.settings, 0)
    return measure.CountingWork(None).execute(run, lambda event: None)[0]


def test_the_lectures_numbers():
    dense, convolution, grid = (outcome(variant) for variant in EXPERIMENT.variants[:3])
    assert convolution["facts"]["params"] == convolution["facts"]["params_by_formula"] == 26
    assert dense["facts"]["params"] == dense["facts"]["params_by_formula"] == 8_100_090_000
    assert dense["facts"]["weights"] == 8_100_000_000
    assert dense["facts"]["float32_bytes"] == 32_400_360_000
    assert dense["metrics"]["peak_memory_megabytes"] < 500  # counted, not made
    assert grid["facts"] == {"grid_cases": 225, "grid_mismatches": 0}


def test_what_was_counted_is_never_made_later():
    with measure.without_weights():
        keras.Sequential([keras.Input((300, 300, 1)), keras.layers.Flatten(), keras.layers.Dense(90_000)])
    with keras.StatelessScope():  # here Keras makes what it has noted: 32 GB would not fit
        pass


def test_the_formula_is_what_keras_allocates():
    layer = keras.layers.Conv2D(7, (3, 5))
    layer.build((None, 16, 16, 4))
    assert sum(variable.numpy().size for variable in layer.variables) == measure.by_formula(5, 3, 4, 7)


def test_what_is_counted_gives_these_verdicts():
    facts = {variant.name: outcome(variant)["facts"] for variant in EXPERIMENT.variants[:3]}
    assert worlds.verdict(EXPERIMENT, "parameters", facts) == "true by construction"
    assert worlds.verdict(EXPERIMENT, "formula", facts) == "true by construction"
    facts["convolution-5x5-300"]["params"] = 27
    assert worlds.verdict(EXPERIMENT, "parameters", facts) == "contradicted"
