"""Training: a loop of our own over `tf.function`.

Keras's `fit` cannot run under `MultiWorkerMirroredStrategy` (keras #20585) and spends more time
between the steps of a small network than in them. Here the data lie on the device as uint8, and one
call runs many steps: gather, distort, normalise, forward, backward, update. Where a data set stays in
files, each call is handed the pictures of its own steps.
"""

import contextlib
import dataclasses
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import cnn_models
from cnn_models.analysis import cost
from cnn_models.layers.losses import MapCriterion
from lab.data import datasets, views
from lab.data.datasets import Dataset, Split
from lab.data.stored import Shuffled
from lab.declare import fits, machine
from lab.declare.recipe import Canvas, Training
from lab.declare.run import Run
from lab.declare.work import Report, RunOutcome
from lab.errors import UsageError
from lab.learn import devices, measures
from lab.learn.pictures import distort, normalise, place
from lab.store.records import Attachment, Records

EVALUATION_BATCH = 500
STEPS_PER_CALL = 100


class TrainingWork:
    """The work of a training experiment; keeps the data and the traced graph of the last variant."""

    def __init__(self, records: Records) -> None:
        devices.one_thread()
        self._strategy = devices.strategy()
        self._kept: tuple[tuple[str, Training], Trainer] | None = None

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment]:
        """Trains one variant with one seed; see `lab.declare.work.Work`."""
        trainer = self._trainer(run)
        outcome = trainer.run(run.seed, report)
        outcome["environment"] = {
            "dataset_sha256": trainer.dataset.checksum,
            "devices": devices.in_use(self._strategy),
        }
        return outcome, Attachment(".keras", trainer.model.save)

    def _trainer(self, run: Run) -> "Trainer":
        graph = (run.dataset, run.settings)
        if self._kept is None or self._kept[0] != graph:
            dataset = self._kept[1].dataset if self._kept and self._kept[0][0] == run.dataset else None
            self._kept = None  # frees the old graph before the new one is built
            self._kept = (graph, Trainer(run.settings, dataset or datasets.load(run.dataset), strategy=self._strategy))
        return self._kept[1]


