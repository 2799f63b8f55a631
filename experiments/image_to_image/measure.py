"""What `make image-to-image` does: trains translators and has a LeNet-5 read what they make."""

import keras
import numpy as np
import skimage.metrics
import tensorflow as tf

from cnn_models.analysis import cost
from cnn_models.brightness import brightnesses
from cnn_models.networks.unet import patch_discriminator, unet
from experiments.image_to_image import Translation, Untrained
from lab.data import arrays, pairs
from lab.data.datasets import Split
from lab.data.pairs import Half, Pairs
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.learn import devices
from lab.learn.loop import Loop, set_seed
from lab.learn.pictures import normalise
from lab.learn.training import EVALUATION_BATCH, Trainer, in_batches
from lab.store.records import Records

READER = Training("lenet5-relu", epochs=3, steps_per_epoch=430)  # on MNIST, three passes: about 99 % read correctly
EXAMPLES = 10  # pairs that the figure shows


class TranslationWork:
    """Trains or applies one way from inputs to targets, and measures what it makes of the whole test split."""

    def __init__(self, records: Records) -> None:
        devices.one_thread()
        self._pairs: dict[str, Pairs] = {}
        self._readers: dict[str, Reader] = {}
        self._kept: tuple[tuple[str, Translation], Translator] | None = None

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, tuple[Attachment, ...]]:
        """Does one row with one seed; see `lab.declare.work.Work`."""
        if run.dataset not in self._pairs:
            self._pairs[run.dataset] = pairs.load(run.dataset)
        found = self._pairs[run.dataset]
        outcome: RunOutcome
        attached: tuple[Attachment, ...] = ()
        if isinstance(run.settings, Untrained):
            outcome = {"status": "finished", "facts": {}, "metrics": {}}
            outputs = untrained(run.settings.what, found.test)
        else:
            translator = self._translator(run, found)
            outcome = translator.run(run.seed, report)
            outputs = translator.translate(found.test.inputs)
            attached = (Attachment(".keras", translator.model.save),)
        outcome["environment"] = {"dataset_sha256": found.checksum, "devices": devices.in_use()}
        if outcome["status"] == "finished":
            outcome["metrics"] |= likeness(outputs, found.test.targets) | self._reading(found, outputs, run.seed)
            if run.seed == 0:
                attached += (_examples(found.test, outputs),)
        return outcome, attached

    def _translator(self, run: Run, found: Pairs) -> "Translator":
        graph = (run.dataset, run.settings)
        if self._kept is None or self._kept[0] != graph:
            self._kept = None
            self._kept = (graph, Translator(run.settings, found))
        return self._kept[1]

    def _reading(self, found: Pairs, outputs: np.ndarray, seed: int) -> dict[str, float]:
        """The share of outputs in which this seed's LeNet-5 reads the right class; nothing where there are none."""
        if found.dataset is None:
            return {}
        if found.name not in self._readers:
            self._readers[found.name] = Reader(Trainer(READER, found.dataset))
        right = self._readers[found.name].right(Split(outputs, found.test.labels), seed)
        return {"read_percent": 100 * right}


