"""How each row's learning rate is chosen: by a grid, on validation pictures, with seeds of their own."""

import dataclasses
from collections.abc import Iterable, Mapping

from lab.declare.recipe import Measures, Training
from lab.declare.run import Run
from lab.errors import UsageError

TRIAL_SEED = 100  # and the following: of all runs that choose a recipe, so that no table's seed has been tuned with
LEAST_RATES = 3  # fewer have no middle, so that whatever is chosen lies at an edge


@dataclasses.dataclass(frozen=True)
class Rates:
    """The learning rates among which that of each row is chosen before its runs.

    Every row has the same grid, the same tuning seeds and the epochs of its own recipe; the test split is never read.
    A row whose best rate would be the grid's least or largest has further ones.

    Attributes:
        tried: peak learning rates, rising.
        seeds: runs a rate, with the seeds 100, 101, …, which are in no table of results.
        like: rows that have no runs in the grid, as they take another row's rate, or one that is what the row is about;
            with that row's name.
        further: rates beside those of the grid that only these rows are tried at.
    """

    tried: tuple[float, ...]
    seeds: int = 3
    like: Mapping[str, str] = dataclasses.field(default_factory=dict)
    further: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.tried) < LEAST_RATES or list(self.tried) != sorted(set(self.tried)):
            raise UsageError(f"A grid has at least {LEAST_RATES} learning rates, rising; got {self.tried}.")

    @property
    def named(self) -> tuple[str, ...]:
        """The rows that it names, some of them several times."""
        return (*self.like, *self.like.values(), *self.further)

    def runs(self, rows: Iterable[Run]) -> list[Run]:
        """The runs that choose the rates of these rows.

        Args:
            rows: one run of each row. Those that train nothing, or take the rate of another row, are left out.
        """
        seeds = range(TRIAL_SEED, TRIAL_SEED + self.seeds)
        return [
            Run(row.experiment, row.variant, row.dataset, self._trial(row.settings, rate), seed)
            for row in rows
            if isinstance(row.settings, Training) and row.variant not in self.like
            for rate in sorted({*self.tried, *self.further.get(row.variant, ())})
            for seed in seeds
        ]

    def _trial(self, recipe: Training, rate: float) -> Training:
        return dataclasses.replace(recipe, learning_rate=rate, splits="search", measures=Measures())
