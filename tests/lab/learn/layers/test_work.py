"""The work on layers: networks are trained once, of their own recipe alone; random weights are those of training."""

import dataclasses

import numpy as np
import pytest

from lab.data import arrays
from lab.declare.layer import Layer
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.learn.layers.work import LayersWork
from lab.learn.training import Trainer
from lab.store.records import Records


@pytest.mark.slow
def test_a_network_that_is_missing_is_trained_once_and_recorded(tmp_path):
    records = Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    recipe = {"model": "lenet5-relu", "epochs": 1, "batch_size": 256}
    runs = [Run("features", f"lenet5-relu-{name}", "digits", Layer(**recipe, layer=name), 1) for name in ("c3", "f6")]
    outcome, _ = LayersWork(records).execute(runs[0], lambda event: None)
    network = Run("features", "lenet5-relu", "digits", Training(**recipe), 1)
    written = records.path(network).stat().st_mtime_ns
    assert records.find(network).environment["commit"]
    again, _ = LayersWork(records).execute(runs[0], lambda event: None)  # another worker
    deeper, _ = LayersWork(records).execute(runs[1], lambda event: None)
    assert records.path(network).stat().st_mtime_ns == written
    seconds = {"layer_seconds": 0}
    assert outcome["metrics"] | seconds == again["metrics"] | seconds
    assert outcome["facts"] == {"network": "lenet5-relu", "channels": 16, "receptive_field_pixels": 14}
    assert deeper["facts"]["receptive_field_pixels"] == 28
    file = records.path(network).with_suffix(".keras")
    file.write_bytes(file.read_bytes()[:-1])
    healed, _ = LayersWork(records).execute(runs[0], lambda event: None)
    assert records.find(network)
    assert outcome["metrics"] | seconds == healed["metrics"] | seconds
    assert 0 < outcome["metrics"]["pattern_pixels"] <= 14
    assert 0 <= outcome["metrics"]["selectivity"] <= 1


@pytest.mark.slow
def test_a_layer_reads_the_network_of_its_own_recipe_alone(tmp_path):
    records = Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    layer = Run("features", "lenet5-relu-c1", "digits", Layer("lenet5-relu", epochs=3, layer="c1"), 1)
    (needed,) = layer.needs
    assert needed == Run("features", "lenet5-relu", "digits", Training("lenet5-relu", epochs=3), 1)
    other = dataclasses.replace(needed, settings=Training("lenet5-relu", epochs=1))
    LayersWork(records)._trained(other, lambda event: None)
    LayersWork(records).execute(layer, lambda event: None)
    assert records.find(needed)


def test_a_layer_of_a_network_that_diverged_has_diverged(tmp_path):
    records = Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    settings = Layer("lenet5-relu", epochs=1, learning_rate=1e30, warmup=0, layer="c1")
    outcome, _ = LayersWork(records).execute(Run("features", "x", "digits", settings, 1), lambda event: None)
    assert (outcome["status"], outcome["metrics"]) == ("diverged", {})


def test_random_weights_are_those_that_training_begins_with(tmp_path, digits):
    training = Training("lenet5-relu", epochs=1)
    trainer = Trainer(training, digits)
    trainer.reset(5)
    run = Run("features", "x", "digits", Layer("lenet5-relu", layer="c1", condition="random-weights"), 5)
    model = LayersWork(Records(tmp_path))._network(run, digits, lambda event: None)
    for ours, theirs in zip(model.get_weights(), trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_random_labels_are_the_same_classes_as_often_and_teach_nothing_of_the_test(digits):
    shuffled = arrays.shuffled_labels(digits.train.labels, 3)
    assert np.bincount(shuffled).tolist() == np.bincount(digits.train.labels).tolist()
    assert (shuffled == digits.train.labels).mean() < 0.2
    assert arrays.shuffled_labels(digits.train.labels, 3).tolist() == shuffled.tolist()
    assert arrays.shuffled_labels(digits.train.labels, 4).tolist() != shuffled.tolist()
    recipe = {"model": "fc-300", "epochs": 80, "batch_size": 64, "learning_rate": 5e-3, "examples": 300}
    true, random = (Trainer(Training(**recipe, random_labels=how), digits).run(3) for how in (None, True))
    # Seeds 0 to 5: 0.936 to 0.953; 0.07 to 0.16; and learnt by heart, 0.74 to 0.82.
    assert true["metrics"]["test_accuracy"] > 0.8
    assert random["metrics"]["test_accuracy"] < 0.3
    assert random["history"]["train_accuracy"][-1] > 0.6
    assert random["metrics"]["train_error_percent"] < 40  # of the labels that were learned
