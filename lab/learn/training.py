"""Training: one variant of an experiment on one data set, with one seed after another."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import cnn_models
from cnn_models.analysis import cost
from lab.data import datasets
from lab.data.datasets import Dataset, Split
from lab.data.stored import Shuffled
from lab.declare import fits
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.errors import UsageError
from lab.learn import devices, views
from lab.learn.fast.network import FastNetwork
from lab.learn.feed import Feed, prepare
from lab.learn.loop import Loop, set_seed
from lab.learn.measuring import measures
from lab.learn.pictures import crop, distort, normalise
from lab.learn.step import Steps, arithmetic, loss_of, optimizer_of
from lab.learn.views import Batch
from lab.store.records import Records

EVALUATION_BATCH = 500


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
            "operations": "fast" if trainer.fast else "plain",
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
    """One variant on one data set: its graph is traced once and serves every seed; see `lab.learn.loop.Learner`.

    Args:
        training: the recipe, the view and what is measured.
        dataset: arrays of uint8 pictures `(n, height, width, channels)` and integer labels `(n,)`.
        callbacks: Keras callbacks, driven as `fit` would drive them.
        strategy: `tf.distribute.Strategy` over whose replicas each batch is split evenly; None: no split.
        fast: train by the operations of `lab.learn.fast`; None: where `lab.learn.devices` says so.

    Attributes:
        model: the Keras model that is trained, whichever operations train it.

    Raises:
        UsageError: the recipe cannot be followed on this data set, or the replicas do not divide the batch.
    """

    unit = "images"

    def __init__(
        self,
        training: Training,
        dataset: Dataset,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        strategy: tf.distribute.Strategy | None = None,
        fast: bool | None = None,
    ) -> None:
        if reason := fits.recipe_refusal(training, dataset.outline):
            raise UsageError(f"{reason}.")
        strategy = strategy or tf.distribute.get_strategy()
        self.fast = devices.fast(strategy) if fast is None else fast
        self.training, self.epochs = training, training.epochs
        self.dataset = prepare(dataset, training)
        self.views = views.transform_of(training.view, self.dataset.shape)
        self.shape = self.views.shape
        self.feed = Feed(self.dataset, training, strategy)
        self.steps, self.batch_size = self.feed.steps, self.feed.batch_size
        steps = self.steps * self.epochs
        with strategy.scope():
            self.views.allocate(len(self.dataset.train.labels))
            self.model, self.loss = self._build(), loss_of(training)
            self.optimizer = optimizer_of(training, steps, self.fast)
            self.optimizer.build(self.model.trainable_variables)
            if callbacks:  # Keras's callbacks look for the optimizer of a compiled model
                self.model.compile(self.optimizer, self.loss)
        self._fresh_optimizer = [variable.numpy() for variable in self.optimizer.variables]
        forward = FastNetwork(self.model, steps) if self.fast else functools.partial(self.model, training=True)
        variables = self.model.trainable_variables
        self.graph = Steps(forward, variables, self.loss, self.optimizer, self.feed, self.show, strategy)
        self._logits = tf.function(
            lambda images: tf.cast(self.model(normalise(images), training=False), arithmetic(training)),
            input_signature=[tf.TensorSpec([None, *self.shape], tf.uint8)],
        )
        self._loop = Loop(self, keras.callbacks.CallbackList(list(callbacks), model=self.model))

    def run(self, seed: int, report: Report = lambda event: None) -> RunOutcome:
        """Trains from scratch with one seed, then reads the test set once, unless it is a trial of a search.

        Args:
            seed: decides initial weights, order of pictures, distortions and dropout.
            report: told of epochs done and images per second as training goes on.

        Returns:
            `status` ("finished" or "diverged"), `facts` (equal for all seeds), `metrics` (numbers of
            this seed; accuracies are shares from 0 to 1, times are seconds), `history` (one value an
            epoch), `misread` (indices of the test pictures read wrongly), and what `Training.measures` asks for:
            `gradient_norms` ("before" and, unless it diverged, "after" training; first kernel to last), and the
            details of `lab.learn.measuring.measures.of`.
        """
        self.reset(seed)
        norms = {"before": measures.gradient_norms(self)} if self.training.measures.gradient_norms else {}
        trained = self._loop.run(seed, report)
        metrics: dict[str, float] = {"train_seconds": trained.seconds}
        details: dict[str, Any] = {"misread": {}}
        if trained.finite:
            if "validation_accuracy" in trained.history:
                metrics["validation_accuracy"] = trained.history["validation_accuracy"][-1]
            measured, details = measures.of(self, seed)
            metrics |= measured
            if norms:
                norms["after"] = measures.gradient_norms(self)
        if norms:
            details["gradient_norms"] = norms
            metrics["gradient_first_to_last"] = norms["before"][0] / max(norms["before"][-1], 1e-30)
        outcome = {"status": trained.status, "facts": self.facts(), "metrics": metrics, "history": trained.history}
        return outcome | details

    def facts(self) -> dict[str, int]:
        """What is known of the network without training it: parameters, multiply-accumulates, examples, a field."""
        trainable = sum(math.prod(variable.shape) for variable in self.model.trainable_variables)
        facts = {"params": self.model.count_params(), "trainable_params": trainable}
        with contextlib.suppress(TypeError):  # a layer of which nobody has said how often it multiplies
            facts["macs"] = cost.macs(self.model)
        asked = self.training.measures
        if asked.field_layer:
            side = cnn_models.receptive_field(self.model, asked.field_layer).size[0]
            if side is not None:  # None: it depends on a size that the graph does not tell
                facts["receptive_field_pixels"] = side
        if self.training.examples:
            facts["examples"] = self.feed.examples  # a small data set may have fewer than are asked for
        if asked.map_at:
            facts["classes"] = self.dataset.classes
        return facts

    def reset(self, seed: int) -> None:
        """Weights, dropout state and optimizer as a newly built model of this seed would have them."""
        set_seed(seed)
        for variable, fresh in zip(self.model.variables, self._build().variables, strict=True):
            variable.assign(fresh)
        for variable, value in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)
        self.feed.reset(seed)
        self.views.reset(seed)
        self.validation = self.view(self.dataset.validation, seed)

    def view(self, split: Split, seed: int, positions: str | None = None, unaltered: bool = False) -> Split:
        """A split as the network is shown it in a run of this seed.

        Args:
            split: pictures as the data set has them.
            seed: of the run.
            positions: other positions on the canvas than those it learns from; None: those.
            unaltered: without the alteration of those it learns from.
        """
        view = self.training.view
        if unaltered:
            view = dataclasses.replace(view, alteration=None)
        if positions and view.canvas:
            view = dataclasses.replace(view, canvas=dataclasses.replace(view.canvas, positions=positions))
        return Split(views.transform_of(view, self.dataset.shape).split(split.images, seed), split.labels)

    def show(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Training pictures as the network is shown them, within a graph: cropped, distorted, then as the view says."""
        if self.training.random_crop:
            images = crop(images, self.training.random_crop, batch)
        if self.training.distortion:
            images = distort(images, self.training.distortion, batch.seed, batch.first, batch.whole)
        return self.views.batch(images, batch)

    def learned(self, seed: int, count: int) -> Split:
        """Up to so many training pictures, as a run of this seed shows them, but neither cropped nor distorted."""
        places = np.unique(self.feed.order(seed, self.epochs)[: min(count, self.feed.examples)])
        split = self.feed.learned(places, seed)
        numbers = tf.constant([seed, self.epochs * self.steps])  # of the step that would come next
        batch = Batch(tf.constant(places, tf.int32), numbers, 0, len(places))
        return Split(self.views.batch(tf.constant(split.images), batch).numpy(), split.labels)

    def order(self, seed: int, epoch: int) -> np.ndarray | Shuffled:
        """See `lab.learn.loop.Learner`."""
        return self.feed.order(seed, epoch)

    def train(self, places: np.ndarray, seed: int, step: int) -> list[float]:
        """See `lab.learn.loop.Learner`: the steps' mean losses, and pictures read correctly before their step."""
        return [float(value) for value in self.graph.run(self.feed.on_device(places), tf.constant([seed, step]))]

    def epoch_values(self, sums: list[float]) -> dict[str, float]:
        """See `lab.learn.loop.Learner`."""
        loss, correct = sums
        values = {"train_loss": loss / self.steps, "train_accuracy": correct / (self.steps * self.batch_size)}
        if len(self.validation.labels):
            values["validation_loss"], predictions = self.evaluate(self.validation)
            values["validation_accuracy"] = float(np.mean(predictions == self.validation.labels))
        return values

    def evaluate(self, split: Split) -> tuple[float, np.ndarray]:
        """Mean loss over a whole split of pictures as the network is shown them, and the predicted class of each."""
        logits = self.logits(split)
        return float(self.loss(split.labels, logits)), logits.argmax(axis=1)

    def logits(self, split: Split) -> np.ndarray:
        """The network's answers to a whole split of pictures as it is shown them, `(n, classes)`."""
        return in_batches(self._logits, split.images)

    def _build(self) -> keras.Model:
        with devices.precision(self.training.precision):
            options = self.training.options or {}
            return cnn_models.build(self.training.model, self.shape, self.dataset.classes, **options)


def in_batches(function: Callable[[np.ndarray], tf.Tensor], images: np.ndarray) -> np.ndarray:
    """What a function within a graph makes of pictures of any number, a batch at a time."""
    starts = range(0, len(images), EVALUATION_BATCH)
    return np.concatenate([np.asarray(function(images[start : start + EVALUATION_BATCH])) for start in starts])
