"""A linear classifier on a layer's activations."""

import numpy as np
import scipy.linalg

from lab.learn.layers.reader import Probe

PENALTIES = np.logspace(0, 5, 6)


def linear_probe(train: np.ndarray, labels: np.ndarray, held_out: np.ndarray, held_out_labels: np.ndarray) -> Probe:
    """A linear classifier on activations: ridge regression on the classes, in closed form.

    Features are standardised. One matrix of products serves all penalties, which scikit-learn's ridge would
    compute for each anew, or take apart by eigenvalues, at several times the cost.

    Args:
        train: `(n, features)`, what it is fitted on.
        labels: classes, `(n,)`.
        held_out, held_out_labels: the penalty with the fewest errors here is taken.

    Returns:
        From activations `(m, features)` to classes `(m,)`.
    """
    centre, spread = train.mean(axis=0), train.std(axis=0)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    classes, places = np.unique(labels, return_inverse=True)
    targets = np.eye(len(classes))[places] - 1 / len(classes)
    fits = _ridges((train - centre) * scale, targets)
    scores = [np.mean(classes[((held_out - centre) * scale @ fit).argmax(axis=1)] == held_out_labels) for fit in fits]
    best = fits[int(np.argmax(scores))]
    weights = scale[:, np.newaxis] * best
    return lambda more: classes[((more - centre) @ weights).argmax(axis=1)]


def _ridges(inputs: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """Weights `(features, classes)` of ridge regression for each of `PENALTIES`, by the smaller system."""
    count, features = inputs.shape
    wide = features > count
    products = (inputs @ inputs.T if wide else inputs.T @ inputs).astype("float64")
    right = targets if wide else inputs.T @ targets
    fits = []
    for penalty in PENALTIES:
        solved = scipy.linalg.solve(products + penalty * np.eye(len(products)), right, assume_a="pos")
        fits.append((inputs.T @ solved if wide else solved).astype("float32"))
    return fits
