"""The training pictures on the way to the network: which of them, in what order, on which device."""

import dataclasses

import numpy as np
import tensorflow as tf

from lab.data import arrays
from lab.data.datasets import Dataset, Split
from lab.data.stored import Shuffled
from lab.declare import machine
from lab.declare.recipe import Recipe, Training
from lab.learn import devices


class Feed:
    """The training pictures of a data set, in a new order each epoch.

    They lie on every replica's device as uint8; of a data set that stays in files, those of one call's steps do.

    Args:
        dataset: what is learned from, see `prepare`.
        recipe: how many pictures, in how many steps.
        strategy: over whose replicas each batch is split evenly.

    Attributes:
        examples: how many pictures are learned from.
        batch_size: pictures a step; no more than there are.
        steps: optimizer steps an epoch.
        images, labels: what is on the devices.

    Raises:
        UsageError: the replicas do not divide the batch.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, strategy: tf.distribute.Strategy) -> None:
        self.dataset, self.recipe = dataset, recipe
        count = len(dataset.train.labels)
        self.examples = min(recipe.examples or count, count)
        self.batch_size = min(recipe.batch_size, self.examples)
        self.steps = recipe.steps_per_epoch or self.examples // self.batch_size
        machine.refuse_uneven(self.batch_size, strategy.num_replicas_in_sync)
        with strategy.scope():
            self._bring(strategy)

    def reset(self, seed: int) -> None:
        """Chooses the pictures and their labels as in a run of this seed."""
        labels = self.dataset.train.labels
        if not self.dataset.stored:
            self._chosen = arrays.nested_order(labels, seed)[: self.examples]
        if self.recipe.random_labels:
            self.labels.assign(arrays.shuffled_labels(labels, seed).astype("int32"))

    def order(self, seed: int, epoch: int) -> np.ndarray | Shuffled:
        """Indices of an epoch's pictures: as many new orders of all that is learned from as its steps need."""
        if self.dataset.stored:
            return Shuffled(self.examples, [seed, epoch])
        generator = np.random.default_rng([seed, epoch])
        if self.recipe.examples is None and self.recipe.steps_per_epoch is None:
            return generator.permutation(self.examples)
        passes = -(-self.steps * self.batch_size // self.examples)
        return np.concatenate([generator.permutation(self._chosen) for _ in range(passes)])

    def learned(self, places: np.ndarray, seed: int) -> Split:
        """The training pictures of these places, as the data set has them, with the classes that are learned."""
        train, labels = self.dataset.train, self.dataset.train.labels
        if self.recipe.random_labels:
            labels = arrays.shuffled_labels(labels, seed)
        return Split(train.images[places], labels[places])

    def on_device(self, places: np.ndarray) -> np.ndarray:
        """Where on the device the pictures of these places are, int32; brought there if they stay in files."""
        if not self.dataset.stored:
            return places.astype("int32")
        self.images.assign(self.dataset.train.images[places.ravel()])
        self.labels.assign(self.dataset.train.labels[places.ravel()])
        return np.arange(places.size, dtype="int32").reshape(places.shape)

    def _bring(self, strategy: tf.distribute.Strategy) -> None:
        shape, train = self.dataset.shape, self.dataset.train
        if self.dataset.stored:  # `on_device` assigns them
            self.images = tf.Variable(tf.zeros([0, *shape], tf.uint8), shape=[None, *shape], trainable=False)
            self.labels = tf.Variable(tf.zeros([0], tf.int32), shape=[None], trainable=False)
            return
        labels = train.labels.astype("int32")
        self.images = devices.on_each(strategy, train.images)
        if self.recipe.random_labels:  # `reset` assigns them
            self.labels = tf.Variable(labels, trainable=False)
        else:
            self.labels = devices.on_each(strategy, labels)


def prepare(dataset: Dataset, training: Training) -> Dataset:
    """The data set as a run may learn from it: with the pictures at their size, and the splits that it may see."""
    canvas = training.view.canvas
    if canvas and canvas.object_side not in (None, dataset.shape[0]):
        dataset = _scaled(dataset, canvas.object_side)
    return _joined(dataset) if training.splits == "final" else dataset


def _scaled(dataset: Dataset, side: int) -> Dataset:
    """The data set with its pictures at the size they have on the canvas."""
    train, validation, test = (
        Split(arrays.scaled(split.images, side), split.labels)
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    return dataclasses.replace(dataset, train=train, validation=validation, test=test)


def _joined(dataset: Dataset) -> Dataset:
    """The data set with its validation pictures among the training pictures, and none to validate with."""
    train, validation = dataset.train, dataset.validation
    both = Split(np.concatenate([train.images, validation.images]), np.concatenate([train.labels, validation.labels]))
    return dataclasses.replace(dataset, train=both, validation=Split(validation.images[:0], validation.labels[:0]))
