"""Statistics over seeds, by scipy.special: the whole of scipy.stats takes longer to import than a table to make."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.special

from lab.declare.evidence import MIN_SEEDS

POWER = 0.8  # of the tests whose detectable difference is given


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
    low, high = scipy.special.stdtrit(degrees, [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return float(low), float(high)


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """How one variant differs from another, paired by seed.

    Attributes:
        n: seeds that both have.
        mean, ci95_low, ci95_high: of the differences, first minus second.
        p_value: of a paired t test; NaN with fewer than `MIN_SEEDS` pairs, or without any spread.
        effect_size: Cohen's d of the differences (mean over standard deviation); NaN likewise.
        detectable: the true difference that a paired t test at 5 % finds in `POWER` of all repetitions, if differences
            spread as these do; NaN likewise. Where the measured one is smaller, more seeds are needed to tell.
    """

    n: int
    mean: float
    ci95_low: float
    ci95_high: float
    p_value: float
    effect_size: float
    detectable: float


def over_seeds_and_pictures(misread: Sequence[Sequence[int]], pictures: int) -> tuple[float, float]:
    """The 95 % interval of a test error, had both the seeds and the test pictures been drawn anew.

    The standard error is that of the pigeonhole bootstrap (Owen 2007, The pigeonhole bootstrap, Annals of Applied
    Statistics 1): each draw takes pictures with replacement, and, apart from them, seeds. It takes one seed fewer
    than there are, as the seeds' part would else be too small by 1/n, a fifth with five of them. The variance of
    infinitely many draws has a closed form, so none is drawn. The interval is Student's t, whose degrees of freedom
    are Satterthwaite's: n - 1 where only seeds differ, and more the larger the pictures' part is.

    Five seeds are few: where seeds differ a lot and not by a bell curve, it covers less (89 % in the worst case of
    `test_statistics.py`); where pictures matter most, a little more (97 to 98 %).

    Args:
        misread: of each seed, the places of the test pictures that it misread.
        pictures: how many there are to misread.

    Returns:
        Low and high end, in percent; NaN with fewer than two seeds, or where there was no mistake at all.
    """
    seeds = len(misread)
    if seeds < 2 or not any(map(len, misread)):
        return math.nan, math.nan
    rates = np.array([len(places) for places in misread]) / pictures
    places = np.concatenate([np.asarray(of_seed, "int64") for of_seed in misread])
    share = np.bincount(places) / seeds  # of the seeds, that misread a picture
    mean, of_seeds = rates.mean(), rates.var(ddof=1) / seeds
    squares = np.sum(share**2 + share * (1 - share) / (seeds - 1)) / pictures  # expected of the shares in a draw
    variance = of_seeds + (squares - mean**2 - of_seeds) / pictures
    degrees = (seeds - 1) * (variance / of_seeds) ** 2 if of_seeds else math.inf
    half = float(scipy.special.stdtrit(degrees, 0.975) * math.sqrt(variance))
    return 100 * (float(mean) - half), 100 * (float(mean) + half)


def pairs(first: Mapping[int, float], second: Mapping[int, float]) -> list[tuple[float, float]]:
    """Two variants' values of each seed that both have."""
    return [(first[seed], second[seed]) for seed in sorted(first.keys() & second.keys())]


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> PairedTest:
    """Compares two variants' values by seed; seeds that only one of them has are left out."""
    differences = [one - other for one, other in pairs(first, second)]
    summary = summarise(differences)
    # Differences that are equal but for rounding have no spread to test against.
    tested = summary.n >= MIN_SEEDS and summary.std > 1e-9 * abs(summary.mean)
    p_value = _t_test(summary) if tested else math.nan
    effect_size = summary.mean / summary.std if tested else math.nan
    found = detectable(summary.n, summary.std) if tested else math.nan
    return PairedTest(summary.n, summary.mean, summary.ci95_low, summary.ci95_high, p_value, effect_size, found)


def detectable(n: int, std: float) -> float:
    """The mean that a two-sided t test at 5 % finds in `POWER` of all samples of n values with this spread.

    The other tail, where such a test finds a mean of the wrong sign, is less than one in 10,000 and left out.
    """
    _, critical = _student(n - 1)
    return float(scipy.special.nctdtrinc(n - 1, 1 - POWER, critical)) * std / math.sqrt(n)


def _t_test(sample: Summary) -> float:
    """The two-sided p-value of a t test of a mean of 0."""
    t = sample.mean / (sample.std / math.sqrt(sample.n))
    return float(2 * scipy.special.stdtr(sample.n - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of a family of comparisons; what was not tested (NaN) is no member of it.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure: the smallest of m p-values counts m
    times, the next m - 1 times, and none less than one before it.
    """
    adjusted = np.array(p_values, dtype=float)
    order = np.argsort(adjusted, kind="stable")[: int((~np.isnan(adjusted)).sum())]  # NaN sorts to the end
    times = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(times * adjusted[order]))
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
    # Both tails of a binomial distribution of one half, which is symmetric; of none at all they are 1.
    return min(1.0, 2 * float(scipy.special.bdtr(min(only_first, only_second), only_first + only_second, 0.5)))
