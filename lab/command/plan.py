"""Plans a call: the runs of each experiment and their devices. A call that cannot be done is refused here.

Planning reads declarations and the properties of data sets. It loads no data and starts nothing.
"""

import dataclasses
import os
from collections.abc import Sequence

from lab.command import placement
from lab.declare import catalogue, fits, machine, search
from lab.declare.call import Call
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training, with_options
from lab.declare.run import Run
from lab.errors import UsageError

MOST_RUNS = 1_000_000  # per experiment; docs/million-runs.md describes a study of this size
WORKERS_PER_CORE = 16  # on one machine; each worker is a process with its own TensorFlow, about half a gigabyte


@dataclasses.dataclass(frozen=True)
class Planned:
    """What a call will do for one experiment.

    Attributes:
        experiment: the experiment's declaration.
        runs: the runs, in this order. For a search: the variants it starts from.
        layout: how many runs go at a time, and the devices of each.
        hosts: the hosts that train each run together; None: this machine, or a cluster.
    """

    experiment: Experiment
    runs: list[Run]
    layout: machine.Layout
    hosts: machine.Hosts | None = None


def planned(experiment: Experiment, call: Call) -> Planned:
    """Returns the plan of a call for one experiment.

    Raises:
        UsageError: the call cannot be done, see `plan` and `lay_out`.
    """
    _check_search_options(experiment, call)
    runs = _runs_of_rates(experiment, call) if call.rates else plan(experiment, call)
    _check_reads_runs(experiment, call)
    hosts = call.hosts if experiment.trains else None
    return Planned(experiment, runs, lay_out(experiment, runs, call), hosts)


def plan(experiment: Experiment, call: Call) -> list[Run]:
    """Returns the runs that a call asks for, after checking them against the properties of the data sets.

    Raises:
        UsageError: more than `MOST_RUNS` runs; an unknown variant, data set or class; a variant that does not fit
            its data set (see `lab.declare.fits`); or a batch larger than the training split.
    """
    from lab.data import datasets

    _check_trains_nothing(experiment, call)
    seeds = range(call.seeds or experiment.seeds)
    runs: list[Run] = []
    for declared in [call.dataset] if call.dataset else experiment.datasets:
        name = datasets.by_class(declared, call.classes) if call.classes else declared
        variants = [
            variant
            for variant in experiment.select(call.variants)
            if call.dataset or declared in experiment.datasets_of(variant.name)
        ]
        examples = _check_fit(experiment, variants, name)
        if len(runs) + len(variants) * len(seeds) > MOST_RUNS:
            raise UsageError(
                f"{experiment.name}: {len(variants)} variants with {len(seeds):,} seeds each are more runs than a call "
                f"takes, {MOST_RUNS:,}; ask for fewer SEEDS, or for some VARIANTS."
            )
        for variant in variants:
            epochs = None if experiment.search else call.epochs  # a search sets the epochs of each trial
            settings = with_options(variant.settings_on(name), epochs=epochs, precision=call.precision)
            if examples is not None and getattr(settings, "batch_size", 0) > examples:
                raise UsageError(
                    f"{variant.name}: a batch of {settings.batch_size} is larger than {name}'s {examples} pictures."
                )
            runs += [Run(experiment.name, variant.name, name, settings, seed) for seed in seeds]
    return _with_needed(runs) if call.force else runs


def _runs_of_rates(experiment: Experiment, call: Call) -> list[Run]:
    """The runs that choose the learning rates of an experiment's rows.

    Raises:
        UsageError: the experiment has no grid of rates, or the call asks for what its grid decides.
    """
    if experiment.rates is None:
        raise UsageError(f"{experiment.name} has no grid of learning rates to choose from: leave out --rates.")
    if call.seeds:
        raise UsageError("A grid of learning rates has seeds of its own: leave out --seeds.")
    rows = plan(experiment, dataclasses.replace(call, seeds=1, force=False))
    return experiment.rates.runs(rows)


def _check_fit(experiment: Experiment, variants: Sequence[Variant], dataset: str) -> int | None:
    """Refuses variants that do not fit a data set.

    Returns:
        The number of training examples; None: not known, or the experiment trains on no data set.
    """
    from lab.data import datasets, pairs

    of_pairs = experiment.takes_pairs and dataset.startswith(pairs.PREFIX)
    if of_pairs or experiment.dataset not in datasets.DATASETS:
        return None
    outline = datasets.outline(dataset)
    fits.refuse(experiment, {variant.name: variant.settings for variant in variants}, outline)
    return outline.size


def _with_needed(runs: list[Run]) -> list[Run]:
    """The runs, after those runs of the same experiment whose networks they read. FORCE repeats both."""
    needed = [need for run in runs for need in run.needs if need.experiment == run.experiment]
    return list({run.key: run for run in (*needed, *runs)}.values()) if needed else runs


