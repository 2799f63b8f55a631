"""What is measured of a trained network, on pictures that it has not learned from."""

import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from cnn_models.gradients.effective import effective_side, gradient_of_centre
from lab.data import arrays
from lab.data.datasets import Split
from lab.learn.alterations import altered
from lab.learn.measuring import maps, ranking
from lab.learn.pictures import normalise

if TYPE_CHECKING:
    from lab.learn.training import Trainer

TRAINING_PICTURES = 5_000  # at most, of those learned from, on which the error is measured once training has ended
ALTERATION_SEED = 0  # every network reads the same altered test pictures
FIELD_PICTURES = 200  # of the validation split, over which effective fields and gradients are taken


def of(trainer: "Trainer", seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """All that a recipe asks for, the test split being read where it may be.

    Args:
        trainer: its network trained with this seed.
        seed: of the run, for positions and orders of pixels.

    Returns:
        Metrics; and details, among them `misread`, the test pictures read wrongly by their places.
    """
    asked = trainer.training
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {"misread": {}}
    if asked.splits != "search":
        metrics, details = _read(trainer, seed)
        if asked.measures.position_grid:
            details["maps"] = _by_position(trainer, asked.measures.position_grid)
            metrics |= maps.summary(details["maps"])
    if asked.measures.field_layer:
        metrics["effective_field_pixels"] = effective_field(trainer, asked.measures.field_layer)
    return metrics, details


def _read(trainer: "Trainer", seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Accuracy, misread pictures and what else is asked of the answers, on the test split as it is and shifted.

    And the error on training pictures, which says whether the network has learned what it was shown.
    """
    asked, test = trainer.training.measures, trainer.view(trainer.dataset.test, seed)
    seen = {"test": test.images} | {
        f"test_shift{pixels}": arrays.shifted(test.images, pixels) for pixels in asked.test_shifts
    }
    for name in asked.test_alterations:
        other = Split(altered(trainer.dataset.test.images, name, ALTERATION_SEED), test.labels)
        seen[f"test_{name}"] = trainer.view(other, seed, unaltered=True).images
    if asked.position_grid:
        seen["test_everywhere"] = trainer.view(trainer.dataset.test, seed, "everywhere").images
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {}
    misread: dict[str, list[int]] = {}
    for name, images in seen.items():
        began = time.perf_counter()
        logits = trainer.logits(Split(images, test.labels))
        loss, predictions = float(trainer.loss(test.labels, logits)), logits.argmax(axis=1)
        if name == "test":
            metrics["inference_seconds"] = time.perf_counter() - began
            ranked, details = _ranked(trainer, logits, test.labels)
            metrics |= ranked
        misread[name] = np.flatnonzero(predictions != test.labels).tolist()
        accuracy = 1 - len(misread[name]) / len(test.labels)
        metrics[f"{name}_accuracy"] = accuracy
        metrics[f"{name}_error_percent"] = 100 * (1 - accuracy)
        metrics[f"{name}_loss"] = loss
        if asked.error_of:
            own = test.labels == trainer.dataset.names.index(asked.error_of)
            metrics[f"{name}_{asked.error_of}_error_percent"] = 100 * float(
                np.mean(predictions[own] != test.labels[own])
            )
    _, predictions = trainer.evaluate(learned := trainer.learned(seed, TRAINING_PICTURES))
    metrics["train_error_percent"] = 100 * float(np.mean(predictions != learned.labels))
    if asked.consistency_shift:
        metrics["shift_consistency_percent"] = 100 * consistency(trainer, test, asked.consistency_shift)
    return metrics, {"misread": misread} | details


def effective_field(trainer: "Trainer", layer: str) -> float:
    """Side of a layer's effective field in pixels, see `cnn_models.gradients.effective`."""
    seen = keras.Model(trainer.model.inputs[0], trainer.model.get_layer(layer).output)
    images = trainer.validation.images[:FIELD_PICTURES]
    return effective_side(gradient_of_centre(seen, np.asarray(normalise(images))))


def gradient_norms(trainer: "Trainer") -> list[float]:
    """The norm of the loss's gradient in each kernel, first to last, on one batch of validation pictures.

    As in a step of training, a batch is normalised by itself; what the network remembers of it is undone.
    """
    images, labels = trainer.validation.images[:FIELD_PICTURES], trainer.validation.labels[:FIELD_PICTURES]
    kernels = [variable.value for variable in trainer.model.trainable_variables if variable.name == "kernel"]
    kept = [variable.numpy() for variable in trainer.model.non_trainable_variables]
    with tf.GradientTape() as tape:
        loss = trainer.loss(labels, trainer.model(normalise(images), training=True))
    for variable, value in zip(trainer.model.non_trainable_variables, kept, strict=True):
        variable.assign(value)
    return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, kernels)]


def _by_position(trainer: "Trainer", grid: int) -> dict[str, list[list[float]]]:
    """The test pictures read at a grid of positions, whatever positions were learned from."""
    assert trainer.training.view.canvas
    predict = lambda images: trainer.evaluate(Split(images, np.zeros(len(images), "int64")))[1]  # noqa: E731
    return maps.by_position(predict, trainer.dataset.test, trainer.training.view.canvas, grid)


def _ranked(trainer: "Trainer", logits: np.ndarray, labels: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """Precision at a rank, and the mistakes, where the recipe asks for them."""
    map_at, mistakes = trainer.training.measures.map_at, trainer.training.measures.mistakes
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {}
    if map_at:
        metrics[f"test_map{map_at}"] = ranking.mean_average_precision(logits, labels, map_at)
    if mistakes:
        details["classes"] = list(trainer.dataset.names) or [str(number) for number in range(trainer.dataset.classes)]
        details["confusions"] = ranking.confusions(logits, labels)
        details["mistakes"] = ranking.confident_mistakes(logits, labels, mistakes)
    return metrics, details


def consistency(trainer: "Trainer", test: Split, pixels: int) -> float:
    """The share of test pictures of which two random shifts get the same class (Zhang 2019, section 4)."""
    one, other = (trainer.evaluate(Split(arrays.shifted(test.images, pixels, n), test.labels))[1] for n in (1, 2))
    return float(np.mean(one == other))
