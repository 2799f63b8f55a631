"""Models are opened by name or from a file, safely."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest

import cnn_models
from cnn_models.loading import NETWORKS, register
from lab.command.main import main

ROOT = Path(__file__).parents[2]


def test_a_model_is_opened_by_its_zoo_name_keras_name_or_file(tmp_path):
    assert cnn_models.open_model("lenet5").count_params() == 61_706
    assert cnn_models.open_model("keras.applications.MobileNet").output_shape == (None, 7, 7, 1024)
    model = cnn_models.build("lenet5-1998")  # with layers of the suite's own
    model.save(tmp_path / "mine.keras")
    assert cnn_models.open_model(str(tmp_path / "mine.keras")).count_params() == 60_840


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Lambda(lambda x: x + 1, name="coded"),
        lambda: keras.layers.Dense(3, activation=lambda x: x * 2, name="coded"),
    ],
)
def test_a_file_with_code_is_refused_with_the_reason(tmp_path, layer):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="relu"), layer()])
    model.save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match=r"a lambda in layer coded\); it is not opened"):
        cnn_models.open_model(str(tmp_path / "code.keras"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet6", "Did you mean lenet"),
        ("LeNet5", r"Did you mean lenet5\?"),
        ("ResNet50", r"Did you mean keras\.applications\.ResNet50\?"),
        ("vgg16", r"Did you mean keras\.applications\.VGG16\?"),
        ("tf.keras.applications.vgg_19", r"Did you mean keras\.applications\.VGG19\?"),
        ("keras.applications.ResNet51", "ResNet50"),
        ("keras.applications.resnet50", r"Did you mean ResNet50\?"),
        ("nowhere.keras", r"There is no file nowhere\.keras\.$"),
        ("models/lenet5", "There is no file models/lenet5"),
        ("old.h5", "not a .keras file"),
    ],
)
def test_an_unknown_name_or_file_is_refused_with_the_reason(name, message):
    with pytest.raises(ValueError, match=message):
        cnn_models.open_model(name)


def test_the_list_of_keras_networks_is_complete():
    assert set(NETWORKS) == {name for name in vars(keras.applications) if name[:1].isupper()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file of a small model."""
    path = tmp_path_factory.mktemp("saved") / "small.keras"
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv")]).save(path)
    return path


def rewritten(path, saved, **changed):
    """Writes a copy of a file with other members; None removes a member."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            text = changed.get(name.partition(".")[0], old.read(name))
            if text is not None:
                new.writestr(name, text)


def flipped(path, saved):
    """Writes a copy of a file with one wrong byte in the weights."""
    content = bytearray(saved.read_bytes())
    content[content.index(b"\x89HDF") + 100] ^= 1
    path.write_bytes(content)


def folder(path, saved, member="config.json"):
    path.mkdir()
    (path / member).write_text("")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path, saved: path.write_bytes(saved.read_bytes()[:-100]), "damaged or was cut short"),
        (lambda path, saved: path.write_bytes(saved.read_bytes()[:100]), "damaged or was cut short"),
        (lambda path, saved: path.write_bytes(b"PK\x03\x04 nothing"), "damaged or was cut short"),
        (flipped, r"the checksum of its model\.weights\.h5"),
        (lambda path, saved: path.write_bytes(b""), r"empty \(0 bytes\)"),
        (lambda path, saved: path.write_text("layers: conv, größer"), "but text"),
        (lambda path, saved: path.write_bytes(bytes(range(256))), "but something else"),
        (lambda path, saved: path.write_text("version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
        (lambda path, saved: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)), "an HDF5 file, whatever its name"),
        (lambda path, saved: folder(path, saved), "unzipped Keras model"),
        (lambda path, saved: folder(path, saved, "saved_model.pb"), "SavedModel"),
        (lambda path, saved: folder(path, saved, "notes"), "is a folder, not"),
        (lambda path, saved: rewritten(path, saved, config=None), "config.json is missing"),
        (lambda path, saved: rewritten(path, saved, config=None, model=None), "config.json and model.weights.h5"),
        (lambda path, saved: rewritten(path, saved, config="{"), "config.json cannot be read"),
        (lambda path, saved: rewritten(path, saved, config="[]"), "does not describe one"),
    ],
)
def test_a_file_that_is_not_a_complete_model_is_refused_with_what_it_is(tmp_path, saved, spoil, message):
    path = tmp_path / "spoilt.keras"
    spoil(path, saved)
    with pytest.raises(ValueError, match=message) as caught:
        cnn_models.open_model(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_renamed_hdf5_file_is_recognised(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(tmp_path / "old.h5")
    (tmp_path / "old.h5").rename(tmp_path / "renamed.keras")
    with pytest.raises(ValueError, match="HDF5 file, whatever its name"):
        cnn_models.open_model(str(tmp_path / "renamed.keras"))


class Halved(keras.layers.Layer):
    """A layer that is not registered."""

    def call(self, inputs):
        return inputs / 2


def halved(x):
    return x / 2


def test_unregistered_classes_are_named_with_their_layers(tmp_path):
    inputs = keras.Input((8, 8, 1))
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(8, 3), Halved(name="half")], name="inner")
    outputs = keras.layers.Conv2D(2, 3, activation=halved, name="last")(inner(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "own.keras")
    with pytest.raises(
        ValueError, match=r"these classes are not registered: Halved \(layer 'half'\), halved \(layer 'last'\)"
    ) as caught:
        cnn_models.open_model(str(tmp_path / "own.keras"))
    assert "register_keras_serializable" in str(caught.value)


def test_the_message_names_the_other_version_of_keras_that_saved_the_file(tmp_path, saved):
    with zipfile.ZipFile(saved) as archive:
        config = archive.read("config.json").replace(b'"filters": 4', b'"filters": -4')
    rewritten(tmp_path / "newer.keras", saved, config=config, metadata='{"keras_version": "9.1"}')
    with pytest.raises(ValueError, match=r"cannot be opened: .*filters.*saved by Keras 9\.1") as caught:
        cnn_models.open_model(str(tmp_path / "newer.keras"))
    assert len(str(caught.value)) < 600


FRESH = """
import sys
import cnn_models
for name in sys.argv[1:]:
    try:
        cnn_models.open_model(name)
    except ValueError as error:
        print(error)
    print("keras" in sys.modules or "tensorflow" in sys.modules)
"""


def fresh(*names):
    """The output of a new process that opens these names."""
    command = [sys.executable, "-c", FRESH, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_names_and_files_are_refused_before_keras_is_imported(tmp_path):
    (tmp_path / "empty.keras").write_bytes(b"")
    lines = fresh("lenet6", "keras.applications.ResNet51", "none.keras", str(tmp_path / "empty.keras"))
    assert lines[1::2] == ["False"] * 4


@pytest.mark.slow
def test_the_suite_opens_its_own_networks_in_a_fresh_process(tmp_path):
    rows = ("ladder-local", "reduce-blur-max", "lenet5-1998")
    for name in rows:
        cnn_models.build(name).save(tmp_path / f"{name}.keras")
    assert fresh(*(str(tmp_path / f"{name}.keras") for name in rows)) == ["True"] * 3


def test_opening_a_file_registers_all_classes_of_this_package():
    register()
    package = Path(cnn_models.__file__).parent
    named = {
        name
        for file in package.rglob("*.py")
        for name in re.findall(r"^@register\n(?:class|def) (\w+)", file.read_text(), re.MULTILINE)
    }
    assert len(named) >= 8
    assert {f"cnn_models>{name}" for name in named} <= set(keras.saving.get_custom_objects())


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
