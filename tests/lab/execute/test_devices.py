"""Devices and number formats: workers use their own devices, and results do not depend on their number."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from lab.command.main import main
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.learn.training import Trainer
from lab.store.records import Records
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_each_worker_claims_its_own_gpus_or_hides_all():
    claim = (
        "import os, sys; from lab.learn import devices\n"
        "try: devices.claim(devices.Devices(sys.argv[1], int(sys.argv[2])), int(sys.argv[3]))\n"
        "except Exception as error: print(str(error)[:34], end=' ')\n"
        "print(os.environ['CUDA_VISIBLE_DEVICES'])"
    )

    def claimed(*words):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "96,97,98,99"}  # which no machine has
        command = [sys.executable, "-c", claim, *words]
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    assert claimed("cpu", "1", "0") == "-1\n"
    # TensorFlow says that they are not there, and the worker does not compute elsewhere unseen.
    assert claimed("gpu", "2", "1") == "TensorFlow sees 0 of 2 GPUs. Its C 98,99\n"


@pytest.fixture(scope="module")
def replicas():
    """The differences that `tests.support.replicas` found between one replica and two."""
    command = [sys.executable, "-m", "tests.support.replicas"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=SECONDS).stdout)


# In float64, where a rounding is 1.1e-16 of a number. One replica and two add up the same gradients, means of
# at most 128 pictures, in another order, so their gradients g differ by some 1e-15·g; the losses here are up to
# a hundred. AdamW makes of a difference in a gradient one in a weight of at most its learning rate over its
# epsilon, 6e-3/1e-7, times that, where the gradient is next to nothing: a step adds 1e-10 at the very most.
# In ten steps not all of them are of this kind: 1e-9. Seen: 1e-15. Of what would be wrong, gradients that
# are added up where their mean is meant give 2e-4, and one picture that counts twice for another 1e-2.
EQUAL = 1e-9


@pytest.mark.slow
def test_two_replicas_train_like_one(replicas):
    for recipe in ("plain", "distorted", "cropped", "altered", "moving", "1998"):
        assert replicas[recipe]["weights"] < EQUAL, recipe
        assert replicas[recipe]["metrics"] < EQUAL * max(1, replicas[recipe]["loss"]), recipe


@pytest.mark.slow
def test_a_float16_step_of_two_replicas_equals_that_of_one_up_to_rounding(replicas):
    # A number of float16 is rounded by up to 2^-11 of it, and a gradient passes through fewer than a hundred
    # such roundings of all its size: 5 %. Seen: 0.07 %. One picture that counts twice for another gives 12 %, a
    # share that is left out 80 %, and a sum where a mean is meant 100 %.
    assert replicas["float16"]["gradients"] < 100 * 2**-11


@pytest.mark.slow
def test_records_name_the_two_virtual_cpus_of_a_run_and_its_operations(tmp_path, capsys):
    words = ["run", "lenet", "--dataset", "digits", "--variants", "lenet1", "--seeds", "1", "--epochs", "1", "--plain"]
    assert main([*words, "--devices", "cpu:2", "--results", str(tmp_path)]) == 0
    assert "each run on 2 virtual CPUs" in capsys.readouterr().out
    (record,) = Records(tmp_path).of("lenet")
    assert record.environment["devices"] == "cpu:2"
    assert record.environment["operations"] == "plain"  # the fast ones are of one device


def test_the_trainer_refuses_a_batch_that_replicas_do_not_divide(digits):
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(UsageError, match="3 devices do not divide a batch of 128"):
        Trainer(Training("linear"), digits, strategy=Three())


def test_float32_equals_the_default_precision_and_the_others_are_recipes_of_their_own():
    names = {
        word: Run("e", "v", "digits", Training("linear", precision=word), 0).key
        for word in (None, "float32", "float64", "mixed_bfloat16", "mixed_float16")
    }
    assert names[None] == names["float32"]
    assert len(set(names.values())) == 4
    with pytest.raises(UsageError, match="mixed_float16"):
        Training("linear", precision="float16")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_weights_in_float32(digits, policy, tmp_path):
    trainer = Trainer(Training("lenet5-relu", epochs=4, batch_size=32, precision=policy), digits)
    outcome = trainer.run(0)
    assert outcome["metrics"]["test_accuracy"] > 0.8  # seeds 0 to 4: 0.967 to 0.978, both ways
    assert {variable.dtype for variable in trainer.model.trainable_variables} == {"float32"}
    assert trainer.model.layers[0].compute_dtype == policy.removeprefix("mixed_")
    assert keras.config.dtype_policy().name == "float32"  # the next network is not touched
    assert hasattr(trainer.optimizer, "dynamic_scale") == (policy == "mixed_float16")
    trainer.model.save(tmp_path / "n.keras")
    again = keras.models.load_model(tmp_path / "n.keras", safe_mode=True)
    images = digits.test.images[:9] / np.float32(255) - np.float32(0.5)
    np.testing.assert_array_equal(again(images), trainer.model(images))


def test_an_overflowing_gradient_halves_the_loss_scale_and_changes_no_weight(digits):
    trainer = Trainer(Training("linear", precision="mixed_float16", epochs=1), digits)
    trainer.reset(0)
    before = [variable.numpy() for variable in trainer.model.trainable_variables]
    trainer.optimizer.apply([np.full(value.shape, np.inf, "float32") for value in before])
    for value, variable in zip(before, trainer.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(value, variable)
    assert float(trainer.optimizer.dynamic_scale) == 2.0**14
    trainer.reset(0)
    assert float(trainer.optimizer.dynamic_scale) == 2.0**15
