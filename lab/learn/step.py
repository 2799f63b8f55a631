"""A step of training: a recipe's optimizer and loss, and many steps of all replicas in one graph."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from cnn_models.layers.losses import MapCriterion
from lab.declare.recipe import Recipe
from lab.learn.fast.adamw import FusedAdamW
from lab.learn.feed import Feed
from lab.learn.pictures import normalise
from lab.learn.views import Batch


def arithmetic(recipe: Recipe) -> str:
    """The type of weights, logits and loss."""
    return "float64" if recipe.precision == "float64" else "float32"


def loss_of(recipe: Recipe) -> keras.losses.Loss:
    """Cross-entropy of logits, or the criterion of 1998."""
    if recipe.rubbish_penalty is None:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=arithmetic(recipe))
    return MapCriterion(recipe.rubbish_penalty, dtype=arithmetic(recipe))


def optimizer_of(recipe: Recipe, steps: int, fast: bool = False) -> keras.optimizers.Optimizer:
    """AdamW under a one-cycle schedule.

    Args:
        recipe: its rates.
        steps: of all epochs together.
        fast: by fewer operations, on one device.
    """
    warmup = int(steps * recipe.warmup)
    peak = recipe.learning_rate
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 25 if warmup else peak,
        decay_steps=max(steps - warmup, 1),
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = (FusedAdamW if fast else keras.optimizers.AdamW)(schedule, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    if recipe.precision == "mixed_float16":  # whose small gradients would be zero
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


class Steps:
    """Optimizer steps of all replicas together; every one of them ends with the same weights and the same answer.

    Args:
        forward: from pictures to logits, in training.
        variables: what is trained.
        loss, optimizer: by what.
        feed: the pictures.
        show: from uint8 pictures, and which of a batch they are, to pictures as the network is shown them.
        strategy: whose replicas share each batch.
    """

    def __init__(
        self,
        forward: Callable[[tf.Tensor], tf.Tensor],
        variables: Sequence[keras.Variable],
        loss: keras.losses.Loss,
        optimizer: keras.optimizers.Optimizer,
        feed: Feed,
        show: Callable[[tf.Tensor, Batch], tf.Tensor],
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.forward, self.variables = forward, variables
        self.loss, self.optimizer = loss, optimizer
        self.feed, self.show, self.strategy = feed, show, strategy
        self.replicas = strategy.num_replicas_in_sync
        self.dtype = arithmetic(feed.recipe)
        self.run = tf.function(  # one graph for any number of steps
            self._steps,
            input_signature=[tf.TensorSpec([None, feed.batch_size], tf.int32), tf.TensorSpec([2], tf.int32)],
        )

    def _steps(self, batches: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Many steps.

        Args:
            batches: indices of training pictures, `(steps, batch size)`.
            seed: run's seed and number of the first step, for what is random.

        Returns:
            Sum of the steps' mean losses, and number of pictures read correctly before their step.
        """
        loss = correct = tf.constant(0.0, self.dtype)
        for step in tf.range(tf.shape(batches)[0]):
            step_loss, step_correct = self._step(batches[step], seed + tf.stack([0, step]))
            loss, correct = loss + step_loss, correct + step_correct
        return loss, correct

    def _step(self, batch: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self.replicas == 1:
            return self._share(batch, seed, self.feed.images, self.feed.labels)
        answers = self.strategy.run(self._share, (batch, seed, self.feed.images, self.feed.labels))
        loss, correct = (self.strategy.experimental_local_results(answer)[0] for answer in answers)
        return loss, correct

    def _share(
        self, batch: tf.Tensor, seed: tf.Tensor, all_images: tf.Tensor, all_labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """One replica's part of a step: its share of the batch, and its share of the mean loss."""
        mine = self._mine(batch, seed)
        labels = tf.gather(all_labels, mine.places)
        images = self.show(tf.gather(all_images, mine.places), mine)
        with tf.GradientTape() as tape:
            logits = tf.cast(self.forward(normalise(images)), self.dtype)
            loss = self.loss(labels, logits)  # which Keras divides by the number of replicas
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.variables)
        hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
        correct = tf.reduce_sum(tf.cast(hits, self.dtype))
        if self.replicas > 1:
            context = tf.distribute.get_replica_context()
            loss, correct = context.all_reduce("SUM", [loss, correct])
            if self.feed.recipe.precision == "mixed_float16":
                # Keras skips a step whose gradients are not finite on the first replica: let that be any.
                gradients = context.all_reduce("MEAN", gradients)
        self.optimizer.apply(gradients, self.variables)  # sums the gradients over the replicas
        return loss, correct

    def _mine(self, batch: tf.Tensor, seed: tf.Tensor) -> Batch:
        """This replica's share of a batch."""
        if self.replicas == 1:
            return Batch(batch, seed, 0, tf.size(batch))
        count = self.feed.batch_size // self.replicas
        first = tf.distribute.get_replica_context().replica_id_in_sync_group * count
        places = batch[first : first + count]
        return Batch(places, seed, first, tf.size(places) * self.replicas)
