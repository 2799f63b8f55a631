"""AdamW by two operations a variable, beside Keras's."""

import keras
import numpy as np
import pytest

from lab.declare.recipe import Recipe
from lab.learn.step import optimizer_of

STEPS = 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_are_those_of_keras(dtype):
    recipe = Recipe("linear", learning_rate=0.1, warmup=0.5, weight_decay=0.3)
    generator = np.random.default_rng(0)
    start = [generator.normal(size=(3, 4)), generator.normal(size=4)]
    gradients = [[generator.normal(size=value.shape).astype(dtype) for value in start] for _ in range(STEPS)]
    ends, states = [], []
    for fast in (False, True):
        variables = [
            keras.Variable(value, dtype=dtype, name=name) for value, name in zip(start, ("kernel", "bias"), strict=True)
        ]
        optimizer = optimizer_of(recipe, STEPS, fast)
        optimizer.build(variables)
        for gradient in gradients:
            optimizer.apply(gradient, variables)
        ends.append([variable.numpy() for variable in variables])
        states.append(
            [(variable.path.split("/")[-1], variable.shape, variable.dtype) for variable in optimizer.variables]
        )
    assert states[0] == states[1]
    # Keras rounds 1 - 0.999, the operation rounds 0.999 first, each to the type; a step is at most about the rate.
    bound = STEPS * np.finfo(dtype).eps * (0.1 / (1 - 0.999) + 4 * np.abs(start[0]).max())
    for one, other, before in zip(*ends, start, strict=True):
        assert np.abs(one - before).max() > 0.1
        np.testing.assert_allclose(one, other, rtol=0, atol=bound)
