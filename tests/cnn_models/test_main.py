"""The command `cnn-models`, and the package as others see it."""

import csv
import json

import keras
import pytest
from keras import layers

import cnn_models
from cnn_models.__main__ import main


def test_the_table_is_printed_and_written(tmp_path, capsys):
    files = {"--csv": tmp_path / "table.csv", "--json": tmp_path / "table.json"}
    words = [str(word) for pair in files.items() for word in pair]
    assert main(["inspect", "lenet1", *words]) == 0
    model = cnn_models.build("lenet1")
    assert f"{model.count_params():,}" in capsys.readouterr().out
    with files["--csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["parameters"]) for row in rows) == model.count_params()
    assert [row["receptive_field"] for row in json.loads(files["--json"].read_text())] == [
        row["receptive_field"] for row in rows
    ]


def test_an_input_of_unknown_size_is_given_one(tmp_path, capsys):
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, layers.Conv2D(4, 3)(inputs)).save(tmp_path / "any.keras")
    assert main(["inspect", str(tmp_path / "any.keras")]) == 0
    assert "give one, as input_shape=(224, 224, 3) or --input 224,224,3" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "any.keras"), "--input", "9,8,3"]) == 0
    assert f"{7 * 6 * 9 * 3 * 4:,}" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "any.keras"), "--input", "9,8"]) == 2
    assert "fits none of the inputs" in capsys.readouterr().err


def test_memory_is_counted_for_a_batch_and_a_type(capsys):
    assert main(["inspect", "lenet1", "--batch", "3", "--dtype", "float16"]) == 0
    count = cnn_models.build("lenet1").count_params()
    assert f"Memory in float16: parameters {2 * count / 1024:.1f} KiB" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", "lenet1", "--batch", "0"])


@pytest.mark.parametrize("words", [["inspect", "lenet9"], ["inspect", "nowhere.keras"]])
def test_what_cannot_be_opened_is_one_line(words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_page_and_the_time_of_each_layer(tmp_path, capsys):
    page = tmp_path / "lenet1.html"
    assert main(["inspect", "lenet1", "--time", "--html", str(page)]) == 0
    assert "milliseconds of the layer by itself" in capsys.readouterr().out
    text = page.read_text()
    assert all(layer.name in text for layer in cnn_models.build("lenet1").layers[1:])
    assert '"ms":null' not in text  # each of its layers can be run by itself


def test_seconds_need_an_input_of_known_size(tmp_path, capsys):
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, layers.Conv2D(4, 3)(inputs)).save(tmp_path / "any.keras")
    assert main(["inspect", str(tmp_path / "any.keras"), "--time"]) == 2
    assert "give one, as input_shape=(224, 224, 3)" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "any.keras"), "--time", "--input", "9,8,3"]) == 0


def test_the_effective_field_stands_beside_the_exact_one(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras.utils.save_img("white.png", 255 * keras.ops.ones((50, 40, 3)), scale=False)
    assert main(["field", "lenet5", "--layer", "c3", "--pictures", "white.png"]) == 0
    printed = capsys.readouterr().out
    assert "c3 sees 14×14 pixels, exactly." in printed
    sides = [float(line.split(": ")[1].split()[0]) for line in printed.splitlines() if line.startswith("In effect")]
    assert len(sides) == 2
    assert all(0 < side <= 14 for side in sides)
    assert keras.utils.load_img("field-lenet5-c3.png").size[0] > 28


def test_pictures_of_channels_are_written(tmp_path, capsys):
    assert main(["features", "lenet1", "--layer", "h1", "--output", str(tmp_path / "h1.png")]) == 0
    assert (tmp_path / "h1.png").stat().st_size > 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["field", "lenet1", "--layer", "h9"], "h9"),
        (["field", "lenet1", "--layer", "h1", "--pictures", "nowhere.png"], "There is no picture nowhere.png"),
        (["field", "lenet1", "--layer", "h1", "--pictures", "notes.txt"], "got notes.txt"),
        (["inspect", "lenet1", "--csv", "/dev/full"], "/dev/full cannot be written: No space left"),
        (["inspect", "lenet1", "--picture", "cat.png"], "say with --html"),
        (["inspect", "lenet1", "--html", "nowhere/page.html"], "a folder that is there"),
        (["features", "lenet1", "--layer", "h1", "--output", "page.docx"], "ends in .png; got page.docx"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_the_package_lists_its_names():
    assert {*cnn_models.__all__} <= {*dir(cnn_models)}
