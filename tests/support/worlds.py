"""Worlds in which a claim comes out one way or another: an experiment's rows, from records that hold given numbers."""

import dataclasses
import itertools

import numpy as np
from scipy.optimize import linprog

from lab.declare.evidence import Fact, Identity, Mean, Ratio
from lab.declare.run import Run
from lab.report.answers.evidence_rows import Rows, row_name
from lab.report.answers.judge import judged
from lab.report.table import tables
from lab.store.record import Record

SLACK = 0.1  # from a bound: more than the interval of three seeds that differ by `SPREAD`
SPREAD = 0.001
LEAST = 0.01  # of what is measured, so that ratios are numbers


def records(experiment, facts=None, metrics=None, seeds=3):
    """Records of the declared runs, kept in memory.

    Args:
        experiment: what is declared.
        facts: by row, which is the variant, or "VARIANT on DATASET".
        metrics: by row, a number or one a seed; or a function of variant, data set and seed that gives None for
            a run that diverged. A row that neither facts nor metrics name was not run.
        seeds: how many.
    """
    facts, metrics = facts or {}, {} if metrics is None else metrics
    for variant in experiment.variants:
        for dataset, seed in itertools.product(experiment.datasets_of(variant.name), range(seeds)):
            name = row_name(experiment, variant.name, dataset)
            if callable(metrics):
                found = metrics(variant.name, dataset, seed)
            elif name in facts.keys() | metrics.keys():
                found = {measure: _of(value, seed) for measure, value in metrics.get(name, {}).items()}
            else:
                continue
            specification = Run(
                experiment.name, variant.name, dataset, variant.settings_on(dataset), seed
            ).specification()
            status = "diverged" if found is None else "finished"
            yield Record(specification, status, facts.get(name, {}), found or {})


def _of(value, seed):
    return value[seed] if isinstance(value, list | tuple) else value


def rows(experiment, facts=None, metrics=None, seeds=3):
    """The rows that count as evidence, of such records."""
    return Rows(experiment, *tables.table_and_seeds(experiment, records(experiment, facts, metrics, seeds)))


def verdict(experiment, claim, facts=None, metrics=None, seeds=3):
    """What the experiment says of a claim, by such records."""
    evidence = next(each for each in experiment.evidence if each.claim == claim)
    return judged(experiment.name, evidence, rows(experiment, facts, metrics, seeds)).verdict.value


def solved(evidence, wanted, shaken=None):
    """Facts and measures by variant with which statements hold or fail as wanted.

    Args:
        evidence: its core statements are given numbers; limits are left to come out as they do.
        wanted: whether each core statement holds.
        shaken: number of a core statement whose seeds differ so much that nothing can be said of it.

    Returns:
        Facts and metrics for `records`, with the experiment's derived measures given directly; or None where no
        numbers do.
    """
    bounds = []
    for statement, holds in zip(evidence.core, wanted, strict=True):
        first, *others = statement.bounds  # a statement fails with one of its bounds
        bounds += [first if holds else _negated(first), *others]
    facts = _facts([bound for bound in bounds if isinstance(bound.of, Fact)])
    exact = [bound for bound in bounds if isinstance(bound.of, Mean) and bound.relation in ("==", "!=")]
    means = _means([bound for bound in bounds if not isinstance(bound.of, Fact) and bound not in exact])
    if facts is None or means is None:
        return None
    metrics = {}
    for bound in exact:
        value = bound.value + (bound.relation == "!=")
        metrics.setdefault(bound.of.variant, {})[bound.of.measure] = [value] * 3
    for number, ((variant, measure), value) in enumerate(means.items()):
        # Seeds differ, and not alike in all variants: a paired difference has a spread of its own.
        metrics.setdefault(variant, {})[measure] = [value, value + SPREAD, value + SPREAD * (number % 3)]
    if shaken is not None:
        of = evidence.core[shaken].bounds[0].of
        middle = metrics[of.variant][of.measure][0]
        metrics[of.variant][of.measure] = [middle - 1e6, middle, middle + 1e6]
    for variant in facts.keys() | metrics.keys():
        facts.setdefault(variant, {})
        metrics.setdefault(variant, {})
    return facts, metrics


def _negated(bound):
    """The bound that holds where this one fails."""
    opposite = {"<": ">=", "<=": ">", "==": "!=", ">=": "<", ">": "<="}[bound.relation]
    return dataclasses.replace(bound, relation=opposite)


def _facts(bounds):
    """Values of exact columns, each on one side of the bounds on it."""
    found = {}
    for key, group in itertools.groupby(sorted(bounds, key=lambda b: (b.of.variant, b.of.measure)), key=lambda b: b.of):
        group = list(group)
        candidates = [bound.value + step for bound in group for step in (0, -1, 1)]
        value = next((each for each in candidates if all(_holds(bound, each) for bound in group)), None)
        if value is None:
            return None
        found.setdefault(key.variant, {})[key.measure] = value
    return found


def _holds(bound, value):
    return {
        "<": value < bound.value,
        "<=": value <= bound.value,
        "==": value == bound.value,
        "!=": value != bound.value,
        ">=": value >= bound.value,
        ">": value > bound.value,
    }[bound.relation]


def _means(bounds):
    """Means of measures that keep away from every bound on them, by linear programming."""
    if not bounds:
        return {}
    keys = list(dict.fromkeys(key for bound in bounds for key in _terms(bound)))
    matrix, limits = np.zeros((len(bounds), len(keys))), np.zeros(len(bounds))
    for line, bound in enumerate(bounds):
        sign = 1 if bound.relation.startswith("<") else -1
        for key, weight in _terms(bound).items():
            matrix[line, keys.index(key)] = sign * weight
        limits[line] = sign * (0 if isinstance(bound.of, Ratio) else bound.value) - SLACK
    found = linprog(np.ones(len(keys)), matrix, limits, bounds=(LEAST, 1e9))
    return dict(zip(keys, map(float, found.x), strict=True)) if found.success else None


def _terms(bound):
    """The measures a bound weighs against 0 or its value, with their weights."""
    of = bound.of
    if isinstance(of, Mean):
        return {(of.variant, of.measure): 1.0}
    other = bound.value if isinstance(of, Ratio) else 1.0
    return {(of.variant, of.measure): 1.0, (of.than, of.measure): -other}


def measured(evidence):
    """The numbers of the core statements that are no identities."""
    return [number for number, statement in enumerate(evidence.core) if not isinstance(statement, Identity)]
