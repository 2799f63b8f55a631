"""The command line: a wrong call is refused before it starts anything, with one message and exit code 2."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.command.arguments import parser
from lab.command.main import call_of, main
from lab.command.plan import plan
from lab.declare import catalogue
from lab.store.records import Records
from tests.support.waiting import SECONDS, until

ROOT = Path(__file__).parents[3]
TWO_HOSTS = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "lent"], "Did you mean lenet"),
        (["run", "lenet", "--variants", "lenet5-relo"], "lenet5-relu"),
        (["run", "lenet", "--dataset", "digit"], "Did you mean digits"),
        (["run", "image-to-image", "--devices", "cpu:2"], "has its own training loop"),
        (["run", "image-to-image", "--precision", "mixed_bfloat16"], "has its own training loop"),
        (["run", "lenet", "--seeds", "1000000"], "more runs than a call takes, 1,000,000"),
        (["run", "parameters", "--seeds", "1000000"], "more runs than a call takes, 1,000,000"),
        (["run", "lenet", "--workers", "9999"], "WORKERS=9999 are too many"),
        (["run", "tune", "--workers", "9999"], "WORKERS=9999 are too many"),
        (["run", "parameters", "--workers", "9999"], "WORKERS=9999 are too many"),
        (["run", "lenet", "--devices", "cpu:" + "9" * 5000], "DEVICES is cpu, gpu"),
    ],
)
def test_unknown_names_and_impossible_requests_give_one_line(words, message, tmp_path, capsys):
    assert main([*words, "--results", str(tmp_path / "r")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["run", "lenet", "--epochs", "0"],
        ["run", "lenet", "--seeds", "-1"],
        ["run", "lenet", "--seeds", "x"],
        ["ran"],
        [],
    ],
)
def test_impossible_values_are_usage_errors(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err


def test_a_folder_that_cannot_be_written_gives_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["run", "lenet", "--dataset", "digits", "--results", str(tmp_path / "file")]) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.slow
def test_an_interrupted_call_keeps_finished_runs_and_goes_on_later(tmp_path):
    words = ("--epochs", "2", "--workers", "1")
    started = start(tmp_path, "--seeds", "2000", *words)  # it is still running when the first record appears
    until(lambda: list(tmp_path.glob("runs/lenet/[!.]*.json")), started)
    assert interrupted(started, signal.SIGINT) == 130
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/lenet/[!.]*.json")}
    seeds = 3 + max(record.seed for record in Records(tmp_path).of("lenet"))
    again = start(tmp_path, "--seeds", str(seeds), *words)
    output, _ = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, output
    assert len(Records(tmp_path).of("lenet")) == seeds
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())


@pytest.mark.slow
def test_an_interrupted_call_does_not_wait_for_runs_in_progress(tmp_path):
    started = start(tmp_path, "--seeds", "2", "--epochs", "100000")  # it would run for days
    until(lambda: list(tmp_path.glob("runs/lenet/.locks/lenet1.*")), started)
    assert interrupted(started, signal.SIGTERM) == 143
    assert Records(tmp_path).of("lenet") == []


def start(results, *words):
    """Starts a call in its own session; its output includes the errors."""
    words = ["run", "lenet", "--dataset", "digits", "--variants", "lenet1", *words, "--results", str(results)]
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def interrupted(started, sent):
    """Sends a signal to all processes of a call, and returns its exit code. No process survives."""
    os.killpg(started.pid, sent)
    output, _ = started.communicate(timeout=SECONDS)
    assert "goes on from here" in output
    assert not alive(started.pid)
    return started.returncode


@pytest.mark.slow
def test_a_killed_worker_fails_only_its_run_and_the_summary_names_it(tmp_path):
    words = ["run", "lenet", "--dataset", "digits", "--variants", "lenet1", "--seeds", "3", "--epochs", "15"]
    started = subprocess.Popen(
        [sys.executable, "-m", "experiments", *words, "--workers", "1", "--results", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # The first run has begun: two and more are left, seconds of work, for the milliseconds until the worker is killed.
    until(lambda: list(tmp_path.glob("runs/lenet/.locks/lenet1.*")), started)
    (worker,) = (pid for pid in alive(started.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text())
    os.kill(int(worker), signal.SIGKILL)
    output, errors = started.communicate(timeout=SECONDS)
    assert started.returncode == 1
    (failed,) = (record for record in Records(tmp_path).of("lenet") if record.status == "failed")
    assert "SIGKILL" in failed.reason
    (file,) = tmp_path.glob("runs/lenet/*.failed.json")
    assert f"failed: {file.name.removesuffix('.failed.json')}: {failed.reason}" in errors
    table = pd.read_csv(tmp_path / "lenet.csv")
    assert table[["seeds", "failed"]].to_numpy().tolist() == [[2, 1]]
    assert "lenet1" in output


@pytest.mark.parametrize(
    ("words", "surroundings", "message"),
    [
        (["features", "--cluster", "ray"], {}, "on this machine"),
        (["receptive-field"], {"TF_CONFIG": TWO_HOSTS}, "on this machine"),
        (["lenet", "--workers", "2"], {"TF_CONFIG": TWO_HOSTS}, "leave out --workers"),
        (["tune", "--classes", "cat,dog", "--dataset", "quickdraw"], {}, "takes no --classes"),
    ],
)
def test_contradictory_options_give_one_line(tmp_path, capsys, monkeypatch, words, surroundings, message):
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert main(["run", *words, "--results", str(tmp_path / "r")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_tables_and_report_of_a_folder_with_only_locks(tmp_path):
    Records(tmp_path).folder("lenet").mkdir(parents=True)
    assert main(["tables", "--results", str(tmp_path)]) == 0
    assert pd.read_csv(tmp_path / "lenet.csv").empty
    assert main(["report", "--results", str(tmp_path)]) == 0


def alive(session):
    """The numbers of a session's processes that still run: one without memory is ending, as a zombie has ended."""
    out = subprocess.run(["ps", "-eo", "sess,stat,vsz,pid"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in out.splitlines()[1:]]
    return [pid for own, state, memory, pid in rows if int(own) == session and state[0] != "Z" and int(memory)]


def test_a_call_runs_all_declared_data_sets_or_the_one_it_names():
    experiment = dataclasses.replace(catalogue.find("lenet"), also_on=("fashion-mnist",))
    asked = call_of(parser().parse_args(["run", "lenet", "--seeds", "2", "--variants", "lenet1"]))
    assert [(run.dataset, run.seed) for run in plan(experiment, asked)] == [
        ("mnist", 0),
        ("mnist", 1),
        ("fashion-mnist", 0),
        ("fashion-mnist", 1),
    ]
    asked = dataclasses.replace(asked, dataset="digits")
    assert {run.dataset for run in plan(experiment, asked)} == {"digits"}


@pytest.fixture
def without_fashion(tmp_path, monkeypatch):
    """No network, and caches that contain only MNIST."""
    from lab.data import datasets, download, sources

    here = download.cache_folder()
    datasets.load("mnist")
    (tmp_path / "cache").mkdir()
    for file in ("mnist.npz", "mnist.validation.npy"):
        (tmp_path / "cache" / file).symlink_to(here / file)
    monkeypatch.setenv("CNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(sources, "DEBIAN", tmp_path / "no package")


@pytest.mark.slow
def test_runs_with_data_are_executed_and_the_others_named_with_how_to_get_their_data(without_fashion, tmp_path, capsys):
    words = [
        "run",
        "sample-efficiency",
        "--variants",
        "lenet5-relu-100",
        "--seeds",
        "1",
        "--epochs",
        "1",
        "--workers",
        "1",
    ]
    for outcome in ("finished", "kept from before"):  # the second call executes nothing and prints the same
        assert main([*words, "--results", str(tmp_path / "r")]) == 1
        out, err = capsys.readouterr()
        assert pd.read_csv(tmp_path / "r" / "sample-efficiency.csv")["dataset"].tolist() == ["mnist"]
        assert f"[1/1] lenet5-relu-100 on mnist, seed 0: {outcome}" in out
        assert "fetching fashion-mnist from storage.googleapis.com" in err
        assert "apt-get install dataset-fashion-mnist" in err
        assert err.endswith("not run: 1 run on fashion-mnist, whose data is missing (see above).\n")
    assert main([*words, "--dataset", "fashion-mnist", "--results", str(tmp_path / "f")]) == 2
    assert "apt-get install dataset-fashion-mnist" in capsys.readouterr().err
    (tmp_path / "cache" / "mnist.npz").unlink()  # nor is it needed where all runs are there
    assert main([*words, "--dataset", "mnist", "--results", str(tmp_path / "r")]) == 0
    assert "kept from before" in capsys.readouterr().out


def test_features_draws_a_layer_of_any_model(tmp_path, capsys):
    import keras

    layers = [keras.Input((12, 12, 3)), keras.layers.Conv2D(5, 3, name="first"), keras.layers.ReLU(name="rectified")]
    keras.Sequential(layers).save(tmp_path / "mine.keras")
    words = ["features", str(tmp_path / "mine.keras"), "--layer", "rectified", "--results", str(tmp_path)]
    assert main([*words, "--channels", "4"]) == 0
    assert "4 channels of rectified, 3×3 pixels each" in capsys.readouterr().out
    written = (tmp_path / "features-mine-rectified.svg").read_bytes()
    assert written.count(b"<image") == 4
    assert main([*words, "--channels", "4", "--output", str(tmp_path / "again.svg")]) == 0
    same = (tmp_path / "again.svg").read_bytes() == written
    assert same  # a bare boolean: pytest would take long to show the difference


def model_with_two_inputs():
    import keras

    left, right = keras.Input((8, 8, 1), name="left"), keras.Input((6, 6, 1), name="right")
    seen = [keras.layers.Conv2D(2, 3, name="conv")(left), keras.layers.Conv2D(2, 1, name="other")(right)]
    return keras.Model([left, right], keras.layers.Concatenate(name="both")(seen))


def model_of_sequences():
    import keras

    inputs = keras.Input((8, 8))
    return keras.Model(inputs, keras.layers.GRU(3, name="gru")(inputs))


def model_with_an_unknown_layer():
    import keras

    inputs = keras.Input((8, 8, 1))
    cropped = keras.layers.RandomCrop(4, 4, name="crop")(keras.layers.Conv2D(1, 3, name="conv")(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(cropped)))


def model_with_colours(count):
    import keras

    return keras.Sequential([keras.Input((8, 8, count)), keras.layers.Conv2D(3, 3, name="conv")])


def model_with_zero_weights():
    model = model_with_colours(1)
    model.get_layer("conv").set_weights([np.zeros((3, 3, 1, 3)), np.ones(3)])
    return model


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        (model_with_two_inputs, ["inspect"], "inputs are left, right: name one as `source` (--source)"),
        (model_with_two_inputs, ["inspect", "--source", "top"], "not 'top'"),
        (model_with_two_inputs, ["features", "--layer", "both"], "has 2 inputs"),
        (model_of_sequences, ["features", "--layer", "gru"], "not one picture"),
        (lambda: model_with_colours(4), ["features", "--layer", "conv"], "4 colours cannot be drawn"),
        (lambda: model_with_colours(1), ["features", "--layer", "conf"], "Did you mean conv?"),
        (model_with_zero_weights, ["features", "--layer", "conv"], "No channel of layer 'conv' has a picture"),
    ],
)
def test_models_that_cannot_be_analysed_give_one_line(model, words, message, tmp_path, capsys):
    model().save(tmp_path / "mine.keras")
    command, *options = words
    assert main([command, str(tmp_path / "mine.keras"), *options, "--results", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.keras"]


def test_a_layer_without_a_rule_hides_only_what_depends_on_it(tmp_path, capsys):
    model_with_an_unknown_layer().save(tmp_path / "mine.keras")
    assert main(["inspect", str(tmp_path / "mine.keras"), "--results", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "?: Layer 'crop' is a RandomCrop, called on (None, 6, 6, 1)" in out
    assert re.search(r"conv \(Conv2D\) .* 3×3", out)


def test_the_receptive_fields_of_a_model_with_several_inputs_refer_to_the_source(tmp_path, capsys):
    model_with_two_inputs().save(tmp_path / "mine.keras")
    words = ["inspect", str(tmp_path / "mine.keras"), "--results", str(tmp_path)]
    for source, sizes in (("left", {"conv": "3×3", "other": "0×0"}), ("right", {"conv": "0×0", "other": "1×1"})):
        assert main([*words, "--source", source]) == 0
        table = pd.read_csv(tmp_path / "inspect-mine.csv").set_index("name")
        assert {name: table["receptive_field"][name] for name in sizes} == sizes
    assert "conv" in capsys.readouterr().out


def test_channels_without_a_picture_are_named_and_left_out_of_the_figure(tmp_path, capsys):
    model = model_with_colours(1)
    kernel = np.ones((3, 3, 1, 3))
    kernel[..., 1] = 0
    model.get_layer("conv").set_weights([kernel, np.zeros(3)])
    model.save(tmp_path / "mine.keras")
    assert main(["features", str(tmp_path / "mine.keras"), "--layer", "conv", "--results", str(tmp_path)]) == 0
    assert "channels 1: dead" in capsys.readouterr().out
    assert (tmp_path / "features-mine-conv.svg").read_bytes().count(b"<image") == 2


@pytest.mark.parametrize("words", [["inspect", "lenet1"], ["features", "lenet1", "--layer", "h1"]])
def test_tensorflow_starts_without_output(words, tmp_path):
    command = [sys.executable, "-m", "experiments", *words, "--results", str(tmp_path)]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet5-relo", "--layer", "c1"], "Did you mean lenet5-relu"),
        (["lenet5-relu", "--layer", "c9"], "Did you mean c"),
        (["none.keras", "--layer", "c1"], "There is no file"),
        (["lenet5-relu", "--layer", "c1", "--low", "1"], "smaller number than white"),
        (["lenet5-relu", "--layer", "c1", "--low", "1", "--high", "1"], "--low must be less"),
        (["vgg16", "--layer", "c1"], "Did you mean keras.applications.VGG16?"),
        (["lenet5-relu", "--layer", "c1", "--output", "x.png"], "ends in .svg"),
    ],
)
def test_wrong_options_of_features_give_one_line(words, message, tmp_path, capsys):
    assert main(["features", *words, "--results", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
