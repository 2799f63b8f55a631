"""The depth sweep: fields by arithmetic, gradients against Keras's own, and each verdict."""

import keras
import numpy as np
import pytest

import cnn_models
from experiments.depth_sweep import ERROR, EXPERIMENT, FIELD, PLAIN_8
from experiments.lab import tables
from experiments.lab.claims import Verdict, judge
from experiments.lab.records import Records
from experiments.lab.spec import Run, Training
from experiments.lab.training import FIELD_PICTURES, Trainer, normalise


def judged(folder, errors, field):
    """The table of a world that gives each variant an error and a field."""
    records = Records(folder)
    records.folder(EXPERIMENT.name).mkdir(parents=True)
    for variant in EXPERIMENT.variants:
        for seed in range(3):
            facts = {FIELD: field(variant.name)}
            metrics = {ERROR: errors(variant.name) + 0.01 * seed}
            run = Run(EXPERIMENT.name, variant.name, "mnist", variant.settings, seed)
            records.save(run, {"status": "finished", "facts": facts, "metrics": metrics})
    return tables.judged(EXPERIMENT, tables.write(EXPERIMENT, records))


def depth_of(name):
    return int(name.split("-")[1])


DEEPER_IS = {
    "better": (lambda name: 40 / depth_of(name) if name.startswith("plain") else 39.0, Verdict.REPRODUCED),
    "better up to eight": (lambda name: 40 / min(depth_of(name), 8) if name.startswith("plain") else 39.0, Verdict.PARTLY),
    "worse": (lambda name: float(depth_of(name)), Verdict.CONTRADICTED),
}


@pytest.mark.parametrize("world", DEEPER_IS)
def test_each_verdict_on_depth_can_come_out(tmp_path, world):
    errors, expected = DEEPER_IS[world]
    verdict, words = judge(EXPERIMENT.evidence[0], judged(tmp_path, errors, lambda name: 9))
    assert verdict is expected, words


REDUCED = ("stride", "pooling")


@pytest.mark.parametrize(
    ("seen", "error", "expected"),
    [
        (40, 10.0, Verdict.REPRODUCED),
        (40, 30.0, Verdict.PARTLY),
        (17, 10.0, Verdict.PARTLY),
        (17, 30.0, Verdict.CONTRADICTED),
    ],
)
def test_each_verdict_on_the_field_can_come_out(tmp_path, seen, error, expected):
    errors = lambda name: error if name.startswith(REDUCED) else 20.0  # noqa: E731
    field = lambda name: seen if name.startswith(REDUCED) else PLAIN_8  # noqa: E731
    verdict, words = judge(EXPERIMENT.evidence[1], judged(tmp_path, errors, field))
    assert verdict is expected, words


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        *((f"deep-plain-{depth}", 2 * depth + 1) for depth in (1, 2, 4, 8, 12, 16)),
        ("deep-residual-8", 17),
        ("deep-stride-4", 1 + 2 * 2 + 2 * 2 * 2),
        ("deep-pooling-4", 1 + 2 * 2 + 1 + 2 * 2 * 2),
        ("deep-stride-8", 1 + 2 * 2 + 4 * 2 * 2 + 2 * 4 * 2),
    ],
)
def test_a_stack_sees_what_its_arithmetic_says(name, pixels):
    assert cnn_models.receptive_field(cnn_models.build(name), "last").size[0] == pixels
    assert name != "deep-plain-8" or pixels == PLAIN_8


def test_an_unknown_growth_is_refused():
    from cnn_models.depth import stack

    with pytest.raises(ValueError, match="plain, residual"):
        stack(name="x", input_shape=(28, 28, 1), classes=10, depth=2, width=2, growth="fast")


def test_wide_nets_have_as_many_parameters_as_sixteen_layers():
    deep = cnn_models.build("deep-plain-16").count_params()
    for depth in (2, 4, 8):
        assert cnn_models.build(f"wide-plain-{depth}").count_params() == pytest.approx(deep, rel=0.06)


def test_norms_of_gradients_are_those_of_one_batch(digits):
    trainer = Trainer(Training("deep-plain-4", epochs=1, batch_size=32, gradient_norms=True), digits)
    outcome = trainer.run(0)
    norms = outcome["gradient_norms"]
    assert len(norms["before"]) == len(norms["after"]) == 5
    assert outcome["metrics"]["gradient_first_to_last"] == pytest.approx(norms["before"][0] / norms["before"][-1])
    assert norms["before"] != norms["after"]
    # After training, by finite differences along the gradient of the first kernel.
    images = normalise(digits.validation.images[:FIELD_PICTURES])
    labels = digits.validation.labels[:FIELD_PICTURES]
    kernel = trainer.model.get_layer("conv1").kernel
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss(labels, trainer.model(images))
    gradient = np.asarray(tape.gradient(value, kernel.value))
    unit, start, step = gradient / np.linalg.norm(gradient), kernel.numpy(), 1e-2
    ends = []
    for sign in (1, -1):
        kernel.assign(start + sign * step * unit)
        ends.append(float(loss(labels, trainer.model(images))))
    assert norms["after"][0] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.05)
