"""Each network of the zoo, built once for all tests that only look at it."""

import functools
import re

import keras

import cnn_models
from lab.learn.loop import set_seed

SEED = 5
# Of networks whose names differ in numbers alone, the last one: it has all that the others have, and more.
LARGEST = tuple({re.sub(r"-\d+", "-#", name): name for name in cnn_models.MODELS}.values())


@functools.cache
def built(name: str) -> keras.Model:
    """A network with the weights of `SEED`, to be looked at and not changed."""
    set_seed(SEED)
    return cnn_models.build(name)
