"""Signs that a row was trained too little to be evidence: it would do better with more training or another rate.

The rules, and their numbers, were set before any table was looked at with them:
- validation still improved: within the last tenth of the epochs (one at least) the validation error fell by more than
  a tenth of what was left of it, on average over seeds, and the 95 % interval of its fall is above 0;
- training error above test error: on average over seeds, with the 95 % interval of the difference above 0, and by more
  than the choice of pictures accounts for (this part was added after tables had been seen: a network too small for its
  task has equal errors on both, and MNIST's test digits are a little easier than its training digits);
- learning rate at an edge: the rate chosen for the row is the least or the largest of its grid, and its validation
  error is below that of the next one by more than the standard error of the difference (this part was added when a
  grid had been seen on which some rows do equally well at all rates).
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping

from lab.report.table.statistics import summarise
from lab.store.record import Record

TENTH = 10
TRAINING_PICTURES, TEST_PICTURES = 5_000, 10_000  # that the errors are usually of
STILL, UNDERFIT, EDGE = "validation still improved", "training error above test error", "learning rate at an edge"


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How one run's training ended, in per cent; None: its record does not tell.

    Attributes:
        validation: the validation error at the end.
        fall: by how much it fell within the last tenth of the epochs.
        training: the error on training pictures at the end, as the network is shown them, without distortion. Of an
            older record, the mean over the last epoch's steps, distorted.
        test: the test error.
    """

    validation: float | None
    fall: float | None
    training: float | None
    test: float | None


def ending(record: Record) -> Ending:
    """How the training that a record tells of ended."""
    history: Mapping[str, list[float]] = record.history or {}
    validation = [100 * (1 - value) for value in history.get("validation_accuracy", ())]
    steps = max(1, round(len(validation) / TENTH))
    fall = validation[-1 - steps] - validation[-1] if len(validation) > steps else None
    training = record.metrics.get("train_error_percent")
    if training is None and history.get("train_accuracy"):
        training = 100 * (1 - history["train_accuracy"][-1])
    test = record.metrics.get("test_error_percent")
    return Ending(validation[-1] if validation else None, fall, training, test)


def signs(endings: Iterable[Ending], at_edge: bool) -> tuple[str, ...]:
    """The signs that a row shows, in words; none where it is evidence.

    Args:
        endings: of its finished runs.
        at_edge: whether its learning rate is at an edge of the grid that it was chosen from.
    """
    runs = list(endings)
    falls = [(run.fall, run.validation) for run in runs if run.fall is not None and run.validation is not None]
    found = []
    if falls and _above(value for value, _ in falls):
        left = sum(rest for _, rest in falls)
        if sum(value for value, _ in falls) > left / TENTH:
            found.append(STILL)
    both = [(run.training, run.test) for run in runs if run.training is not None and run.test is not None]
    if _above(training - test - _by_chance(test, len(both)) for training, test in both):
        found.append(UNDERFIT)
    return (*found, *([EDGE] if at_edge else []))


def _by_chance(percent: float, seeds: int) -> float:
    """What two errors of this size differ by at most, in 95 of 100 choices of pictures; test pictures are shared."""
    share = min(max(percent / 100, 0), 1)
    return 196 * math.sqrt(share * (1 - share) * (1 / (seeds * TRAINING_PICTURES) + 1 / TEST_PICTURES))


def _above(values: Iterable[float]) -> bool:
    """Whether a mean is above 0: its whole 95 % interval, or of a single value itself."""
    summary = summarise(list(values))
    return summary.n > 0 and (summary.mean if summary.n == 1 else summary.ci95_low) > 0
