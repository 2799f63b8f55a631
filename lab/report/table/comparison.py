"""Comparisons in a table: which row each row stands beside, their paired difference, and its corrected p-value."""

import collections
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnn_models.search_space import space
from lab.declare.evidence import COMPARED, MIN_SEEDS
from lab.declare.experiment import TRIAL
from lab.report.table.row import Declared, Row, each_setting, in_words, of_zoo, same
from lab.report.table.statistics import holm, mcnemar, paired

MCNEMAR = "mcnemar_p_below_0_05_share"


def compare(
    declaration: Declared,
    rows: list[Row],
    lines: list[dict[str, Any]],
    measure: str,
    pairs: collections.Counter[str],
) -> None:
    """Adds each row's paired difference from its baseline row; Holm's family is all of one measure.

    What `comparison` says is of the measure with the most pairs, which `pairs` counts for each row: of those that not
    all seeds have, or none, it would say too little.
    """
    stem, experiment = f"{measure}_minus_baseline", declaration.experiment
    named: dict[tuple[str, str], list[Row]] = collections.defaultdict(list)
    for row in rows:
        named[row.variant, row.dataset].append(row)
    for row, line in zip(rows, lines, strict=True):
        if row.variant == TRIAL:
            line["comparison"] = "a trial, which is never tested"
            continue
        name = experiment.baseline_of(row.variant)
        if name is None:
            line["comparison"] = "baseline"
            continue
        candidates = named[name, row.dataset]
        baseline = _partner(declaration, row, candidates)
        if baseline is None:
            line["comparison"] = _why_not_compared(declaration, row, name) if candidates else "no baseline was run"
            continue
        difference = paired(row.values(measure), baseline.values(measure))
        enough = difference.n >= MIN_SEEDS
        with_own = f" with {name}" if name != experiment.baseline else ""
        said = f"{COMPARED} by seed{with_own}, n={difference.n}"
        if difference.n >= pairs[row.specification]:
            pairs[row.specification] = difference.n
            line["comparison"] = said if enough else f"too few seeds: {difference.n} of at least {MIN_SEEDS}"
        line |= {f"{stem}_{part}": getattr(difference, part) for part in ("mean", "ci95_low", "ci95_high")}
        line |= {f"{stem}_{part}": getattr(difference, part) for part in ("effect_size", "p_value", "detectable")}
        if measure == "test_error_percent":
            line[MCNEMAR] = _mcnemar(row, baseline)
    for family in _families(declaration, rows, lines, f"{stem}_p_value"):
        for line, adjusted in zip(family, holm([line[f"{stem}_p_value"] for line in family]), strict=True):
            line[f"{stem}_p_value_holm"] = adjusted


def _families(
    declaration: Declared, rows: list[Row], lines: list[dict[str, Any]], column: str
) -> Iterable[list[dict[str, Any]]]:
    """The lines that have this p-value, by the questions that they answer: a correction is of all tests of one.

    One family are the rows of the declared recipes and data sets. Those that deviate alike, as all do after one call
    with EPOCHS, are another, and so are those on a further data set.
    """
    families: dict[tuple[str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    experiment = declaration.experiment
    for row, line in zip(rows, lines, strict=True):
        if column in line:
            searched = line["declared"] or experiment.search  # what a search finds is never as declared
            deviates = "" if searched else in_words(declaration.deviations(row))
            further = "" if row.dataset in experiment.datasets_of(row.variant) else row.dataset
            families[deviates, further].append(line)
    return families.values()


def _partner(declaration: Declared, row: Row, candidates: Sequence[Row]) -> Row | None:
    """The baseline's row that differs from this one in nothing but what the declaration says; None where there is none.

    It deviates as the row does: a row in bfloat16 says nothing beside a baseline in float32.
    """
    if declaration.experiment.search and not declaration.has(row):
        return _partner_of_found(row, candidates)
    ours = declaration.deviations(row)
    if ours is None:
        return None
    for other in candidates:
        theirs = declaration.deviations(other)
        if theirs is not None and same(_own_values(theirs), _own_values(ours)):
            return other
    # What a call sets for all rows, as EPOCHS does, may be what one of the two is declared with.
    return next((other for other in candidates if ours and _agree(declaration, row, other)), None)


def _own_values(deviations: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: ours for name, (ours, _) in deviations.items()}


def _agree(declaration: Declared, row: Row, other: Row) -> bool:
    """Whether two rows have the same of every setting in which either deviates."""
    ours, theirs = each_setting(row.settings), each_setting(other.settings)
    names = {*(declaration.deviations(row) or ()), *(declaration.deviations(other) or ())}
    return all(same(ours.get(name), theirs.get(name)) for name in names)


def _partner_of_found(row: Row, candidates: Sequence[Row]) -> Row | None:
    """The default recipe of what a search has found: equal but for what is searched, and no less trained."""
    if not of_zoo(row.settings):
        return None
    searched = {*space(row.settings["model"]), "options", "epochs"}

    def rest(settings: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name not in searched}

    alike = [other for other in candidates if same(rest(other.settings), rest(row.settings))]
    enough = [other for other in alike if _epochs(other) >= _epochs(row)]
    return min(enough, key=_epochs, default=None)


def _epochs(row: Row) -> float:
    found = row.settings.get("epochs")
    return found if isinstance(found, int | float) else math.nan  # which is no more and no less than any


def _why_not_compared(declaration: Declared, row: Row, name: str) -> str:
    """Why a row is compared with none of the baseline's rows."""
    if declaration.experiment.search:
        return f"{name} was not run with the same network, precision and at least as many epochs"
    deviations = declaration.deviations(row)
    if deviations is None:
        return "not compared: declared no more"
    return f"{name} was not run {'with ' + in_words(deviations) if deviations else 'as declared'}"


def _mcnemar(row: Row, baseline: Row) -> float:
    """The share of seeds in which McNemar's p is below 0.05: seeds share their test pictures, so none are pooled."""
    ours, theirs = row.misread(), baseline.misread()
    found = [mcnemar(ours[seed], theirs[seed]) < 0.05 for seed in set(ours) & set(theirs)]
    return sum(found) / len(found) if found else math.nan
