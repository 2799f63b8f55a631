"""What `make relearning` measures: filters matched to one another under translation."""

import dataclasses
from typing import Any

import numpy as np
import scipy.fft

from experiments.relearning import COPIES, PAIRS
from lab.declare.run import Run
from lab.declare.work import Report, RunOutcome
from lab.learn.training import TrainingWork
from lab.store.records import Attachment

NEAREST, FARTHEST = 3, 28  # pixels of a shift, along the longer axis
QUANTILE = 0.99  # of the control


@dataclasses.dataclass(frozen=True)
class Matches:
    """Each filter's best match among others.

    Attributes:
        value: normalised correlation, `(filters,)`.
        other: which filter it is with.
        shift: rows and columns that this other filter is shifted by, `(filters, 2)`.
    """

    value: np.ndarray
    other: np.ndarray
    shift: np.ndarray


class RelearningWork(TrainingWork):
    """Trains a fully connected net and matches its first layer's filters."""

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment]:
        """Trains one variant with one seed and measures it; see `lab.declare.work.Work`."""
        outcome, _ = super().execute(run, report)
        trainer = self._trainer(run)
        side = trainer.shape[0]
        trained = filters(trainer.model, side)
        trainer.reset(run.seed)
        untrained = best(filters(trainer.model, side))
        found = best(trained)
        half, quarter = best(trained, quarter_turns=2), best(trained, quarter_turns=1)
        outcome["metrics"] |= {
            COPIES: beyond(found, half),
            "copies_beyond_quarter_turn_percent": beyond(found, quarter),
            "untrained_copies_percent": beyond(untrained, half),
            "best_match": float(np.mean(found.value)),
            "half_turn_match": float(np.mean(half.value)),
            "quarter_turn_match": float(np.mean(quarter.value)),
        }
        arrays = _pairs(trained, found)
        return outcome, Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))


def filters(model: Any, side: int) -> np.ndarray:
    """The first hidden layer's weights as pictures, `(units, side, side)`."""
    return np.moveaxis(model.get_layer("hidden1").kernel.numpy().reshape(side, side, -1), -1, 0)


def beyond(found: Matches, control: Matches) -> float:
    """Percent of matches that are better than `QUANTILE` of a control's.

    Of n exchangeable values each, n at most 100, the threshold lies between the control's two largest, so that chance
    gives between 1/(n + 1) and 2/(n + 1): of 64 filters 1.5 to 3.1 %, and not 1 %.
    """
    return 100 * float(np.mean(found.value > np.quantile(control.value, QUANTILE)))


def best(pictures: np.ndarray, quarter_turns: int = 0) -> Matches:
    """Each picture's best match with any other one under a shift.

    A control turns the other ones first. Half a turn leaves them their power spectrum and with it their
    preferred orientation, smoothness and extent. A quarter turn does not: strokes lie across their like,
    so that filters match better unturned without being copies.

    Args:
        pictures: `(n, side, side)`.
        quarter_turns: of the other ones, 90° each.
    """
    count, side = pictures.shape[:2]
    unit = _unit(pictures)
    others = _unit(np.rot90(pictures, quarter_turns, axes=(1, 2)))
    size = 2 * side  # so that nothing that leaves the frame comes in again
    mine, theirs = (scipy.fft.rfft2(one, (size, size)) for one in (unit, others))
    allowed = _allowed(size)
    value, other, shift = np.full(count, -1.0), np.zeros(count, int), np.zeros((count, 2), int)
    for number in range(count):
        correlation = scipy.fft.irfft2(mine[number] * theirs.conj(), (size, size))
        correlation[number] = -1
        correlation[:, ~allowed] = -1
        other[number], row, column = np.unravel_index(correlation.argmax(), correlation.shape)
        value[number] = correlation[other[number], row, column]
        shift[number] = [place - size if place > side else place for place in (row, column)]
    return Matches(value, other, shift)


def _unit(pictures: np.ndarray) -> np.ndarray:
    """Pictures without their mean, of norm 1; one without any contrast stays zero."""
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=(1, 2), keepdims=True), 1e-12)


def _allowed(size: int) -> np.ndarray:
    """The shifts that count, as places of a circular correlation `(size, size)`."""
    distance = np.minimum(np.arange(size), size - np.arange(size))
    longer = np.maximum(distance[:, np.newaxis], distance[np.newaxis])
    return (longer >= NEAREST) & (longer <= FARTHEST)


def _pairs(pictures: np.ndarray, found: Matches) -> dict[str, np.ndarray]:
    """The best matched pairs side by side, uint8, for the figure; each pair once."""
    order, seen = [], set[frozenset[int]]()
    for number in np.argsort(-found.value, kind="stable"):
        pair = frozenset((int(number), int(found.other[number])))
        if pair not in seen:
            seen.add(pair)
            order.append(int(number))
    chosen = order[:PAIRS]
    gap = np.full((pictures.shape[1], 4), 255, "uint8")
    return {
        "pairs": np.stack(
            [np.hstack([_grey(pictures[one]), gap, _grey(pictures[found.other[one]])]) for one in chosen]
        ),
        "matches": found.value[chosen],
    }


def _grey(picture: np.ndarray) -> np.ndarray:
    """Zero is middle grey, the largest magnitude black or white."""
    largest = max(float(np.abs(picture).max()), 1e-12)
    return np.round(127.5 + 127.5 * picture / largest).astype("uint8")
