"""What `make example-updates` measures: the first layer's gradient for a digit at two places."""

import keras
import numpy as np
import tensorflow as tf

import cnn_models
from experiments.example_updates import COSINE, DIGITS, SHARED, SIDE, TOUCHED, Moved
from lab.data import datasets
from lab.declare.run import Run
from lab.declare.work import Report, RunOutcome
from lab.learn.devices import one_thread
from lab.learn.loop import set_seed
from lab.learn.views import place
from lab.store.records import Attachment, Records


class UpdatesWork:
    """Compares gradients of networks that are not trained."""

    def __init__(self, records: Records) -> None:
        one_thread()

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment | None]:
        """Measures one network with the initial weights of one seed; see `lab.declare.work.Work`."""
        settings: Moved = run.settings
        dataset = datasets.load(run.dataset)
        digits = dataset.test
        set_seed(run.seed)
        model = cnn_models.build(settings.model, (SIDE, SIDE, 1), dataset.classes, **settings.options or {})
        here, there = (
            gradients(model, shown(digits.images[:DIGITS], shift), digits.labels[:DIGITS], settings.black)
            for shift in (0, settings.shift_pixels)
        )
        metrics = {name: float(np.mean(values)) for name, values in compared(here, there).items()}
        outcome = {"status": "finished", "facts": {"shift_pixels": settings.shift_pixels}, "metrics": metrics}
        arrays = {"here": maps(here[0], SIDE), "there": maps(there[0], SIDE)}
        kept = Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))
        return outcome, kept if run.seed == 0 else None


def shown(images: np.ndarray, shift: int) -> np.ndarray:
    """Digits at the left of the canvas, in the middle of its height, so many pixels from the border."""
    corner = ((SIDE - images.shape[1]) // 2, shift)
    return place(images, np.tile(corner, (len(images), 1)), SIDE)


def gradients(model: keras.Model, images: np.ndarray, labels: np.ndarray, black: float) -> np.ndarray:
    """The gradient of cross-entropy in the first layer's kernel for each picture by itself, `(n, *kernel)`.

    Args:
        model: the network.
        images: `(n, height, width, channels)`, brightnesses 0…255.
        labels: their classes.
        black: what the network gets for a black pixel; for a white one it gets 1 more.
    """
    kernel = next(layer.kernel for layer in model.layers if hasattr(layer, "kernel")).value
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = []
    for image, label in zip(images, labels, strict=True):
        with tf.GradientTape() as tape:
            value = loss(np.array([label]), model(image[np.newaxis] / np.float32(255) + np.float32(black)))
        found.append(np.asarray(tape.gradient(value, kernel)))
    return np.stack(found)


def compared(here: np.ndarray, there: np.ndarray) -> dict[str, np.ndarray]:
    """How alike each picture's two gradients are; the columns are explained in the experiment's `reading`."""
    one, other = (each.reshape(len(each), -1).astype("float64") for each in (here, there))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    either, both = (one != 0) | (other != 0), (one != 0) & (other != 0)
    return {
        COSINE: np.sum(one * other, axis=1) / lengths,
        TOUCHED: 100 * np.mean(one != 0, axis=1),
        SHARED: 100 * both.sum(axis=1) / either.sum(axis=1),
    }


def maps(gradient: np.ndarray, side: int) -> np.ndarray:
    """A kernel's gradient as pictures: of a fully connected layer its norm by pixel, of a convolution each filter."""
    if gradient.ndim == 2:
        return np.linalg.norm(gradient, axis=1).reshape(1, side, side)
    return np.moveaxis(gradient[:, :, 0], -1, 0)
