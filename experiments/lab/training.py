"""Training: a loop of our own over `tf.function`.

Keras's `fit` cannot run under `MultiWorkerMirroredStrategy` (keras #20585) and spends more time
between the steps of a small network than in them. Here the data lie on the device as uint8, and one
call runs many steps: gather, distort, normalise, forward, backward, update. Where a data set stays in
files, each call is handed the pictures of its own steps.
"""

import collections
import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import cnn_models
from cnn_models import cost
from cnn_models.effective import effective_side, gradient_of_centre
from cnn_models.losses import MapCriterion
from experiments.lab import data, maps, ranking, views
from experiments.lab.data import Dataset, Split
from experiments.lab.devices import one_thread
from experiments.lab.records import Attachment, Record, Records
from experiments.lab.spec import Canvas, Distortion, Run, Training, UsageError
from experiments.lab.stored import Shuffled
from experiments.lab.worker import Report

EVALUATION_BATCH = 500
STEPS_PER_CALL = 100
FIELD_PICTURES = 200  # of the validation split, for effective fields and norms of gradients


class TrainingWork:
    """The work of a training experiment; keeps the data and the traced graph of the last variant."""

    def __init__(self, records: Records) -> None:
        one_thread()
        self._kept: tuple[tuple[str, Training], Trainer] | None = None

    def execute(self, run: Run, report: Report) -> tuple[Record, Attachment]:
        """Trains one variant with one seed; see `lab.worker.Work`."""
        trainer = self._trainer(run)
        outcome = trainer.run(run.seed, report)
        outcome["environment"] = {"dataset_sha256": trainer.dataset.checksum}
        return outcome, Attachment(".keras", trainer.model.save)

    def _trainer(self, run: Run) -> "Trainer":
        graph = (run.dataset, run.settings)
        if self._kept is None or self._kept[0] != graph:
            dataset = self._kept[1].dataset if self._kept and self._kept[0][0] == run.dataset else None
            self._kept = None  # frees the old graph before the new one is built
            self._kept = (graph, Trainer(run.settings, dataset or data.load(run.dataset)))
        return self._kept[1]


