"""A call: what was asked of `run`, as plain data, made once from the arguments and `TF_CONFIG`."""

import dataclasses
from pathlib import Path

from lab.declare.machine import Hosts


@dataclasses.dataclass(frozen=True)
class Call:
    """What was asked. None, or empty: not said, so the declaration or the machine decides.

    Attributes:
        names: the experiments.
        results: folder of records, tables and figures.
        seeds: runs a variant, with seeds 0 to seeds-1.
        epochs: passes over the training pictures, for all variants.
        variants: only these rows.
        dataset: only on this data set.
        classes: of Quick, Draw!: names with commas between them, or "all".
        precision: what layers compute in.
        workers: worker processes.
        devices: what each run computes on, see `lab.command.placement.layout`.
        plain: train by Keras's own operations, also where there are faster ones.
        cluster: the address of a Ray cluster's head, or "ray".
        hosts: those that train each run together.
        retries: how often a run that fails is tried again.
        force: run again what has a record.
        rates: choose learning rates instead of running the rows, see `lab.declare.rates`.
        tuner, trials, trial_seeds, variant: of a search, see `lab.declare.search.Search`; `variant` names the network.
    """

    names: tuple[str, ...] = ()
    results: Path = Path("results")
    seeds: int | None = None
    epochs: int | None = None
    variants: tuple[str, ...] = ()
    dataset: str | None = None
    classes: str | None = None
    precision: str | None = None
    workers: int | None = None
    devices: str | None = None
    plain: bool = False
    cluster: str | None = None
    hosts: Hosts | None = None
    retries: int = 0
    force: bool = False
    rates: bool = False
    tuner: str | None = None
    trials: int | None = None
    trial_seeds: int | None = None
    variant: str | None = None
