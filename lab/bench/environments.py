"""Installs `cnn_models` alone into fresh environments and tries it: `python -m lab.bench.environments FOLDER`.

Each environment has a Python, a version of Keras and a backend. What came out is in results/reference/environments.csv.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lab.report.table import csv_files
from lab.store.records import REFERENCE

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
OLD, LAST_OF_310, NEW = "3.10.0", "3.12.4", "3.15.1"  # of Keras; the second is the last that Python 3.10 can have
# Each Python, each backend, and the oldest and the newest Keras, with each of the others at least once.
KINDS = (
    ("3.10", OLD, "jax"),
    ("3.10", LAST_OF_310, "torch"),
    ("3.11", NEW, "tensorflow"),
    ("3.12", OLD, "torch"),
    ("3.12", NEW, "jax"),
    ("3.13", OLD, "jax"),
    ("3.13", NEW, "tensorflow"),
    ("3.13", NEW, "torch"),
)
BACKENDS = {"tensorflow": "tensorflow-cpu", "jax": "jax[cpu]", "torch": "torch==2.13.0"}
VGG16_FIELD, VGG16_PARAMETERS = (212, 212), 14_714_688
# A second network has what only newer rules know, and runs on every backend.
CODE = f"""
import keras, numpy as np
from cnn_models import layer_table, receptive_field
model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
assert receptive_field(model, "block5_pool").size == {VGG16_FIELD}
assert layer_table(model).total("parameters") == {VGG16_PARAMETERS} == model.count_params()
inputs = keras.Input((16, 16, 2))
maps = keras.ops.relu(keras.layers.Conv2D(4, 3, padding="same")(inputs))
gate = keras.layers.Dense(4, activation="sigmoid")(keras.ops.mean(maps, axis=(1, 2), keepdims=True))
gated = keras.Model(inputs, keras.layers.Multiply(name="gated")([maps, gate]))
assert receptive_field(gated, gates=False).size == (3, 3)
print(keras.__version__, keras.backend.backend())
"""
COMMANDS = {
    "library": ("python", "-c", CODE),
    "inspect": ("cnn-models", "inspect", "lenet5", "--time", "--html", "lenet5.html"),
    "field": ("cnn-models", "field", "lenet5", "--layer", "c3", "--output", "field.png"),
    "features": ("cnn-models", "features", "lenet5", "--layer", "c1", "--output", "features.png"),
}


def write(folder: Path, results: Path = REFERENCE) -> pd.DataFrame:
    """Tries every environment that can be made, and writes `environments.csv`.

    Args:
        folder: where environments are made, one after another.
        results: where the table goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(folder, *kind) for kind in KINDS]
    frame = pd.DataFrame(rows, columns=["python", "keras", "backend", "installed", *COMMANDS])
    csv_files.write(frame, results / "environments.csv")
    return frame


def _row(folder: Path, python: str, keras: str, backend: str) -> dict[str, str]:
    """What came out in one environment, which is removed again."""
    place = folder / f"{python}-{keras}-{backend}"
    shutil.rmtree(place, ignore_errors=True)
    packages = (f"{ROOT}[pictures]", f"keras=={keras}", BACKENDS[backend])
    made = _tried((UV, "venv", "-q", "--seed", "--python", _found(python), place), folder, {}) or _tried(
        (place / "bin" / "python", "-m", "pip", "install", "-q", *packages), folder, {}
    )
    row = {"python": python, "keras": keras, "backend": backend, "installed": made or "yes"}
    surroundings = {"KERAS_BACKEND": backend, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    for name, command in COMMANDS.items() if not made else ():
        row[name] = _tried(command, place, surroundings) or "yes"
    shutil.rmtree(place, ignore_errors=True)
    print(row, flush=True)
    return row


def _found(version: str) -> str | Path:
    """A Python of this version: on the path, or of pyenv."""
    here = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return here[-1] if here else shutil.which(f"python{version}") or version


def _tried(command: Sequence[str | Path], folder: Path, surroundings: dict[str, str]) -> str:
    """The last line of what a command said that failed; nothing where it did not."""
    done = subprocess.run(command, cwd=folder, env=os.environ | surroundings, capture_output=True, text=True)
    said = (done.stderr or done.stdout).strip().splitlines()
    return (said[-1] if said else f"exit code {done.returncode}") if done.returncode else ""


if __name__ == "__main__":
    print(write(Path(sys.argv[1]).resolve()).to_string())