class Trainer:
    """One variant on one data set: its graph is traced once and serves every seed.

    Args:
        training: the recipe.
        dataset: arrays of uint8 pictures `(n, height, width, channels)` and integer labels `(n,)`.
        callbacks: Keras callbacks, driven as `fit` would drive them.
    """

    def __init__(
        self, training: Training, dataset: Dataset, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> None:
        self.training = training
        self.dataset = dataset = _scaled(dataset, training.canvas)
        self.examples = min(training.examples or len(dataset.train.labels), len(dataset.train.labels))
        self.batch_size = min(training.batch_size, self.examples)
        self.steps = training.steps_per_epoch or self.examples // self.batch_size
        self.shape = (
            (training.canvas.side, training.canvas.side, dataset.shape[2]) if training.canvas else dataset.shape
        )
        self.model = self._build()
        self.optimizer = self._optimizer()
        self.optimizer.build(self.model.trainable_variables)
        self._fresh_optimizer = [variable.numpy() for variable in self.optimizer.variables]
        self.loss = self._loss()
        if dataset.stored:
            _refuse_for_stored(training, dataset)
            # The pictures of one call's steps, and no more, are on the device; `_at_hand` assigns them.
            self._images = tf.Variable(tf.zeros([0, *dataset.shape], tf.uint8), shape=[None, *dataset.shape])
            self._labels = tf.Variable(tf.zeros([0], tf.int32), shape=[None])
        else:
            self._images = tf.constant(dataset.train.images)
            self._labels = tf.Variable(dataset.train.labels.astype("int32"))
        # What a seed decides; `reset` assigns it.
        self._corners = tf.Variable(tf.zeros([len(dataset.train.labels) if training.canvas else 0, 2], tf.int32))
        self._pixels = tf.Variable(tf.range(self.shape[0] * self.shape[1]))
        self._train = tf.function(self._steps)
        self._logits = tf.function(
            lambda images: self.model(normalise(images), training=False),
            input_signature=[tf.TensorSpec([None, *self.shape], tf.uint8)],
        )
        if callbacks:  # Keras's callbacks look for the optimizer of a compiled model
            self.model.compile(self.optimizer, self.loss)
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=self.model)

    def run(self, seed: int, report: Report = lambda event: None) -> dict[str, Any]:
        """Trains from scratch with one seed, then reads the test set once.

        Args:
            seed: decides initial weights, order of pictures, distortions and dropout.
            report: told of epochs done and images per second as training goes on.

        Returns:
            `status` ("finished" or "diverged"), `facts` (equal for all seeds), `metrics` (numbers of
            this seed; accuracies are shares from 0 to 1, times are seconds), `history` (one value an
            epoch), `misread` (indices of the test pictures read wrongly), and where they are asked for `maps`
            (see `lab.maps`) and `gradient_norms` ("before" and, unless it diverged, "after" training; first
            kernel to last).
        """
        self.reset(seed)
        norms = {"before": self._gradient_norms()} if self.training.gradient_norms else {}
        history: dict[str, list[float]] = collections.defaultdict(list)
        self.callbacks.on_train_begin()
        began = time.perf_counter()
        finite = True
        for epoch in range(self.training.epochs):
            values = self._epoch(seed, epoch, report)
            finite = all(math.isfinite(value) for value in values.values())
            if not finite:
                break
            for name, value in values.items():
                history[name].append(value)
        train_seconds = time.perf_counter() - began
        self.callbacks.on_train_end()
        metrics: dict[str, float] = {"train_seconds": train_seconds}
        misread: dict[str, list[int]] = {}
        details: dict[str, Any] = {}
        if finite:
            metrics["validation_accuracy"] = history["validation_accuracy"][-1]
            tested, misread = self._test(seed)
            metrics |= tested
            details = self._details(seed)
            metrics |= details.pop("metrics", {})
            if self.training.field_layer:
                metrics["effective_field_pixels"] = self._effective_field(self.training.field_layer)
            if norms:
                norms["after"] = self._gradient_norms()
            if self.training.position_grid:
                details["maps"] = self._maps(self.training.position_grid)
                metrics |= maps.summary(details["maps"])
        if norms:
            details["gradient_norms"] = norms
            metrics["gradient_first_to_last"] = norms["before"][0] / max(norms["before"][-1], 1e-30)
        return {
            "status": "finished" if finite else "diverged",
            "facts": self.facts(),
            "metrics": metrics,
            "history": dict(history),
            "misread": misread,
            **details,
        }

    def facts(self) -> dict[str, int]:
        """What is known of the network without training it: parameters, multiply-accumulates, examples, a field."""
        trainable = sum(math.prod(variable.shape) for variable in self.model.trainable_variables)
        facts = {"params": self.model.count_params(), "trainable_params": trainable, "macs": cost.macs(self.model)}
        if self.training.field_layer:
            side = cnn_models.receptive_field(self.model, self.training.field_layer).size[0]
            if side is not None:  # None: it depends on a size that the graph does not tell
                facts["receptive_field_pixels"] = side
        if self.training.examples:
            facts["examples"] = self.examples  # a small data set may have fewer than are asked for
        return facts | ({"classes": self.dataset.classes} if self.training.map_at else {})

    def view(self, split: Split, seed: int, positions: str | None = None) -> Split:
        """A split as the network is shown it in a run of this seed, or with its pictures at other positions."""
        images, canvas = split.images, self.training.canvas
        if canvas:
            canvas = dataclasses.replace(canvas, positions=positions or canvas.positions)
            images = views.place(images, views.positions(canvas, images.shape[1], len(images), seed), canvas.side)
        if self.training.merged_channels:
            images = views.merged(images)
        if self.training.shuffled_pixels:
            images = views.reordered(images, views.pixel_order(images.shape[1] * images.shape[2], seed))
        return Split(images, split.labels)

    def evaluate(self, split: Split) -> tuple[float, np.ndarray]:
        """Mean loss over a whole split of pictures as the network is shown them, and the predicted class of each."""
        logits = self.logits(split)
        return float(self.loss(split.labels, logits)), logits.argmax(axis=1)

    def logits(self, split: Split) -> np.ndarray:
        """The network's answers to a whole split of pictures as it is shown them, float32 `(n, classes)`."""
        return np.concatenate(
            [
                np.asarray(self._logits(split.images[start : start + EVALUATION_BATCH]))
                for start in range(0, len(split.labels), EVALUATION_BATCH)
            ]
        )

    def _build(self) -> keras.Model:
        return cnn_models.build(self.training.model, self.shape, self.dataset.classes)

    def _loss(self) -> keras.losses.Loss:
        if self.training.rubbish_penalty is None:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return MapCriterion(self.training.rubbish_penalty)

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
        return optimizer

    def reset(self, seed: int) -> None:
        """Weights, dropout state and optimizer as a newly built model of this seed would have them."""
        keras.utils.set_random_seed(seed)
        for variable, fresh in zip(self.model.variables, self._build().variables, strict=True):
            variable.assign(fresh)
        for variable, value in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)
        count = len(self.dataset.train.labels)
        if not self.dataset.stored:
            self._chosen = views.nested_order(self.dataset.train.labels, seed)[: self.examples]
        if self.training.canvas:
            self._corners.assign(views.positions(self.training.canvas, self.dataset.shape[0], count, seed))
        if self.training.shuffled_pixels:
            self._pixels.assign(views.pixel_order(self._pixels.shape[0], seed))
        if self.training.random_labels:
            self._labels.assign(views.shuffled_labels(self.dataset.train.labels, seed).astype("int32"))
        self._validation = self.view(self.dataset.validation, seed)

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
        validation_loss, predictions = self.evaluate(self._validation)
        values["validation_loss"] = validation_loss
        values["validation_accuracy"] = float(np.mean(predictions == self._validation.labels))
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
        loss = correct = tf.constant(0.0)
        for step in tf.range(tf.shape(batches)[0]):
            step_loss, step_correct = self._step(batches[step], seed + tf.stack([0, step]))
            loss, correct = loss + step_loss, correct + step_correct
        return loss, correct

    def _step(self, batch: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.gather(self._images, batch)
        labels = tf.gather(self._labels, batch)
        images = self._shown(images, batch, seed)
        with tf.GradientTape() as tape:
            logits = self.model(normalise(images), training=True)
            loss = self.loss(labels, logits)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.float32))

    def _shown(self, images: tf.Tensor, batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Training pictures as the network is shown them: distorted, on their canvas, in their order of pixels."""
        canvas = self.training.canvas
        if self.training.distortion:
            images = distort(images, self.training.distortion, seed)
        if canvas:
            corners = tf.gather(self._corners, batch)
            if canvas.moving:
                low, high = (tf.constant(limit, tf.float32) for limit in views.limits(canvas, self.dataset.shape[0]))
                draws = tf.random.stateless_uniform([tf.size(batch), 2], seed + 1)
                corners = tf.floor(low + draws * (high - low + 1))
            images = place(images, corners, canvas.side)
        if self.training.merged_channels:
            images = tf.repeat(tf.reduce_max(images, axis=3, keepdims=True), self.shape[2], axis=3)
        if self.training.shuffled_pixels:
            flat = tf.reshape(images, [-1, self._pixels.shape[0], self.shape[2]])
            images = tf.reshape(tf.gather(flat, self._pixels, axis=1), [-1, *self.shape])
        return images

    def _test(self, seed: int) -> tuple[dict[str, float], dict[str, list[int]]]:
        """Accuracy and misread pictures on the test split, as it is and shifted."""
        test = self.view(self.dataset.test, seed)
        seen = {"test": test.images} | {
            f"test_shift{pixels}": views.shifted(test.images, pixels) for pixels in self.training.test_shifts
        }
        if self.training.position_grid:
            seen["test_everywhere"] = self.view(self.dataset.test, seed, "everywhere").images
        metrics: dict[str, float] = {}
        misread: dict[str, list[int]] = {}
        for name, images in seen.items():
            began = time.perf_counter()
            loss, predictions = self.evaluate(Split(images, test.labels))
            if name == "test":
                metrics["inference_seconds"] = time.perf_counter() - began
            misread[name] = np.flatnonzero(predictions != test.labels).tolist()
            accuracy = 1 - len(misread[name]) / len(test.labels)
            metrics[f"{name}_accuracy"] = accuracy
            metrics[f"{name}_error_percent"] = 100 * (1 - accuracy)
            metrics[f"{name}_loss"] = loss
        if self.training.consistency_shift:
            metrics["shift_consistency_percent"] = 100 * self._consistency(test, self.training.consistency_shift)
        return metrics, misread

    def _effective_field(self, layer: str) -> float:
        """Side of a layer's effective field in pixels, see `cnn_models.effective`."""
        seen = keras.Model(self.model.inputs[0], self.model.get_layer(layer).output)
        images = self._validation.images[:FIELD_PICTURES]
        return effective_side(gradient_of_centre(seen, np.asarray(normalise(images))))

    def _gradient_norms(self) -> list[float]:
        """The norm of the loss's gradient in each kernel, first to last, on one batch of validation pictures.

        As in a step of training, a batch is normalised by itself; what the network remembers of it is undone.
        """
        images, labels = self._validation.images[:FIELD_PICTURES], self._validation.labels[:FIELD_PICTURES]
        kernels = [variable.value for variable in self.model.trainable_variables if variable.name == "kernel"]
        kept = [variable.numpy() for variable in self.model.non_trainable_variables]
        with tf.GradientTape() as tape:
            loss = self.loss(labels, self.model(normalise(images), training=True))
        for variable, value in zip(self.model.non_trainable_variables, kept, strict=True):
            variable.assign(value)
        return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, kernels)]

    def _maps(self, grid: int) -> dict[str, list[list[float]]]:
        """The test pictures read at a grid of positions, whatever positions were learned from."""
        assert self.training.canvas
        predict = lambda images: self.evaluate(Split(images, np.zeros(len(images), "int64")))[1]  # noqa: E731
        return maps.by_position(predict, self.dataset.test, self.training.canvas, grid)

    def _details(self, seed: int) -> dict[str, Any]:
        """What the recipe asks of the test split beyond accuracy: precision at a rank, and the mistakes."""
        map_at, mistakes = self.training.map_at, self.training.mistakes
        if not (map_at or mistakes):
            return {}
        test = self.view(self.dataset.test, seed)
        logits = self.logits(test)
        found: dict[str, Any] = {}
        if map_at:
            found["metrics"] = {f"test_map{map_at}": ranking.mean_average_precision(logits, test.labels, map_at)}
        if mistakes:
            found["classes"] = list(self.dataset.names) or [str(number) for number in range(self.dataset.classes)]
            found["confusions"] = ranking.confusions(logits, test.labels)
            found["mistakes"] = ranking.confident_mistakes(logits, test.labels, mistakes)
        return found

    def _consistency(self, test: Split, pixels: int) -> float:
        """The share of test pictures of which two random shifts get the same class (Zhang 2019, section 4)."""
        one, other = (self.evaluate(Split(views.shifted(test.images, pixels, n), test.labels))[1] for n in (1, 2))
        return float(np.mean(one == other))


