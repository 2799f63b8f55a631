"""Models opened by name or from a file, safely."""

import subprocess
import sys
from pathlib import Path

import keras
import pytest

import cnn_models
from experiments.lab.command import main

ROOT = Path(__file__).parent.parent


def test_a_zoo_name_a_keras_name_and_a_file(tmp_path):
    assert cnn_models.open_model("lenet5").count_params() == 61_706
    assert cnn_models.open_model("keras.applications.MobileNet").output_shape == (None, 7, 7, 1024)
    model = cnn_models.build("lenet5-1998")  # with layers of the suite's own
    model.save(tmp_path / "mine.keras")
    assert cnn_models.open_model(str(tmp_path / "mine.keras")).count_params() == 60_840


def test_a_file_that_needs_code_is_refused_with_the_reason(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match="Lambda"):
        cnn_models.open_model(str(tmp_path / "code.keras"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet6", "Did you mean lenet"),
        ("keras.applications.ResNet51", "ResNet50"),
        ("nowhere.keras", "no file"),
        ("old.h5", "not a .keras file"),
    ],
)
def test_what_cannot_be_opened_says_why(name, message):
    with pytest.raises(ValueError, match=message):
        cnn_models.open_model(name)


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match="cannot be opened"):
        cnn_models.open_model(str(tmp_path / "broken.keras"))


def test_inspect_prints_and_writes_the_layer_table(tmp_path, capsys):
    assert main(["inspect", "lenet5-1998", "--results", str(tmp_path)]) == 0
    assert "14×14" in capsys.readouterr().out
    text = (tmp_path / "inspect-lenet5-1998.csv").read_text()
    assert "SparseConv2D" in text
    assert main(["inspect", "lenet6", "--results", str(tmp_path)]) == 2
    assert "Did you mean" in capsys.readouterr().err


def test_importing_the_package_imports_no_framework():
    code = "import sys, cnn_models; print([m for m in ('keras', 'tensorflow', 'pandas') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
