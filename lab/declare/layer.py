"""Rows that look into a layer of a network: which layer, and how the network learned."""

import dataclasses

from cnn_models.names import unknown
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError

CONDITIONS = {
    "trained": "trained",
    "random-labels": "trained on random labels",
    "random-weights": "not trained, the same initial weights",
}
SILENT = "silent_channels_percent"
# Means over all channels, silent ones counted as 0, by the measure that is a mean over those that are not.
OF_ALL = {"selectivity_of_all": "selectivity", "pattern_of_all_pixels": "pattern_pixels"}


@dataclasses.dataclass(frozen=True)
class Layer(Training):
    """A layer to look into, of a network with this recipe, which is trained where it is not there yet.

    Attributes:
        layer: its name.
        condition: one of `CONDITIONS`; with random weights the recipe is not used.
        naive_channels: of how many of its channels the figure also shows pictures by plain gradient ascent.
    """

    layer: str = ""
    condition: str = "trained"
    naive_channels: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.condition not in CONDITIONS:
            raise UsageError(unknown("condition", self.condition, CONDITIONS))

    @property
    def training(self) -> Training:
        """The recipe of its network."""
        names = [field.name for field in dataclasses.fields(Training)]
        return Training(**{name: getattr(self, name) for name in names})

    def needs(self, run: Run) -> tuple[Run, ...]:
        """The run that trains its network; none where the weights are random."""
        if self.condition == "random-weights":
            return ()
        return (Run(run.experiment, self.network, run.dataset, self.training, run.seed),)

    @property
    def network(self) -> str:
        """The row of its network."""
        return network_name(self.model, self.condition)


@dataclasses.dataclass(frozen=True)
class Pixels:
    """The pictures themselves, with no network before the linear probe."""


def network_name(model: str, condition: str) -> str:
    """What the row of a network is called, and how those of its layers begin."""
    return model if condition == "trained" else f"{model}-{condition}"