class Trainer:
    """One variant on one data set: its graph is traced once and serves every seed.

    Args:
        training: the recipe.
        dataset: arrays of uint8 pictures `(n, height, width, channels)` and integer labels `(n,)`.
        callbacks: Keras callbacks, driven as `fit` would drive them.
        strategy: `tf.distribute.Strategy` over whose replicas each batch is split evenly; None: no split.

    Raises:
        UsageError: the recipe cannot be followed on this data set, or the replicas do not divide the batch.
    """

    def __init__(
        self,
        training: Training,
        dataset: Dataset,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        self.training = training
        if reason := fits.recipe_refusal(training, dataset.outline):
            raise UsageError(f"{reason}.")
        self.dataset = dataset = _divided(_scaled(dataset, training.view.canvas), training.splits)
        self.examples = min(training.examples or len(dataset.train.labels), len(dataset.train.labels))
        self.batch_size = min(training.batch_size, self.examples)
        self.steps = training.steps_per_epoch or self.examples // self.batch_size
        self.shape = (
            (training.view.canvas.side, training.view.canvas.side, dataset.shape[2])
            if training.view.canvas
            else dataset.shape
        )
        self.dtype = "float64" if training.precision == "float64" else "float32"  # of weights, logits and loss
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        machine.refuse_uneven(self.batch_size, self.replicas)
        with self.strategy.scope():
            self._make()
            if callbacks:  # Keras's callbacks look for the optimizer of a compiled model
                self.model.compile(self.optimizer, self.loss)
        self._fresh_optimizer = [variable.numpy() for variable in self.optimizer.variables]
        self._train = tf.function(  # one graph for any number of steps
            self._steps,
            input_signature=[tf.TensorSpec([None, self.batch_size], tf.int32), tf.TensorSpec([2], tf.int32)],
        )
        self._logits = tf.function(
            lambda images: tf.cast(self.model(normalise(images), training=False), self.dtype),
            input_signature=[tf.TensorSpec([None, *self.shape], tf.uint8)],
        )
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=self.model)

    def run(self, seed: int, report: Report = lambda event: None) -> dict[str, Any]:
        """Trains from scratch with one seed, then reads the test set once, unless it is a trial of a search.

        Args:
            seed: decides initial weights, order of pictures, distortions and dropout.
            report: told of epochs done and images per second as training goes on.

        Returns:
            `status` ("finished" or "diverged"), `facts` (equal for all seeds), `metrics` (numbers of
            this seed; accuracies are shares from 0 to 1, times are seconds), `history` (one value an
            epoch), `misread` (indices of the test pictures read wrongly), and where they are asked for `maps`
            (see `lab.learn.maps`) and `gradient_norms` ("before" and, unless it diverged, "after" training; first
            kernel to last).
        """
        self.reset(seed)
        norms = {"before": measures.gradient_norms(self)} if self.training.measures.gradient_norms else {}
        self.callbacks.on_train_begin()
        began = time.perf_counter()
        history, finite = in_epochs(self.training.epochs, lambda epoch: self._epoch(seed, epoch, report))
        train_seconds = time.perf_counter() - began
        self.callbacks.on_train_end()
        metrics: dict[str, float] = {"train_seconds": train_seconds}
        details: dict[str, Any] = {"misread": {}}
        if finite:
            if "validation_accuracy" in history:
                metrics["validation_accuracy"] = history["validation_accuracy"][-1]
            measured, details = measures.of(self, seed)
            metrics |= measured
            if norms:
                norms["after"] = measures.gradient_norms(self)
        if norms:
            details["gradient_norms"] = norms
            metrics["gradient_first_to_last"] = norms["before"][0] / max(norms["before"][-1], 1e-30)
        return {
            "status": "finished" if finite else "diverged",
            "facts": self.facts(),
            "metrics": metrics,
            "history": history,
            **details,
        }

    def facts(self) -> dict[str, int]:
        """What is known of the network without training it: parameters, multiply-accumulates, examples, a field."""
        trainable = sum(math.prod(variable.shape) for variable in self.model.trainable_variables)
        facts = {"params": self.model.count_params(), "trainable_params": trainable}
        with contextlib.suppress(TypeError):  # a layer of which nobody has said how often it multiplies
            facts["macs"] = cost.macs(self.model)
        if self.training.measures.field_layer:
            side = cnn_models.receptive_field(self.model, self.training.measures.field_layer).size[0]
            if side is not None:  # None: it depends on a size that the graph does not tell
                facts["receptive_field_pixels"] = side
        if self.training.examples:
            facts["examples"] = self.examples  # a small data set may have fewer than are asked for
        if self.training.measures.map_at:
            facts["classes"] = self.dataset.classes
        return facts

    def view(self, split: Split, seed: int, positions: str | None = None) -> Split:
        """A split as the network is shown it in a run of this seed, or with its pictures at other positions."""
        images, canvas = split.images, self.training.view.canvas
        if canvas:
            canvas = dataclasses.replace(canvas, positions=positions or canvas.positions)
            images = views.place(images, views.positions(canvas, images.shape[1], len(images), seed), canvas.side)
        if self.training.view.merged_channels:
            images = views.merged(images)
        if self.training.view.shuffled_pixels:
            images = views.reordered(images, views.pixel_order(images.shape[1] * images.shape[2], seed))
        return Split(images, split.labels)

    def evaluate(self, split: Split) -> tuple[float, np.ndarray]:
        """Mean loss over a whole split of pictures as the network is shown them, and the predicted class of each."""
        logits = self.logits(split)
        return float(self.loss(split.labels, logits)), logits.argmax(axis=1)

    def logits(self, split: Split) -> np.ndarray:
        """The network's answers to a whole split of pictures as it is shown them, `(n, classes)`."""
        return np.concatenate(
            [
                np.asarray(self._logits(split.images[start : start + EVALUATION_BATCH]))
                for start in range(0, len(split.labels), EVALUATION_BATCH)
            ]
        )

    def _make(self) -> None:
        """Network, optimizer and data, on every replica's device."""
        self.model = self._build()
        self.optimizer = self._optimizer()
        self.optimizer.build(self.model.trainable_variables)
        self.loss = self._loss()
        train, canvas = self.dataset.train, self.training.view.canvas
        if self.dataset.stored:
            # The pictures of one call's steps, and no more, are on the device; `_at_hand` assigns them.
            images = tf.zeros([0, *self.dataset.shape], tf.uint8)
            self._images = tf.Variable(images, shape=[None, *self.dataset.shape], trainable=False)
            self._labels = tf.Variable(tf.zeros([0], tf.int32), shape=[None], trainable=False)
        else:
            self._images = devices.on_each(self.strategy, train.images)
            self._labels = devices.on_each(self.strategy, train.labels.astype("int32"))
        # What a seed decides; `reset` assigns it.
        if self.training.random_labels:
            self._labels = tf.Variable(train.labels.astype("int32"), trainable=False)
        self._corners = tf.Variable(tf.zeros([len(train.labels) if canvas else 0, 2], tf.int32), trainable=False)
        self._pixels = tf.Variable(tf.range(self.shape[0] * self.shape[1]), trainable=False)

    def _build(self) -> keras.Model:
        with devices.precision(self.training.precision):
            options = self.training.options or {}
            return cnn_models.build(self.training.model, self.shape, self.dataset.classes, **options)

    def _loss(self) -> keras.losses.Loss:
        if self.training.rubbish_penalty is None:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=self.dtype)
        return MapCriterion(self.training.rubbish_penalty, dtype=self.dtype)

    def _optimizer(self) -> keras.optimizers.Optimizer:
        total = self.steps * self.training.epochs
        warmup = int(total * self.training.warmup)
        peak = self.training.learning_rate
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=peak / 25 if warmup else peak,
            decay_steps=max(total - warmup, 1),
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=self.training.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        if self.training.precision == "mixed_float16":  # whose small gradients would be zero
            return keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def reset(self, seed: int) -> None:
        """Weights, dropout state and optimizer as a newly built model of this seed would have them."""
        set_seed(seed)
        for variable, fresh in zip(self.model.variables, self._build().variables, strict=True):
            variable.assign(fresh)
        for variable, value in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)
        count = len(self.dataset.train.labels)
        if not self.dataset.stored:
            self._chosen = views.nested_order(self.dataset.train.labels, seed)[: self.examples]
        if self.training.view.canvas:
            self._corners.assign(views.positions(self.training.view.canvas, self.dataset.shape[0], count, seed))
        if self.training.view.shuffled_pixels:
            self._pixels.assign(views.pixel_order(self._pixels.shape[0], seed))
        if self.training.random_labels:
            self._labels.assign(views.shuffled_labels(self.dataset.train.labels, seed).astype("int32"))
        self.validation = self.view(self.dataset.validation, seed)

    def _epoch(self, seed: int, epoch: int, report: Report) -> dict[str, float]:
        """One pass over what is learned from in a new order; a last partial batch waits for another order."""
        self.callbacks.on_epoch_begin(epoch)
        began = time.perf_counter()
        size = self.batch_size
        order = self._order(seed, epoch)
        loss = correct = 0.0
        for start in range(0, self.steps, STEPS_PER_CALL):
            steps = min(STEPS_PER_CALL, self.steps - start)
            chunk = self._at_hand(order[start * size : (start + steps) * size]).reshape(steps, size)
            self.callbacks.on_train_batch_begin(start)
            chunk_loss, chunk_correct = self._train(chunk, tf.constant([seed, epoch * self.steps + start]))
            loss, correct = loss + float(chunk_loss), correct + float(chunk_correct)
            done = start + len(chunk)
            self.callbacks.on_train_batch_end(done - 1, {"loss": float(chunk_loss) / len(chunk)})
            speed = done * size / (time.perf_counter() - began)
            progress = epoch + done / self.steps
            report({"done": progress, "total": self.training.epochs, "note": f"{speed:,.0f} images/s"})
        values = {"train_loss": loss / self.steps, "train_accuracy": correct / (self.steps * size)}
        if len(self.validation.labels):
            values["validation_loss"], predictions = self.evaluate(self.validation)
            values["validation_accuracy"] = float(np.mean(predictions == self.validation.labels))
        values["epoch_seconds"] = time.perf_counter() - began
        self.callbacks.on_epoch_end(epoch, values)
        return values

    def _at_hand(self, places: np.ndarray) -> np.ndarray:
        """Where on the device the training pictures of these places are, int32; brought there if they are stored."""
        if not self.dataset.stored:
            return places.astype("int32")
        self._images.assign(self.dataset.train.images[places])
        self._labels.assign(self.dataset.train.labels[places])
        return np.arange(len(places), dtype="int32")

    def _order(self, seed: int, epoch: int) -> np.ndarray | Shuffled:
        """Indices of an epoch's pictures: as many new orders of all that is learned from as its steps need."""
        if self.dataset.stored:
            return Shuffled(self.examples, [seed, epoch])
        generator = np.random.default_rng([seed, epoch])
        if self.training.examples is None and self.training.steps_per_epoch is None:
            return generator.permutation(self.examples)
        passes = -(-self.steps * self.batch_size // self.examples)
        return np.concatenate([generator.permutation(self._chosen) for _ in range(passes)])

    def _steps(self, batches: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Many optimizer steps in one graph.

        Args:
            batches: indices of training pictures, `(steps, batch size)`.
            seed: run's seed and number of the first step, for distortions.

        Returns:
            Sum of the steps' mean losses, and number of pictures read correctly before their step.
        """
        loss = correct = tf.constant(0.0, self.dtype)
        for step in tf.range(tf.shape(batches)[0]):
            step_loss, step_correct = self._step(batches[step], seed + tf.stack([0, step]))
            loss, correct = loss + step_loss, correct + step_correct
        return loss, correct

    def _step(self, batch: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One step of all replicas together; every one of them ends with the same weights and the same answer."""
        if self.replicas == 1:
            return self._share(batch, seed, self._images, self._labels)
        answers = self.strategy.run(self._share, (batch, seed, self._images, self._labels))
        loss, correct = (self.strategy.experimental_local_results(answer)[0] for answer in answers)
        return loss, correct

    def _share(
        self, batch: tf.Tensor, seed: tf.Tensor, all_images: tf.Tensor, all_labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """One replica's part of a step: its share of the batch, and its share of the mean loss."""
        context = tf.distribute.get_replica_context()
        count = self.batch_size // self.replicas
        first = 0 if self.replicas == 1 else context.replica_id_in_sync_group * count
        mine = batch if self.replicas == 1 else batch[first : first + count]
        labels = tf.gather(all_labels, mine)
        images = self._shown(tf.gather(all_images, mine), mine, seed, first)
        with tf.GradientTape() as tape:
            logits = tf.cast(self.model(normalise(images), training=True), self.dtype)
            loss = self.loss(labels, logits)  # which Keras divides by the number of replicas
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.model.trainable_variables)
        hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
        correct = tf.reduce_sum(tf.cast(hits, self.dtype))
        if self.replicas > 1:
            loss, correct = context.all_reduce("SUM", [loss, correct])
            if self.training.precision == "mixed_float16":
                # Keras skips a step whose gradients are not finite on the first replica: let that be any.
                gradients = context.all_reduce("MEAN", gradients)
        self.optimizer.apply(gradients, self.model.trainable_variables)  # sums the gradients over the replicas
        return loss, correct

    def _shown(self, images: tf.Tensor, batch: tf.Tensor, seed: tf.Tensor, first: tf.Tensor | int = 0) -> tf.Tensor:
        """Training pictures as the network is shown them: distorted, on their canvas, in their order of pixels.

        Args:
            images: pictures of the training split, `(n, height, width, channels)`.
            batch: their indices, `(n,)`.
            seed: two integers; what is random is drawn for the whole batch, so that it does not
                depend on how many replicas share it.
            first: place of the first of them within the batch.
        """
        canvas = self.training.view.canvas
        whole = tf.size(batch) * self.replicas
        if self.training.distortion:
            images = distort(images, self.training.distortion, seed, first, whole)
        if canvas:
            corners = tf.gather(self._corners, batch)
            if canvas.moving:
                low, high = (tf.constant(limit, tf.float32) for limit in views.limits(canvas, self.dataset.shape[0]))
                draws = tf.random.stateless_uniform([whole, 2], seed + 1)[first : first + tf.size(batch)]
                corners = tf.floor(low + draws * (high - low + 1))
            images = place(images, corners, canvas.side)
        if self.training.view.merged_channels:
            images = tf.repeat(tf.reduce_max(images, axis=3, keepdims=True), self.shape[2], axis=3)
        if self.training.view.shuffled_pixels:
            flat = tf.reshape(images, [-1, self._pixels.shape[0], self.shape[2]])
            images = tf.reshape(tf.gather(flat, self._pixels, axis=1), [-1, *self.shape])
        return images


def set_seed(seed: int) -> None:
    """Decides the initial weights and the dropout of the networks that are built next.

    Keras draws the seeds of its initializers and of dropout from Python's generator. Its own
    `set_random_seed` also makes TensorFlow forget every compiled function: 0.3 s a run for LeNet-1, where
    a short run takes 0.2 s.
    """
    random.seed(seed)


def in_epochs(count: int, epoch: Callable[[int], dict[str, float]]) -> tuple[dict[str, list[float]], bool]:
    """Trains epoch after epoch, until all are done or one has a value that is not finite.

    Args:
        count: how many.
        epoch: does the one of this number, and returns its values by name.

    Returns:
        The values by name, one an epoch that was finite; and whether all were.
    """
    history: dict[str, list[float]] = {}
    for number in range(count):
        values = epoch(number)
        if not all(math.isfinite(value) for value in values.values()):
            return history, False
        for name, value in values.items():
            history.setdefault(name, []).append(value)
    return history, True


def _scaled(dataset: Dataset, canvas: Canvas | None) -> Dataset:
    """The data set with its pictures at the size they have on the canvas."""
    if canvas is None or canvas.object_side in (None, dataset.shape[0]):
        return dataset
    train, validation, test = (
        Split(views.scaled(split.images, canvas.object_side), split.labels)
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    return dataclasses.replace(dataset, train=train, validation=validation, test=test)


def _divided(dataset: Dataset, splits: str | None) -> Dataset:
    """The data set as a run may learn from it; in a final run validation pictures are training pictures."""
    if splits != "final":
        return dataset
    train, validation = dataset.train, dataset.validation
    both = Split(np.concatenate([train.images, validation.images]), np.concatenate([train.labels, validation.labels]))
    return dataclasses.replace(dataset, train=both, validation=Split(validation.images[:0], validation.labels[:0]))
