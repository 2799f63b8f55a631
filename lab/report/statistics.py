"""Statistics over seeds, by scipy and statsmodels."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

from lab.declare.evidence import MIN_SEEDS


@dataclasses.dataclass(frozen=True)
class Summary:
    """A sample: how many, mean, standard deviation (n - 1), and 95 % interval of the mean.

    With one value the spread is unknown, and is NaN rather than 0.
    """

    n: int
    mean: float
    std: float
    ci95_low: float
    ci95_high: float


def summarise(values: Sequence[float]) -> Summary:
    """Mean, spread and Student-t interval of a sample of independent runs."""
    n = len(values)
    mean = sum(values) / n if n else math.nan
    if n < 2:
        return Summary(n, mean, math.nan, math.nan, math.nan)
    std = float(np.std(values, ddof=1))
    if std == 0:  # the t interval of equal values is the value itself
        return Summary(n, mean, 0.0, mean, mean)
    low, high = _student(n - 1)
    return Summary(n, mean, std, low * (std / math.sqrt(n)) + mean, high * (std / math.sqrt(n)) + mean)


@functools.cache  # large tables ask for few numbers of seeds
def _student(degrees: int) -> tuple[float, float]:
    """The 95 % interval of Student's t."""
    low, high = scipy.stats.t.interval(0.95, degrees)
    return float(low), float(high)


@dataclasses.dataclass(frozen=True)
class Difference:
    """How one variant differs from another, paired by seed.

    Attributes:
        n: seeds that both have.
        mean, ci95_low, ci95_high: of the differences, first minus second.
        p_value: of a paired t test; NaN with fewer than `MIN_SEEDS` pairs, or without any spread.
        effect_size: Cohen's d of the differences (mean over standard deviation); NaN likewise.
    """

    n: int
    mean: float
    ci95_low: float
    ci95_high: float
    p_value: float
    effect_size: float


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> Difference:
    """Compares two variants' values by seed; seeds that only one of them has are left out."""
    seeds = sorted(set(first) & set(second))
    differences = [first[seed] - second[seed] for seed in seeds]
    summary = summarise(differences)
    # Differences that are equal but for rounding have no spread to test against.
    tested = summary.n >= MIN_SEEDS and summary.std > 1e-9 * abs(summary.mean)
    p_value = float(scipy.stats.ttest_1samp(differences, 0).pvalue) if tested else math.nan
    effect_size = summary.mean / summary.std if tested else math.nan
    return Difference(summary.n, summary.mean, summary.ci95_low, summary.ci95_high, p_value, effect_size)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of a family of comparisons; what was not tested (NaN) is no member of it."""
    from statsmodels.stats.multitest import multipletests

    adjusted = np.array(p_values, dtype=float)
    tested = ~np.isnan(adjusted)
    if tested.any():
        adjusted[tested] = multipletests(adjusted[tested], method="holm")[1]
    return adjusted.tolist()


def mcnemar(first: Sequence[int], second: Sequence[int]) -> float:
    """Exact McNemar test of two networks on one test set.

    Args:
        first, second: indices of the test pictures each misread.

    Returns:
        p-value of the hypothesis that a picture misread by one alone is equally often misread by
        either; 1 where there is no such picture.
    """
    only_first, only_second = len(set(first) - set(second)), len(set(second) - set(first))
    if not only_first + only_second:
        return 1.0
    return _binomial(only_first, only_first + only_second)


@functools.lru_cache(maxsize=100_000)
def _binomial(successes: int, trials: int) -> float:
    return float(scipy.stats.binomtest(successes, trials).pvalue)
