"""Search spaces: what may be tuned of each network of the zoo, and within which bounds.

Plain data, like the zoo. A name is a setting of the recipe (`learning_rate`), "distortion", which is
the strength of all kinds of distortion together, or an option of the network's builder (`width`). The
number of epochs is bounded by whoever searches.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cnn_models.zoo import MODELS


@dataclasses.dataclass(frozen=True)
class Range:
    """Every number from `low` to `high`, or every `step`-th; on a log scale where `log` is set."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of these values; numbers in ascending order."""

    values: tuple[Any, ...]


Space = Mapping[str, Range | Choice]

# Of any network. Both Adam's learning rate and decoupled weight decay act by their order of magnitude.
RECIPE: Space = {
    "learning_rate": Range(1e-3, 3e-2, log=True),
    "weight_decay": Range(1e-3, 0.3, log=True),
    "batch_size": Choice((32, 64, 128, 256)),
    "distortion": Range(0.0, 1.0, step=0.25),
}

# Of the networks that a builder makes, beside that.
FAMILIES: Mapping[str, Space] = {
    "lenet.lenet5": {
        "width": Choice((1.0, 1.5, 2.0)),
        "activation": Choice(("tanh", "relu")),
        "pooling": Choice(("average", "max")),
    },
    "lenet.lenet5_1998": {"rubbish_penalty": Range(1.0, 40.0, log=True)},
}


def space(model: str) -> Space:
    """What may be tuned of a network of the zoo, by name."""
    return {**RECIPE, **FAMILIES.get(MODELS[model].builder, {})}


def known_options(model: str) -> Mapping[str, Any]:
    """The options of a network's builder that are known by name: those of its row, and those of its family."""
    architecture = MODELS[model]
    return {**architecture.options, **FAMILIES.get(architecture.builder, {})}
