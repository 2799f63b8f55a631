"""Plans a call: its runs and their devices, or one refusal, before anything starts."""

import dataclasses
import os
from collections.abc import Sequence

from lab.declare import catalogue, fits, machine, search
from lab.declare.call import Call
from lab.declare.experiment import Experiment
from lab.declare.recipe import Training, with_options
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute import placement


# Far beyond what anyone has the time for, and near enough that all is planned, and refused, within seconds.
@dataclasses.dataclass(frozen=True)
class Planned:
    """What a call will do for one experiment.

    Attributes:
        experiment: its declaration.
        runs: in this order; of a search, the rows it sets out from.
        layout: how many at a time, and what each computes on.
        hosts: those that train each run together; None: this machine, or a cluster.
    """

    experiment: Experiment
    runs: list[Run]
    layout: machine.Layout
    hosts: machine.Hosts | None = None


MOST_RUNS = 1_000_000  # of an experiment; docs/million-runs.md says what becomes of so many


WORKERS_A_CORE = 16  # on one machine, where each is a process with a TensorFlow of its own, about half a gigabyte


def planned(experiment: Experiment, call: Call) -> Planned:
    """The plan of a call for one experiment.

    Raises:
        UsageError: it cannot be done, see `plan` and `lay_out`.
    """
    from lab.data import datasets

    _refuse_without_search(experiment, call)
    runs = plan(experiment, call)
    _refuse_for_others_runs(experiment, call)
    hosts = call.hosts if experiment.dataset in datasets.DATASETS else None
    return Planned(experiment, runs, lay_out(experiment, runs, call), hosts)


def plan(experiment: Experiment, call: Call) -> list[Run]:
    """The runs a call asks for, checked against what is known of the data.

    Raises:
        UsageError: more runs than a call takes, an unknown variant, data set or class, a row that cannot be on its
            data set (see `lab.declare.fits`), or a batch larger than the training split.
    """
    from lab.data import datasets, pairs

    trains = experiment.dataset in datasets.DATASETS
    if not trains:
        _refuse_for_fixed(experiment, call)
    runs: list[Run] = []
    for declared in [call.dataset] if call.dataset else experiment.datasets:
        name = datasets.by_class(declared, call.classes) if call.classes else declared
        of_pairs = experiment.takes_pairs and name.startswith(pairs.PREFIX)
        outline = datasets.outline(name) if trains and not of_pairs else None
        chosen = [
            variant
            for variant in experiment.select(call.variants)
            if call.dataset or declared in experiment.datasets_of(variant.name)
        ]
        if outline:
            fits.refuse(experiment, {variant.name: variant.settings for variant in chosen}, outline)
        seeds = range(call.seeds or experiment.seeds)
        if len(runs) + len(chosen) * len(seeds) > MOST_RUNS:
            raise UsageError(
                f"{experiment.name}: {len(chosen)} variants with {len(seeds):,} seeds each are more runs than a call "
                f"takes, {MOST_RUNS:,}; ask for fewer SEEDS, or for some VARIANTS."
            )
        for variant in chosen:
            epochs = None if experiment.search else call.epochs  # a search has used them already
            settings = with_options(variant.settings, epochs=epochs, precision=call.precision)
            if outline and outline.size is not None and getattr(settings, "batch_size", 0) > outline.size:
                raise UsageError(
                    f"{variant.name}: a batch of {settings.batch_size} is larger than {name}'s {outline.size} pictures."
                )
            runs += [Run(experiment.name, variant.name, name, settings, seed) for seed in seeds]
    return _with_needed(runs) if call.force else runs


def _with_needed(runs: list[Run]) -> list[Run]:
    """Before the runs, those of the same experiment whose networks they read: what is done again starts there."""
    needed = [need for run in runs for need in run.needs if need.experiment == run.experiment]
    return list({run.key: run for run in (*needed, *runs)}.values()) if needed else runs


