"""Which devices the runs of a call get."""

import os
import subprocess
import sys

import pytest

from lab.command import placement
from lab.command.arguments import parser
from lab.command.main import call_of, main
from lab.command.plan import lay_out, plan
from lab.declare import catalogue, machine
from lab.declare.machine import Devices, Hosts, Layout
from lab.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "workers", "runs", "gpus", "expected"),
    [
        (None, None, 10, 0, Layout(Devices("cpu", 1), 8)),
        (None, 3, 10, 0, Layout(Devices("cpu", 1), 3)),
        ("cpu:2", None, 10, 0, Layout(Devices("cpu", 2), 4)),
        ("cpu:16", None, 10, 0, Layout(Devices("cpu", 16), 1)),
        ("cpu", None, 10, 4, Layout(Devices("cpu", 1), 8)),
        (None, None, 10, 1, Layout(Devices("gpu", 1), 1)),
        (None, None, 10, 4, Layout(Devices("gpu", 1), 4)),  # one run per GPU
        (None, None, 1, 4, Layout(Devices("gpu", 4), 1)),  # one run uses all GPUs
        (None, None, 2, 6, Layout(Devices("gpu", 2), 3)),  # 3 GPUs a run would not divide the batch
        (None, 2, 10, 4, Layout(Devices("gpu", 1), 2)),
        (None, 9, 10, 4, Layout(Devices("gpu", 1), 4)),  # two runs on one GPU would compete for its memory
        ("gpu:2", None, 10, 4, Layout(Devices("gpu", 2), 2)),
    ],
)
def test_the_layout_uses_every_device(asked, workers, runs, gpus, expected):
    assert placement.layout(asked, workers, [128] * runs, gpus, cores=8) == expected


@pytest.mark.parametrize(
    ("asked", "gpus", "message"),
    [
        ("cpu:3", 0, "do not divide a batch of 128"),
        ("gpu:2", 1, "needs 2 GPU, and 1 can be seen"),
        ("gpu", 0, "DEVICES=cpu needs none"),
        *((wrong, 0, "got") for wrong in ("tpu", "cpu:", "cpu:0", "cpu:00", "cpu:٣", "cpu:2 ", "cpu:x", "2")),
    ],
)
def test_impossible_devices_are_refused(asked, gpus, message):
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


def test_a_cluster_is_not_limited_by_this_machine_also_where_nothing_is_trained():
    call = call_of(parser().parse_args(["run", "filters", "--workers", "500", "--cluster", "ray"]))
    assert lay_out(catalogue.find("filters"), [], call).workers == 500


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """A fake `nvidia-smi` that lists two GPUs."""
    listing = tmp_path / "nvidia-smi"
    listing.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'; echo 'GPU 1: A (UUID: GPU-2)'\n")
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def test_only_gpus_visible_to_cuda_count(monkeypatch, two_gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8f5e")
    assert machine.visible_gpus() == ["3", "GPU-8f5e"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert machine.visible_gpus() == ["0", "1"]


@pytest.mark.slow
def test_the_tests_see_no_gpu_on_any_machine(two_gpus):
    assert machine.visible_gpus() == []
    seen = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", seen], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "0\n"


def test_a_call_uses_the_visible_gpus(monkeypatch, two_gpus):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    experiment = catalogue.find("lenet")
    asked = call_of(
        parser().parse_args(["run", "lenet", "--dataset", "digits", "--variants", "lenet5-relu", "--seeds", "9"])
    )
    runs = plan(experiment, asked)
    assert lay_out(experiment, runs, asked) == Layout(Devices("gpu", 1), 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert lay_out(experiment, runs, asked).devices == Devices("cpu", 1)


def test_the_devices_of_all_hosts_together_divide_the_batch():
    two = Hosts(("a:1", "b:1"), 0)
    assert placement.together(None, two, [128], gpus=0) == Layout(Devices("cpu", 1), 1)
    assert placement.together(None, two, [128], gpus=4) == Layout(Devices("gpu", 4), 1)
    assert placement.together("gpu:2", two, [128], gpus=4) == Layout(Devices("gpu", 2), 1)
    with pytest.raises(UsageError, match="6 devices do not divide a batch of 128"):
        placement.together(None, two, [128], gpus=3)
    with pytest.raises(UsageError, match="is not split"):
        placement.together("cpu:2", two, [128], gpus=0)