def normalise(images: tf.Tensor) -> tf.Tensor:
    """Brightnesses 0…255 to x/255 - 0.5 (slide "Как применить к картинке нейросеть?"), float32."""
    return tf.cast(images, tf.float32) / 255.0 - 0.5


def place(images: tf.Tensor, corners: tf.Tensor, side: int) -> tf.Tensor:
    """Pictures on black canvases, as `views.place` does, within a graph.

    Args:
        images: `(batch, height, width, channels)`, uint8 or float32.
        corners: row and column of each picture's upper left pixel, integers `(batch, 2)`.
        side: height and width of the canvas.

    Returns:
        Pictures `(batch, side, side, channels)` of the same type.
    """
    row, column = tf.unstack(-tf.cast(corners, tf.float32), axis=1)
    one, zero = tf.ones_like(row), tf.zeros_like(row)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, zero, column, zero, one, row, zero, zero], axis=1),
        output_shape=[side, side],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )


def _refuse_for_stored(training: Training, dataset: Dataset) -> None:
    """What needs a number for every training picture is not for data sets of any size."""
    for name in ("canvas", "examples", "steps_per_epoch"):
        if getattr(training, name) is not None:
            raise UsageError(f"{dataset.name} stays in files, so a recipe with {name} cannot be trained on it.")


