"""Data sets: a name, sources tried in order, a checksum of the arrays, and three splits.

Whatever a source gives is compared with the checksum, every time: what does not match is named, set
aside and never trained on. What was fetched is kept, whole or not at all, in the user's cache
folder; Keras's own cache is read where it has the data. No module here imports Keras.
"""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from cnn_models.brightness import LUMINANCE
from cnn_models.names import unknown
from lab.data import cifar, download, quickdraw, sources, strokes
from lab.data.arrays import stratified
from lab.data.download import OnProgress, cache_folder
from lab.data.sources import NAMES, UNREADABLE, Arrays, Source
from lab.declare.outline import Outline
from lab.errors import UsageError
from lab.store.files import write_whole

CAT_CHECKSUM = "416b729128bfb2c3d1eb69bf9b1734a796293abc17939267b2dc94f8a5784031"


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
        size = len(self.train.labels)
        return Outline(self.name, (height, width, channels), self.classes, size, self.stored, self.names)


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


def load(name: str, on_progress: OnProgress = download.no_progress) -> Dataset:
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
    arrays = _arrays(name, recipe, on_progress)
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
        shape, names = (strokes.SIDE, strokes.SIDE, BY_CLASS[family][1]), quickdraw.chosen(classes)
        return Outline(name, shape, len(names), size=None, stored=True, names=names)
    recipe = recipe_of(name)
    return Outline(name, recipe.shape, recipe.classes, recipe.size, names=recipe.names())


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
    """Luminance of a colour picture, uint8 `(height, width)`."""
    return np.round(picture @ np.array(LUMINANCE)).astype("uint8")


def _arrays(name: str, recipe: Recipe, on_progress: OnProgress = download.no_progress) -> Arrays:
    """The verified arrays: from the cache, or fetched under a lock that eight first uses can share."""
    cache = cache_folder() / f"{name}.npz"
    cached = sources.local("this suite's cache", functools.partial(sources.read_npz, cache), cache)
    problems: list[str] = []
    if cache.exists() and (arrays := _attempt(cached, recipe, problems)):
        return arrays
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache.with_suffix(".lock")):
            return _fetch(name, recipe, cache, cached, problems, on_progress)
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
        _, held_out = stratified(labels, recipe.validation)
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


def _fetch(
    name: str, recipe: Recipe, cache: Path, cached: Source, problems: list[str], on_progress: OnProgress
) -> Arrays:
    if cache.exists() and (arrays := _attempt(cached, recipe, problems)):  # somebody else has just fetched it
        return arrays
    tried = list(recipe.sources())
    for source in tried:
        if source.place:
            download.announce(name, source.place)
        if arrays := _attempt(source, recipe, problems, on_progress):
            if source.file is None:
                write_whole(cache, lambda part: np.savez(part, allow_pickle=False, **arrays))
            return arrays
    reasons = "".join(f"\n  - {problem}" for problem in problems)
    commands = "".join(f"or call {source.command}, " for source in tried if source.command)
    raise UsageError(
        f"Data set '{name}' could not be had. Tried:{reasons}\n"
        f"Put the network right and call again, {commands}or place Keras's own file under {sources.keras_cache()}; "
        "DATASET=digits needs no download."
    )


def _attempt(
    source: Source, recipe: Recipe, problems: list[str], on_progress: OnProgress = download.no_progress
) -> Arrays | None:
    """Reads one source; a wrong or unreadable answer is noted, and a wrong cache file is set aside."""
    try:
        arrays = source.read(on_progress)
        if recipe.checksum_of(arrays) == recipe.checksum:
            return {key: arrays[key] for key in NAMES}
        reason = "its content is not what the checksum says"
    except FileNotFoundError as error:
        problems.append(f"{source.name}: not there ({error.filename or error})")
        return None
    except UsageError as error:  # of a download
        reason = str(error)
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}"
    problems.append(f"{source.name}: {reason}")
    if source.file is not None:
        download.set_aside(source.file, reason)
    return None


def _with_channels(images: np.ndarray) -> np.ndarray:
    return images if images.ndim == 4 else images[..., np.newaxis]


DATASETS: dict[str, Recipe] = {
    "mnist": Recipe(
        "e5ea4841dd6fde90b155843179ce5756a4864227194eec7fb09d7cfc4cf702a5",
        sources.mnist,
        validation=5_000,
        size=55_000,
        split="63ecb24004ac11d8fb38480fee8947cdec245c51122701b02733523ce5cfc446",
    ),
    "fashion-mnist": Recipe(
        "8294d2ca571ee42977a0b2dbf2f2f22ac6655a869e4497e2cd010da5acf40c92",
        sources.fashion_mnist,
        validation=5_000,
        size=55_000,
        split="7eaac0da7d8255a79c560b8728306e4e90d62db648745a9cd57329c51e26ba14",
    ),
    "cifar-10": Recipe(
        cifar.CHECKSUM,
        sources.cifar_10,
        validation=5_000,
        size=45_000,
        shape=cifar.SHAPE,
        checksum_of=cifar.checksum_of,
        names=lambda: cifar.CLASSES,
        split="481cb67ad1926e38d014460e74bbe2fb41cccdb80e4d566fc0567d4bdd10bca9",
    ),
    "cifar-10-sample": Recipe(
        "fd6e2c6045ab6e49e89412fe4f395fc1658f8f91bab3d03894f23c95ccd4a3d4",
        sources.cifar_10_sample,
        validation=10,
        size=70,
        shape=cifar.SHAPE,
        names=lambda: cifar.CLASSES,
        split="444e822ecac7b25b392cedaa756a362f25c79fb39d26c71d2060b96874736495",
    ),
    "digits": Recipe(
        "10d1e76dfe412b021f5bdf329f796a69a3166b1ef30400f2e35946823537a20f",
        sources.digits,
        validation=180,
        size=1_257,
        split="79980b48bf2530d7c6e88e63d950c75257c5b505fbef1ddeccd918f82eb4e954",
    ),
    "quickdraw": Recipe(
        "08ba57ad4893d8848bed5e5fa4974242f4597ed4201ecddae2ac2405dc7d808b",
        sources.quickdraw_bitmaps,
        validation=1_000,
        size=7_000,
        names=lambda: quickdraw.SAMPLE,
        split="d9e9e4029d84972f686afcc6e85d6f335aa4cc8f4732b4ca6d279d81424798b9",
    ),
    "quickdraw-strokes": Recipe(
        "45d8c8b294be79de9b3615f7a9e45d778272f046b2121f491e4389cbdcfde7f6",
        sources.quickdraw_strokes,
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