class Reader:
    """A LeNet-5 trained on real pictures, one for each seed."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._weights: dict[int, list[np.ndarray]] = {}

    def right(self, split: Split, seed: int) -> float:
        """The share of a split that the reader of this seed reads correctly."""
        if seed not in self._weights:
            self._trainer.run(seed)
            self._weights[seed] = self._trainer.model.get_weights()
        self._trainer.model.set_weights(self._weights[seed])
        return float(np.mean(self._trainer.evaluate(split)[1] == split.labels))


def untrained(what: str, half: Half) -> np.ndarray:
    """What needs no learning makes of a split, uint8 like its targets; see `image_to_image.Untrained`."""
    if what == "target":
        return half.targets
    made = half.inputs if what == "edges" else pairs.filled(half.inputs)
    if made.shape[-1] == half.targets.shape[-1]:
        return made
    return np.repeat(made.max(axis=-1, keepdims=True), half.targets.shape[-1], axis=-1)


def likeness(outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """How like the wanted pictures some outputs are.

    Returns:
        Mean absolute difference in brightnesses of 0…255, mean structural similarity (Wang et al. 2004), and the
        steepness of all edges together in percent of that of the targets: less than 100 is blurred.
    """
    similar = [
        skimage.metrics.structural_similarity(output, target, data_range=255, channel_axis=-1)
        for output, target in zip(outputs, targets, strict=True)
    ]
    sharp = 100 * _steepness(outputs) / _steepness(targets)
    return {
        "test_l1_levels": _l1(outputs, targets),
        "test_ssim": float(np.mean(similar)),
        "test_sharpness_percent": sharp,
    }


def _steepness(pictures: np.ndarray) -> float:
    """The root mean square of differences between neighbouring pixels, uint8 `(n, height, width, channels)`."""
    steps = [np.diff(pictures.astype("int16"), axis=axis) for axis in (1, 2)]
    return float(np.sqrt(np.mean([np.mean(np.square(step, dtype="float64")) for step in steps])))


def _l1(outputs: np.ndarray, targets: np.ndarray) -> float:
    parts = np.array_split(np.arange(len(outputs)), max(len(outputs) // EVALUATION_BATCH, 1))
    sums = [np.abs(outputs[part].astype("int16") - targets[part]).mean() * len(part) for part in parts]
    return float(sum(sums) / len(outputs))


class Translator:
    """One recipe on one set of pairs: its graph is traced once and serves every seed; see `lab.learn.loop.Learner`.

    Args:
        settings: the recipe.
        found: the pairs.
    """

    unit = "pairs"

    def __init__(self, settings: Translation, found: Pairs) -> None:
        self.settings, self.epochs = settings, settings.epochs
        self.pairs = found
        self.examples = min(settings.examples, len(found.train))
        self.batch_size = min(settings.batch_size, self.examples)
        self.steps = self.examples // self.batch_size
        self.model, self.judge = self._build()
        self._parts = [self.model, self.judge] if settings.adversarial else [self.model]
        self._optimizers = [self._optimizer(part) for part in self._parts]
        self._fresh = [[v.numpy() for v in optimizer.variables] for optimizer in self._optimizers]
        self._inputs = tf.constant(found.train.inputs)
        self._targets = tf.constant(found.train.targets)
        self._entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self._train = tf.function(self._steps)
        self._loop = Loop(self, keras.callbacks.CallbackList(model=self.model))
        self._outputs = tf.function(
            lambda inputs: self.model(normalise(inputs), training=False),
            input_signature=[tf.TensorSpec([None, *found.train.inputs.shape[1:]], tf.uint8)],
        )

    def run(self, seed: int, report: Report = lambda event: None) -> RunOutcome:
        """Trains from scratch with one seed.

        Returns:
            `status`, `facts`, `metrics` and `history`; see `lab.learn.training.Trainer.run`.
        """
        self.reset(seed)
        trained = self._loop.run(seed, report)
        metrics = {"train_seconds": trained.seconds}
        if trained.finite:
            metrics["validation_l1_levels"] = trained.history["validation_l1_levels"][-1]
        return {"status": trained.status, "facts": self.facts(), "metrics": metrics, "history": trained.history}

    def facts(self) -> dict[str, int]:
        """Parameters and multiply-accumulates of the generator, and the discriminator's parameters."""
        known = {"params": self.model.count_params(), "macs": cost.macs(self.model)}
        return known | ({"discriminator_params": self.judge.count_params()} if self.settings.adversarial else {})

    def translate(self, inputs: np.ndarray) -> np.ndarray:
        """What the network makes of inputs, as brightnesses, uint8 `(n, height, width, channels)`."""
        # A network that diverged answers with what is no number.
        finite = np.nan_to_num(in_batches(self._outputs, inputs))
        return brightnesses(finite)

    def _build(self) -> tuple[keras.Model, keras.Model]:
        shape, channels = self.pairs.train.inputs.shape[1:], self.pairs.train.targets.shape[-1]
        size = {"most_filters": self.settings.most_filters} if self.settings.most_filters else {}
        model = unet(name="unet", input_shape=shape, channels=channels, skips=self.settings.skips, **size)
        return model, patch_discriminator(name="judge", input_shape=shape, channels=channels)

    def _optimizer(self, part: keras.Model) -> keras.optimizers.Optimizer:
        rate = keras.optimizers.schedules.CosineDecay(self.settings.learning_rate, self.steps * self.settings.epochs)
        optimizer = keras.optimizers.Adam(rate, beta_1=0.5)
        optimizer.build(part.trainable_variables)
        return optimizer

    def reset(self, seed: int) -> None:
        """Weights and optimizers as newly built ones of this seed would have them."""
        set_seed(seed)
        for part, fresh in zip((self.model, self.judge), self._build(), strict=True):
            for variable, value in zip(part.variables, fresh.variables, strict=True):
                variable.assign(value)
        for optimizer, values in zip(self._optimizers, self._fresh, strict=True):
            for variable, value in zip(optimizer.variables, values, strict=True):
                variable.assign(value)
        train = self.pairs.train
        classes = np.zeros(len(train), int) if train.labels is None else train.labels
        self._chosen = arrays.nested_order(classes, seed)[: self.examples]

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """See `lab.learn.loop.Learner`."""
        return np.random.default_rng([seed, epoch]).permutation(self._chosen).astype("int32")

    def train(self, places: np.ndarray, seed: int, step: int) -> list[float]:
        """See `lab.learn.loop.Learner`: L1, then the cross-entropies of generator and discriminator."""
        return [float(loss) for loss in self._train(places)]

    def epoch_values(self, sums: list[float]) -> dict[str, float]:
        """See `lab.learn.loop.Learner`."""
        l1, fooling, judging = (total / self.steps for total in sums)
        values = {"train_l1_levels": 127.5 * l1}
        if self.settings.adversarial:
            values |= {"generator_entropy": fooling, "discriminator_entropy": judging}
        held = self.pairs.validation
        values["validation_l1_levels"] = _l1(self.translate(held.inputs), held.targets)
        return values

    def _steps(self, batches: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Many steps in one graph; sums of L1 (brightnesses from -1 to 1) and of both cross-entropies."""
        l1 = fooling = judging = tf.constant(0.0)
        for step in tf.range(tf.shape(batches)[0]):
            losses = self._step(batches[step])
            l1, fooling, judging = l1 + losses[0], fooling + losses[1], judging + losses[2]
        return l1, fooling, judging

    def _step(self, batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        inputs = normalise(tf.gather(self._inputs, batch))
        targets = 2 * normalise(tf.gather(self._targets, batch))
        judging = fooling = tf.constant(0.0)
        with tf.GradientTape() as tape:
            made = self.model(inputs, training=True)
            l1 = tf.reduce_mean(tf.abs(made - targets))
            loss = self.settings.l1_weight * l1
            if self.settings.adversarial:
                with tape.stop_recording():
                    judging = self._judge_step(inputs, targets, made)
                answers = self.judge([inputs, made], training=True)
                fooling = self._entropy(tf.ones_like(answers), answers)
                loss += fooling
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self._optimizers[0].apply(gradients, self.model.trainable_variables)
        return l1, fooling, judging

    def _judge_step(self, inputs: tf.Tensor, targets: tf.Tensor, made: tf.Tensor) -> tf.Tensor:
        """The discriminator learns first, at half the rate: its loss is halved (pix2pix, section 3.3)."""
        with tf.GradientTape() as tape:
            real = self.judge([inputs, targets], training=True)
            fake = self.judge([inputs, tf.stop_gradient(made)], training=True)
            loss = (self._entropy(tf.ones_like(real), real) + self._entropy(tf.zeros_like(fake), fake)) / 2
        gradients = tape.gradient(loss, self.judge.trainable_variables)
        self._optimizers[1].apply(gradients, self.judge.trainable_variables)
        return loss


def _examples(half: Half, outputs: np.ndarray) -> Attachment:
    """Inputs, outputs and targets that the figure shows: the first of each class, or simply the first."""
    if half.labels is None:
        shown = np.arange(min(EXAMPLES, len(half)))
    else:
        shown = np.array([np.flatnonzero(half.labels == label)[0] for label in np.unique(half.labels)])[:EXAMPLES]
    arrays = {"inputs": half.inputs[shown], "outputs": outputs[shown], "targets": half.targets[shown]}
    return Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))