def needed_first(planned: Sequence[Planned], call: Call) -> list[Planned]:
    """With FORCE: plans for the runs of other experiments whose networks these runs read. They go first."""
    if not call.force:
        return []
    needs = {need.key: need for part in planned for run in part.runs for need in run.needs}
    runs: dict[str, list[Run]] = {}
    for need in needs.values():
        if need.experiment not in call.names:
            runs.setdefault(need.experiment, []).append(need)
    experiments = [catalogue.find(name) for name in runs]
    return [Planned(one, runs[one.name], lay_out(one, runs[one.name], call)) for one in experiments]


def lay_out(experiment: Experiment, runs: Sequence[Run], call: Call) -> machine.Layout:
    """Decides how many runs go at a time, and on which devices.

    Raises:
        UsageError: there are no such devices, they do not divide a batch, or the experiment's training loop cannot
            use them.
    """
    cores = os.cpu_count() or 1
    if call.workers and not call.cluster and call.workers > WORKERS_PER_CORE * cores:
        raise UsageError(
            f"WORKERS={call.workers} are too many for {cores} cores: each is a process with its own TensorFlow. "
            f"Take at most {WORKERS_PER_CORE * cores}."
        )
    if not experiment.trains:
        if call.cluster:
            return placement.on_cluster(None, call.workers, ())
        return placement.layout("cpu", call.workers, (), 0, cores)
    if runs and not any(isinstance(run.settings, Training) for run in runs):
        _check_own_loop(runs[0].experiment, call)
    if call.cluster and call.hosts:
        raise UsageError("TF_CONFIG trains each run on all hosts, --cluster each on one: leave out one of them.")
    if call.hosts and (call.workers or call.retries):
        raise UsageError("TF_CONFIG trains one run at a time on all hosts: leave out --workers and --retries.")
    batches = _batch_sizes(experiment, runs, call)
    gpus = len(machine.visible_gpus())
    if call.hosts:
        return placement.together(call.devices, call.hosts, batches, gpus)
    if call.cluster:
        return placement.on_cluster(call.devices, call.workers, batches)
    return placement.layout(call.devices, call.workers, batches, gpus, cores)


def _batch_sizes(experiment: Experiment, runs: Sequence[Run], call: Call) -> list[int]:
    """The batch sizes of the runs that train, and of a search's trials."""
    recipes = [run.settings for run in runs if hasattr(run.settings, "batch_size")]
    sizes = [min(recipe.batch_size, recipe.examples or recipe.batch_size) for recipe in recipes]
    return sizes + (list(search.asked_for(experiment, call).batches) if experiment.search else [])


def _check_trains_nothing(experiment: Experiment, call: Call) -> None:
    """Refuses options of training for an experiment that trains nothing, and data sets where it looks at none."""
    from lab.data import datasets

    if experiment.trains:
        return
    of_data = () if experiment.dataset in datasets.DATASETS else ("dataset", "classes")
    for name in (*of_data, "epochs", "precision", "devices", "plain"):
        if getattr(call, name):
            raise UsageError(f"{experiment.name} trains nothing, so it takes no --{name}.")


def _check_reads_runs(experiment: Experiment, call: Call) -> None:
    """Refuses other machines for an experiment that reads files of earlier runs."""
    if experiment.reads_runs and (call.cluster or call.hosts):
        raise UsageError(
            f"{experiment.name} reads networks that other runs left on this machine: leave out --cluster and TF_CONFIG."
        )


def _check_own_loop(experiment: str, call: Call) -> None:
    """Refuses options that only `lab.learn.training.Trainer` supports."""
    if call.precision or (call.devices and call.devices not in ("cpu", "gpu", "cpu:1", "gpu:1")) or call.hosts:
        raise UsageError(f"{experiment} has its own training loop: one device, float32, one host for each run.")


def _check_search_options(experiment: Experiment, call: Call) -> None:
    """Refuses search options for other experiments, and what a search cannot do."""
    from lab.data import datasets

    if not experiment.search:
        for name in ("tuner", "trials", "trial_seeds", "variant"):
            if getattr(call, name):
                hint = " Did you mean --variants?" if name == "variant" else ""
                raise UsageError(
                    f"{experiment.name} searches for nothing, so it takes no --{name.replace('_', '-')}.{hint}"
                )
        return
    if call.hosts:
        raise UsageError(f"{experiment.name} searches over several hosts by CLUSTER; leave out TF_CONFIG.")
    if call.classes:
        raise UsageError(f"{experiment.name} searches on whole data sets, so it takes no --classes.")
    sought = search.asked_for(experiment, call)
    fits.refuse(experiment, {sought.start.model: sought.start}, datasets.outline(sought.dataset))
