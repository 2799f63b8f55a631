"""The training loop, on the real digits that need no network."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from lab.data import arrays
from lab.data.datasets import Split
from lab.declare.recipe import Canvas, Distortion, Measures, RandomCrop, Training, View
from lab.declare.run import Run
from lab.errors import UsageError
from lab.learn import devices
from lab.learn.fast import network
from lab.learn.loop import STEPS_PER_CALL
from lab.learn.measuring import measures
from lab.learn.measuring.measures import FIELD_PICTURES
from lab.learn.pictures import crop, distort, normalise
from lab.learn.training import Trainer, TrainingWork
from lab.learn.views import Batch
from lab.store.records import Records

SHORT = Training("linear", epochs=2, batch_size=64)
NORMS = Measures(gradient_norms=True)


def fingerprint(trainer):
    """A hash of every weight, to the last bit."""
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in trainer.model.variables)).hexdigest()


@pytest.mark.parametrize(
    "settings",
    [Training("lenet5-relu", epochs=1), Training("linear", epochs=1, distortion=Distortion(10, 0.1, 0.1, 1))],
)
def test_equal_seeds_give_equal_weights_whatever_ran_before(digits, settings, monkeypatch):
    monkeypatch.setattr(network, "COMPILING_PAYS", 1)  # so that all fast operations take part
    first, second = Trainer(settings, digits), Trainer(settings, digits)
    one = first.run(3)
    expected = fingerprint(first)
    second.run(4)
    assert fingerprint(second) != expected
    again = second.run(3)
    assert fingerprint(second) == expected
    assert again["misread"] == one["misread"]
    assert again["history"]["train_loss"] == one["history"]["train_loss"]


@pytest.mark.parametrize(("told", "operations"), [("", "fast"), ("1", "plain")])
def test_a_record_says_by_which_operations_its_network_was_trained(monkeypatch, tmp_path, told, operations):
    monkeypatch.setenv(devices.PLAIN, told)
    outcome, attached = TrainingWork(Records(tmp_path)).execute(
        Run("lenet", "linear", "digits", Training("linear", epochs=1), 0), lambda event: None
    )
    assert outcome["environment"]["operations"] == operations
    attached.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    assert [type(layer) for layer in loaded.layers] == [keras.layers.Flatten, keras.layers.Dense]


def test_all_steps_of_all_seeds_are_one_graph(digits):
    trainer = Trainer(Training("linear", epochs=1, batch_size=8), digits)
    assert trainer.steps % STEPS_PER_CALL  # the last call has fewer steps than the others
    for seed in (0, 1):
        trainer.run(seed)
    assert trainer.graph.run.experimental_get_tracing_count() == 1


def test_training_learns_and_reports(digits):
    events = []
    trainer = Trainer(Training("lenet5-relu", epochs=6, batch_size=32, measures=Measures(test_shifts=(4,))), digits)
    outcome = trainer.run(0, events.append)
    assert outcome["status"] == "finished"
    # Seeds 0 to 7: 0.961 to 0.983, 0.394 to 0.444 shifted; a guess has 0.1. So neither hangs on rounding.
    assert outcome["metrics"]["test_accuracy"] > 0.85
    assert outcome["metrics"]["test_shift4_accuracy"] < outcome["metrics"]["test_accuracy"]
    assert len(outcome["history"]["validation_loss"]) == 6
    assert [event["done"] for event in events] == [0, 1, 2, 3, 4, 5, 6]
    assert events[0]["note"] == "compiling"
    assert {event["total"] for event in events} == {6}
    assert outcome["facts"]["params"] == 61_706


class Halved(keras.layers.Layer):
    """It calls TensorFlow, so nobody can look inside."""

    def call(self, x):
        return tf.math.divide(x, 2)

    def compute_output_shape(self, shape):
        return shape


def test_costs_that_nobody_knows_are_no_fact_and_end_no_run(digits):
    trainer = Trainer(SHORT, digits)
    assert trainer.facts()["macs"] > 0
    inputs = keras.Input(digits.shape)
    trainer.model = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(Halved()(inputs))))
    assert trainer.facts().keys() == {"params", "trainable_params"}


def test_the_whole_test_set_is_read(digits):
    trainer = Trainer(SHORT, digits)
    outcome = trainer.run(0)
    _, predictions = trainer.evaluate(digits.test)
    assert len(predictions) == len(digits.test.labels) == 360
    assert outcome["misread"]["test"] == np.flatnonzero(predictions != digits.test.labels).tolist()
    assert outcome["metrics"]["test_accuracy"] == 1 - len(outcome["misread"]["test"]) / 360


def test_evaluation_does_not_depend_on_its_batches(digits):
    trainer = Trainer(dataclasses.replace(SHORT, precision="float64"), digits)
    trainer.run(0)
    whole = Split(np.concatenate([digits.train.images] * 1), digits.train.labels)  # more than two batches
    loss, predictions = trainer.evaluate(whole)
    direct = trainer.model.predict(whole.images / np.float32(255) - np.float32(0.5), verbose=0)
    # Pictures are float32 on their way in, and a graph divides them by 255 by a product: 6e-8 apart, each.
    second, first = np.sort(direct, axis=1)[:, -2:].T
    sure = first - second > 1e-4
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(predictions[sure], direct.argmax(axis=1)[sure])
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")(whole.labels, direct)
    assert loss == pytest.approx(float(expected), abs=784 * 6e-8)  # were each pixel's slope as steep as 1


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(digits):
    outcome = Trainer(Training("fc-matched", epochs=3, learning_rate=1e30, warmup=0), digits).run(0)
    assert outcome["status"] == "diverged"
    assert "test_accuracy" not in outcome["metrics"]
    assert len(outcome["history"].get("train_loss", [])) < 3


def test_a_measure_of_the_test_split_that_is_not_finite_is_a_run_that_diverged(digits, tmp_path):
    class Overflow(keras.callbacks.Callback):  # the last step is one too far
        def on_train_end(self, logs=None):
            self.model.trainable_variables[-1].assign(np.full(10, np.inf))

    training = Training("linear", epochs=1, measures=Measures(test_shifts=(2,)))
    outcome = Trainer(training, digits, [Overflow()]).run(0)
    records = Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    record = records.save(Run("lenet", "linear", "digits", training, 0), outcome)
    assert record.status == "diverged"
    assert record.not_finite == ["test_loss", "test_shift2_loss"]
    assert record.history["validation_loss"]


def test_keras_callbacks_are_driven(digits, tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    board = keras.callbacks.TensorBoard(tmp_path / "board")
    Trainer(SHORT, digits, [log, board]).run(0)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert len(lines) == 1 + SHORT.epochs
    assert "validation_accuracy" in lines[0]
    assert list((tmp_path / "board").rglob("events.out.tfevents.*"))


def test_weight_decay_spares_biases(digits):
    trainer = Trainer(SHORT, digits)
    spared = {v.path for v in trainer.model.trainable_variables if not trainer.optimizer._use_weight_decay(v)}
    assert spared == {v.path for v in trainer.model.trainable_variables if v.path.endswith("bias")}


def test_brightnesses_are_those_of_the_slide():
    values = normalise(np.array([0, 51, 255], "uint8"))
    np.testing.assert_allclose(values, [-0.5, -0.3, 0.5], atol=1e-7)


def test_no_distortion_is_the_picture_itself(digits):
    images = digits.test.images[:5]
    np.testing.assert_allclose(distort(images, Distortion(), np.array([1, 2])), images, atol=1e-3)


def test_distortion_is_the_affine_map_of_scipy(digits):
    import math

    import tensorflow as tf

    images, largest, seed = digits.test.images[:4], Distortion(20, 0.2, 0.3, 3), np.array([5, 6])
    u = tf.random.stateless_uniform([6, 4], seed, -1.0, 1.0).numpy().astype("float64")
    for n, picture in enumerate(images):
        angle = u[0, n] * math.radians(largest.rotation_degrees)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])  # (y, x) axes
        shear = np.array([[1.0, 0.0], [u[3, n] * largest.shear, 1.0]])
        scale = np.diag([1 + u[1, n] * largest.scale, 1 + u[2, n] * largest.scale])
        matrix = turn @ shear @ scale
        centre = np.array([13.5, 13.5])
        offset = centre - matrix @ centre + u[4:6, n] * largest.shift_pixels
        expected = scipy.ndimage.affine_transform(
            picture[..., 0].astype("float64"), matrix, offset, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(distort(images, largest, seed)[n, ..., 0], expected, atol=0.05)


def test_a_random_crop_is_one_of_the_frames_of_the_picture_continued_by_its_mirror_image(digits):
    images, most = digits.test.images[:1], 2
    wide = np.pad(images[0], [(most, most), (most, most), (0, 0)], mode="symmetric")
    frames = {
        side[down : down + 28, right : right + 28].tobytes()
        for side in (wide, wide[:, ::-1])
        for down in range(2 * most + 1)
        for right in range(2 * most + 1)
    }
    batch = Batch(np.arange(1000), np.array([1, 2], "int32"), 0, 1000)
    shown = crop(np.repeat(images, 1000, axis=0), RandomCrop(most, flip=True), batch).numpy()
    # Each of the 50 frames is missed with a chance of 0.98^1000 = 2e-9.
    assert {picture.astype("uint8").tobytes() for picture in shown} == frames
    unflipped = crop(np.repeat(images, 1000, axis=0), RandomCrop(most), batch).numpy()
    assert len({picture.tobytes() for picture in unflipped}) == 25
    part = crop(np.repeat(images, 3, axis=0), RandomCrop(most, flip=True), Batch(np.arange(3), batch.seed, 500, 1000))
    np.testing.assert_array_equal(part, shown[500:503])


@pytest.mark.parametrize("moving", [False, True])
def test_training_pictures_lie_where_the_canvas_says_whole(digits, moving):
    trainer = Trainer(Training("linear", epochs=1, view=View(Canvas(56, "left", moving))), digits)
    trainer.reset(0)
    batch = np.arange(50, dtype="int32")
    images = digits.train.images[:50]
    first, second = (trainer.show(images, Batch(batch, np.array([0, step]), 0, 50)).numpy() for step in (1, 2))
    np.testing.assert_array_equal(first.sum((1, 2, 3)), images.sum((1, 2, 3), dtype="uint64"))
    assert np.array_equal(first, second) != moving
    left = images.shape[2] // 2 + np.argmax(first.any(axis=(0, 1, 3)))
    assert left < 28
    learned = trainer.learned(0, 10_000)
    assert len(learned.labels) == len(digits.train.labels)
    assert moving or np.array_equal(learned.images[:50], first)
    middles = [np.flatnonzero(picture.any(axis=(0, 2))).mean() for picture in first]
    assert max(middles) < 35  # a digit's own middle is within a few pixels of its frame's
    assert np.ptp([np.flatnonzero(picture.any(axis=(1, 2))).mean() for picture in first]) > 20


def test_only_the_chosen_examples_are_learned_from(digits):
    trainer = Trainer(Training("linear", epochs=1, examples=100, steps_per_epoch=7, batch_size=64), digits)
    trainer.reset(2)
    order = trainer.order(2, 0)
    assert len(order) >= 7 * 64
    assert set(order) == set(arrays.nested_order(digits.train.labels, 2)[:100])
    assert np.bincount(order[:100]).max() == 1  # all are shown before one comes again
    assert not np.array_equal(order, trainer.order(2, 1))
    outcome = trainer.run(2)
    assert outcome["status"] == "finished"
    chosen = np.sort(arrays.nested_order(digits.train.labels, 2)[:100])
    learned = trainer.learned(2, 1_000)
    np.testing.assert_array_equal(learned.images, digits.train.images[chosen])
    wrong = trainer.evaluate(learned)[1] != digits.train.labels[chosen]
    assert outcome["metrics"]["train_error_percent"] == pytest.approx(100 * wrong.mean())


def test_fewer_examples_than_a_batch_make_a_batch(digits):
    outcome = Trainer(Training("linear", epochs=2, examples=20), digits).run(0)
    assert outcome["history"]["train_accuracy"]
    assert outcome["status"] == "finished"


def test_consistency_is_whole_for_a_network_that_cannot_tell_and_less_for_one_that_can(digits):
    trainer = Trainer(Training("linear", epochs=1, batch_size=32, measures=Measures(consistency_shift=4)), digits)
    assert 0 < trainer.run(0)["metrics"]["shift_consistency_percent"] < 100  # seeds 0 to 4: 25 to 31
    for variable in trainer.model.variables:
        variable.assign(np.zeros(variable.shape))
    assert measures.consistency(trainer, digits.test, 4) == 1


@pytest.mark.parametrize(
    "wrong", [lambda: Canvas(20, object_side=28), lambda: Canvas(56, "right"), lambda: Training("linear", examples=0)]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


def test_norms_of_gradients_are_those_of_one_batch(digits):
    settings = Training("deep-plain-3", epochs=1, batch_size=32, precision="float64", measures=NORMS)
    trainer = Trainer(settings, digits)
    outcome = trainer.run(0)
    norms = outcome["gradient_norms"]
    assert len(norms["before"]) == len(norms["after"]) == 4
    assert outcome["metrics"]["gradient_first_to_last"] == pytest.approx(norms["before"][0] / norms["before"][-1])
    # After training, by finite differences along the gradient of the first kernel.
    images = normalise(digits.validation.images[:FIELD_PICTURES])
    labels = digits.validation.labels[:FIELD_PICTURES]
    kernel = trainer.model.get_layer("conv1").kernel
    loss = lambda: trainer.loss(labels, trainer.model(images, training=True))  # noqa: E731
    with tf.GradientTape() as tape:
        value = loss()
    gradient = np.asarray(tape.gradient(value, kernel.value))
    unit, start, ends = gradient / np.linalg.norm(gradient), kernel.numpy(), []
    for step in (1e-7, -1e-7):
        kernel.assign(start + step * unit)
        ends.append(float(loss()))
    # Losses of 2 are rounded to 1e-15 or so, which is 1e-8 by the steps and 1e-6 of the slope; larger steps meet
    # rectifiers that turn, which is 1e-3 of it with steps of 1e-5.
    assert norms["after"][0] == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-4)


def test_measuring_gradients_leaves_the_run_as_it_was(digits):
    plain = Training("fc-matched", epochs=1, batch_size=32)
    without = Trainer(plain, digits).run(0)
    measured = Trainer(dataclasses.replace(plain, measures=NORMS), digits).run(0)
    assert measured["misread"] == without["misread"]
    assert measured["metrics"]["test_loss"] == without["metrics"]["test_loss"]
    assert "gradient_norms" not in without
