"""Which devices a run gets, and that it does not matter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from lab.command.arguments import parser
from lab.command.main import call_of, main
from lab.declare import catalogue, machine
from lab.declare.machine import Devices, Layout
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute import placement
from lab.execute.plan import lay_out, plan
from lab.learn.training import Trainer
from lab.store.records import Records
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("asked", "workers", "runs", "gpus", "expected"),
    [
        (None, None, 10, 0, Layout(Devices("cpu", 1), 8)),
        (None, 3, 10, 0, Layout(Devices("cpu", 1), 3)),
        ("cpu:2", None, 10, 0, Layout(Devices("cpu", 2), 4)),
        ("cpu:16", None, 10, 0, Layout(Devices("cpu", 16), 1)),
        ("cpu", None, 10, 4, Layout(Devices("cpu", 1), 8)),
        (None, None, 10, 1, Layout(Devices("gpu", 1), 1)),
        (None, None, 10, 4, Layout(Devices("gpu", 1), 4)),  # small runs go one to a GPU
        (None, None, 1, 4, Layout(Devices("gpu", 4), 1)),  # one run goes over all
        (None, None, 2, 6, Layout(Devices("gpu", 2), 3)),  # 3 GPUs a run would not divide the batch
        (None, 2, 10, 4, Layout(Devices("gpu", 1), 2)),
        (None, 9, 10, 4, Layout(Devices("gpu", 1), 4)),  # two would quarrel over one GPU's memory
        ("gpu:2", None, 10, 4, Layout(Devices("gpu", 2), 2)),
    ],
)
def test_the_layout_keeps_every_device_at_work(asked, workers, runs, gpus, expected):
    assert placement.layout(asked, workers, [128] * runs, gpus, cores=8) == expected


@pytest.mark.parametrize(
    ("asked", "gpus", "message"),
    [
        ("cpu:3", 0, "do not divide a batch of 128"),
        ("gpu:2", 1, "needs 2 GPU, and 1 can be seen"),
        ("gpu", 0, "DEVICES=cpu needs none"),
        *((wrong, 0, "got") for wrong in ("tpu", "cpu:", "cpu:0", "cpu:x", "2")),
    ],
)
def test_devices_that_cannot_be_are_refused(asked, gpus, message):
    with pytest.raises(UsageError, match=message):
        placement.layout(asked, None, [128], gpus, cores=8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet", "--dataset", "digits", "--devices", "cpu:3"], "do not divide a batch"),
        (["filters", "--devices", "cpu:2"], "trains nothing"),
        (["filters", "--precision", "float32"], "trains nothing"),
    ],
)
def test_the_call_is_refused_before_anything_starts(words, message, tmp_path, capsys):
    assert main(["run", *words, "--results", str(tmp_path / "r")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """The driver's command, as a machine with two GPUs has it."""
    listing = tmp_path / "nvidia-smi"
    listing.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'; echo 'GPU 1: A (UUID: GPU-2)'\n")
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def test_gpus_are_those_that_cuda_may_see(monkeypatch, two_gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8f5e")
    assert machine.visible_gpus() == ["3", "GPU-8f5e"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert machine.visible_gpus() == ["0", "1"]


def test_the_tests_are_on_a_machine_without_a_gpu_whatever_there_is(two_gpus):
    assert machine.visible_gpus() == []
    seen = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", seen], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "0\n"


def test_a_call_takes_the_gpus_that_it_may_see(monkeypatch, two_gpus):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    experiment = catalogue.find("lenet")
    asked = call_of(
        parser().parse_args(["run", "lenet", "--dataset", "digits", "--variants", "lenet5-relu", "--seeds", "9"])
    )
    runs = plan(experiment, asked)
    assert lay_out(experiment, runs, asked) == Layout(Devices("gpu", 1), 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert lay_out(experiment, runs, asked).devices == Devices("cpu", 1)


def test_each_worker_takes_gpus_of_its_own_or_hides_them_all():
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
# In twenty steps not all of them are of this kind: 1e-9. Seen: 1e-15. Of what would be wrong, gradients that
# are added up where their mean is meant give 2e-4, and one picture that counts twice for another 1e-2.
EQUAL = 1e-9


@pytest.mark.parametrize("recipe", ["plain", "distorted", "moving", "1998"])
def test_two_replicas_train_as_one(replicas, recipe):
    assert replicas[recipe]["weights"] < EQUAL
    assert replicas[recipe]["metrics"] < EQUAL * max(1, replicas[recipe]["loss"])


def test_a_step_of_two_replicas_in_float16_is_that_of_one_to_its_rounding(replicas):
    # A number of float16 is rounded by up to 2^-11 of it, and a gradient passes through fewer than a hundred
    # such roundings of all its size: 5 %. Seen: 0.07 %. One picture that counts twice for another gives 12 %, a
    # share that is left out 80 %, and a sum where a mean is meant 100 %.
    assert replicas["float16"]["gradients"] < 100 * 2**-11


def test_runs_on_two_virtual_cpus_are_recorded_as_such(tmp_path, capsys):
    words = ["run", "lenet", "--dataset", "digits", "--variants", "lenet5-relu", "--seeds", "1", "--epochs", "1"]
    assert main([*words, "--devices", "cpu:2", "--results", str(tmp_path)]) == 0
    assert "each run on 2 virtual CPUs" in capsys.readouterr().out
    (record,) = Records(tmp_path).of("lenet")
    assert record["environment"]["devices"] == "cpu:2"


def test_a_batch_that_replicas_do_not_divide_is_refused_by_the_trainer(digits):
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(UsageError, match="3 devices do not divide a batch of 128"):
        Trainer(Training("linear"), digits, strategy=Three())


def test_float32_is_no_setting_and_other_precisions_are():
    names = {
        word: Run("e", "v", "digits", Training("linear", precision=word), 0).key
        for word in (None, "float32", "float64", "mixed_bfloat16", "mixed_float16")
    }
    assert names[None] == names["float32"]
    assert len(set(names.values())) == 4
    with pytest.raises(UsageError, match="mixed_float16"):
        Training("linear", precision="float16")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_layers_compute_in_half_and_weights_stay_whole(digits, policy, tmp_path):
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


def test_a_gradient_that_overflows_halves_the_scale_and_changes_no_weight(digits):
    trainer = Trainer(Training("linear", precision="mixed_float16", epochs=1), digits)
    trainer.reset(0)
    before = [variable.numpy() for variable in trainer.model.trainable_variables]
    trainer.optimizer.apply([np.full(value.shape, np.inf, "float32") for value in before])
    for value, variable in zip(before, trainer.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(value, variable)
    assert float(trainer.optimizer.dynamic_scale) == 2.0**14
    trainer.reset(0)
    assert float(trainer.optimizer.dynamic_scale) == 2.0**15
