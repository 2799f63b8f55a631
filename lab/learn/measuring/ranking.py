"""What a classifier's answers say beyond accuracy: ranks, confusions, mistakes. NumPy only."""

from typing import Any

import numpy as np
import scipy.special


def ranks(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The place of each picture's class among the answers, 1 for the likeliest, `(n,)`.

    Of equal answers the class with the lower number stands first, as for argmax.
    """
    own = logits[np.arange(len(labels)), labels][:, np.newaxis]
    before = np.arange(logits.shape[1]) < np.asarray(labels)[:, np.newaxis]
    return 1 + ((logits > own) | ((logits == own) & before)).sum(axis=1)


def mean_average_precision(logits: np.ndarray, labels: np.ndarray, rank: int) -> float:
    """The mean over pictures of 1/r where the class is the r-th likeliest, and of 0 beyond `rank`.

    That is MAP@k where each picture has one class, as in Kaggle's "Quick, Draw! Doodle Recognition".
    """
    found = ranks(logits, labels)
    return float(np.where(found <= rank, 1 / found, 0.0).mean())


def confusions(logits: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """`[class, taken for, how many]` of all pairs that occur, in ascending order; right answers too."""
    classes = logits.shape[1]
    pairs, counts = np.unique(labels.astype("int64") * classes + logits.argmax(axis=1), return_counts=True)
    return [[*divmod(int(pair), classes), int(count)] for pair, count in zip(pairs, counts, strict=True)]


def confident_mistakes(logits: np.ndarray, labels: np.ndarray, most: int) -> list[dict[str, Any]]:
    """The wrong answers that were given the largest probability, the most confident first."""
    probabilities = scipy.special.softmax(logits.astype("float64"), axis=1)
    said = logits.argmax(axis=1)
    wrong = np.flatnonzero(said != labels)
    order = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")][:most]
    return [
        {
            "picture": int(place),
            "class": int(labels[place]),
            "said": int(said[place]),
            "percent": round(100 * float(probabilities[place, said[place]]), 2),
        }
        for place in order
    ]
