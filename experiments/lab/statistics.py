"""Statistics over seeds, by scipy."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.stats


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
    low, high = scipy.stats.t.interval(0.95, n - 1, loc=mean, scale=std / math.sqrt(n))
    return Summary(n, mean, std, float(low), float(high))
