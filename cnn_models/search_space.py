"""Search spaces: the hyperparameters of each network of the zoo, with their bounds.

Plain data, like the zoo. A hyperparameter is a setting of the recipe (`learning_rate`), an option of the network's
builder (`width`), or "distortion", the common strength of all kinds of distortion. The number of epochs is bounded by
the search.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cnn_models.zoo import MODELS


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, in steps of `step` if given; `log`: sampled on a logarithmic scale."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several values; numbers are in ascending order."""

    values: tuple[Any, ...]


Space = Mapping[str, Range | Choice]

# For every network. The effect of learning rate and weight decay depends on their order of magnitude.
RECIPE: Space = {
    "learning_rate": Range(1e-3, 3e-2, log=True),
    "weight_decay": Range(1e-3, 0.3, log=True),
    "batch_size": Choice((32, 64, 128, 256)),
    "distortion": Range(0.0, 1.0, step=0.25),
}

# In addition, for the networks of one builder.
FAMILIES: Mapping[str, Space] = {
    "lenet.lenet5": {
        "width": Choice((1.0, 1.5, 2.0)),
        "activation": Choice(("tanh", "relu")),
        "pooling": Choice(("average", "max")),
    },
    "downsampling.reduced": {"width": Choice((8, 24))},
    "lenet.lenet5_1998": {"rubbish_penalty": Range(1.0, 40.0, log=True)},
}


def space(model: str) -> Space:
    """The search space of a network of the zoo."""
    return {**RECIPE, **FAMILIES.get(MODELS[model].builder, {})}


def known_options(model: str) -> Mapping[str, Any]:
    """The known options of a network's builder: those of its row in the zoo, and those of its search space."""
    architecture = MODELS[model]
    return {**architecture.options, **FAMILIES.get(architecture.builder, {})}
