"""Worlds in which a claim comes out one way or another, written as real records."""

import itertools

from lab.declare.evidence import FactAtMost
from lab.declare.run import Run
from lab.report import tables
from lab.store.records import Records


def table(folder, experiment, facts):
    """The experiment's judged table, from records that hold these facts by variant."""
    records = Records(folder)
    records.folder(experiment.name).mkdir(parents=True, exist_ok=True)
    settings = {variant.name: variant.settings for variant in experiment.variants}
    for variant, values in facts.items():
        run = Run(experiment.name, variant, experiment.dataset, settings[variant], 0)
        records.save(run, {"status": "finished", "facts": values, "metrics": {}})
    return tables.judged(experiment, tables.write(experiment, records))


def world(evidence, outcomes):
    """Facts by variant in which each part of a claim holds or fails, as told."""
    facts = {}
    for part, holds in zip(evidence.parts, outcomes, strict=True):
        rule = part.judge
        beyond = 1 if isinstance(rule, FactAtMost) else -1
        value = rule.bound if holds else rule.bound + beyond
        assert facts.setdefault(rule.variant, {}).setdefault(rule.column, value) == value, (
            "parts must not exclude others"
        )
    return facts


def every_verdict(evidence):
    """Worlds and the verdicts they must give: all holds, each part fails alone, all fails, a run is missing."""
    count = len(evidence.parts)
    yield world(evidence, [True] * count), "reproduced"
    for failing in range(count):
        yield world(evidence, [number != failing for number in range(count)]), "partly"
    yield world(evidence, [False] * count), "contradicted"
    facts = world(evidence, [True] * count)
    facts.pop(evidence.parts[-1].judge.variant)
    yield facts, "not judged"


def study(folder, experiment, metrics):
    """The experiment's judged table, from five seeds of every row whose metrics `metrics(variant, dataset)` gives.

    Each metric of seed s is what was given, plus a hundredth of s, so that there is a spread.
    """
    records = Records(folder)
    records.folder(experiment.name).mkdir(parents=True, exist_ok=True)
    for dataset in experiment.datasets:
        for variant in experiment.variants:
            for seed in range(5):
                values = {name: value + 0.01 * seed for name, value in metrics(variant, dataset).items()}
                run = Run(experiment.name, variant.name, dataset, variant.settings, seed)
                records.save(run, {"status": "finished", "facts": {}, "metrics": values})
    return tables.judged(experiment, tables.write(experiment, records))


def measured(experiment, metrics, seeds=4):
    """The experiment's table from records of every declared row, kept in memory.

    `metrics` gives a run's measures by variant, data set and seed; None where it diverged.
    """
    records = []
    for variant, dataset, seed in itertools.product(experiment.variants, experiment.datasets, range(seeds)):
        found = metrics(variant.name, dataset, seed)
        specification = Run(experiment.name, variant.name, dataset, variant.settings, seed).specification()
        status = "diverged" if found is None else "finished"
        records.append({"specification": specification, "status": status, "facts": {}, "metrics": found or {}})
    return tables.table(experiment, records)


def judged(experiment, metrics):
    """The rows of such a table that count as evidence."""
    return tables.judged(experiment, measured(experiment, metrics))


def trained(folder, experiment, errors):
    """The experiment's judged table, from records that hold these test errors by variant, one a seed."""
    records = Records(folder)
    records.folder(experiment.name).mkdir(parents=True, exist_ok=True)
    variants = {variant.name: variant for variant in experiment.variants}
    for name, values in errors.items():
        variant = variants[name]
        for seed, error in enumerate(values):
            run = Run(experiment.name, name, variant.dataset or experiment.dataset, variant.settings, seed)
            metrics = {"test_error_percent": error}
            records.save(run, {"status": "finished", "facts": {}, "metrics": metrics})
    return tables.judged(experiment, tables.write(experiment, records))