def needed_first(planned: Sequence[Planned], call: Call) -> list[Planned]:
    """With FORCE, what comes before: the runs of other experiments whose networks these runs read, done again too."""
    if not call.force:
        return []
    needs = {need.key: need for part in planned for run in part.runs for need in run.needs}
    runs: dict[str, list[Run]] = {}
    for need in needs.values():
        if need.experiment not in call.names:
            runs.setdefault(need.experiment, []).append(need)
    experiments = [catalogue.find(name) for name in runs]
    return [Planned(one, runs[one.name], lay_out(one, runs[one.name], call)) for one in experiments]


def _refuse_for_fixed(experiment: Experiment, call: Call) -> None:
    for word in ("dataset", "epochs", "classes", "precision", "devices"):
        if getattr(call, word):
            raise UsageError(f"{experiment.name} trains nothing, so it takes no --{word}.")


def lay_out(experiment: Experiment, runs: Sequence[Run], call: Call) -> machine.Layout:
    """On which devices the runs go.

    Raises:
        UsageError: there are no such devices, they do not divide a batch, or the experiment's loop cannot use them.
    """
    from lab.data import datasets

    cores = os.cpu_count() or 1
    if call.workers and not call.cluster and call.workers > WORKERS_A_CORE * cores:
        raise UsageError(
            f"WORKERS={call.workers} are too many for {cores} cores: each is a process with a TensorFlow of its own. "
            f"Take at most {WORKERS_A_CORE * cores}."
        )
    if experiment.dataset not in datasets.DATASETS:  # trains nothing
        return placement.layout("cpu", call.workers, (), 0, cores)
    if runs and not any(isinstance(run.settings, Training) for run in runs):
        _refuse_for_own_loop(runs[0].experiment, call)
    if call.cluster and call.hosts:
        raise UsageError("TF_CONFIG trains each run on all hosts, --cluster each on one: not both at once.")
    recipes = [run.settings for run in runs if hasattr(run.settings, "batch_size")]  # some rows need no learning
    batches = [min(recipe.batch_size, recipe.examples or recipe.batch_size) for recipe in recipes]
    if experiment.search:
        batches += search.asked_for(experiment, call).batches
    gpus = len(machine.visible_gpus())
    if call.hosts:
        if call.workers or call.retries:
            raise UsageError("TF_CONFIG trains one run at a time on all hosts: leave out --workers and --retries.")
        return placement.together(call.devices, call.hosts, batches, gpus)
    if call.cluster:
        return placement.on_cluster(call.devices, call.workers, batches)
    return placement.layout(call.devices, call.workers, batches, gpus, cores)


def _refuse_for_others_runs(experiment: Experiment, call: Call) -> None:
    if experiment.reads_runs and (call.cluster or call.hosts):
        raise UsageError(
            f"{experiment.name} reads networks that other runs left on this machine: leave out --cluster and TF_CONFIG."
        )


def _refuse_for_own_loop(experiment: str, call: Call) -> None:
    """What only `lab.learn.training.Trainer` knows."""
    if call.precision or (call.devices and call.devices not in ("cpu", "gpu", "cpu:1", "gpu:1")) or call.hosts:
        raise UsageError(f"{experiment} has its own training loop: one device, float32, one host for each run.")


def _refuse_without_search(experiment: Experiment, call: Call) -> None:
    from lab.data import datasets

    if not experiment.search:
        for word in ("tuner", "trials", "trial_seeds", "variant"):
            if getattr(call, word):
                meant = " Did you mean --variants?" if word == "variant" else ""
                raise UsageError(
                    f"{experiment.name} searches for nothing, so it takes no --{word.replace('_', '-')}.{meant}"
                )
        return
    if call.hosts:
        raise UsageError(f"{experiment.name} searches over several hosts by CLUSTER; leave out TF_CONFIG.")
    if call.classes:
        raise UsageError(f"{experiment.name} searches on whole data sets, so it takes no --classes.")
    sought = search.asked_for(experiment, call)
    fits.refuse(experiment, {sought.start.model: sought.start}, datasets.outline(sought.dataset))