def _scaled(dataset: Dataset, canvas: Canvas | None) -> Dataset:
    """The data set with its pictures at the size they have on the canvas."""
    if canvas is None or canvas.object_side in (None, dataset.shape[0]):
        return dataset
    train, validation, test = (
        Split(views.scaled(split.images, canvas.object_side), split.labels)
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    return dataclasses.replace(dataset, train=train, validation=validation, test=test)


def distort(images: tf.Tensor, distortion: Distortion, seed: tf.Tensor) -> tf.Tensor:
    """A random affine map for each picture, bilinear, black outside.

    Args:
        images: `(batch, height, width, channels)`, brightnesses 0…255.
        distortion: the largest change of each kind; each is drawn uniformly up to it.
        seed: two integers; equal seeds give equal distortions.

    Returns:
        Pictures of the same shape, float32, 0…255.
    """
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    draw = tf.unstack(tf.random.stateless_uniform([6, count], seed, -1.0, 1.0))
    angle = draw[0] * math.radians(distortion.rotation_degrees)
    scale_y, scale_x = 1 + draw[1] * distortion.scale, 1 + draw[2] * distortion.scale
    shear = draw[3] * distortion.shear
    shift_y, shift_x = draw[4] * distortion.shift_pixels, draw[5] * distortion.shift_pixels
    cos, sin = tf.cos(angle), tf.sin(angle)
    # The map from output to input pixels: rotation · shear · scale about the centre, then a shift.
    xx, xy = cos * scale_x, (cos * shear - sin) * scale_y
    yx, yy = sin * scale_x, (sin * shear + cos) * scale_y
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    offset_x = centre_x - xx * centre_x - xy * centre_y + shift_x
    offset_y = centre_y - yx * centre_x - yy * centre_y + shift_y
    zero = tf.zeros_like(angle)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([xx, xy, offset_x, yx, yy, offset_y, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
