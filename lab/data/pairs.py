"""Pairs of pictures to learn a translation from: edges and digits, or a folder of a user's own. NumPy and Pillow.

A folder is in pix2pix's format: each file is two pictures of one size side by side, the left one the
input, the right one what is wanted. All must be of one size. Where there are subfolders train, test (and
val), they are the splits (of train, and val or test, a tenth of train is to choose by); else a fixed
random tenth is for the test and another to choose by.
"""

import dataclasses
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lab.data import datasets
from lab.declare import kernels
from lab.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

Answer = TypeVar("Answer")
PREFIX = "pairs:"
THRESHOLD = 255  # of its answer to brightnesses 0…255: one pixel's full brightness
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # what a file is told by its content: no other decoder is let at it
DEEP = ("I", "F")  # and what begins so, as "I;16": modes of more than 8 bits, which Pillow would cut off at 255
FEWEST = 10
SMALLEST = 8  # pixels; structural similarity looks at windows of 7
MOST_BYTES = 2 * 2**30  # all pairs are held in memory


@dataclasses.dataclass(frozen=True)
class Half:
    """One split: inputs and what is wanted, uint8 `(n, height, width, channels)`, and classes where they have any."""

    inputs: np.ndarray
    targets: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Three splits of pairs.

    Attributes:
        dataset: the classified pictures that are the targets, where they are such.
    """

    name: str
    checksum: str
    train: Half
    validation: Half
    test: Half
    dataset: datasets.Dataset | None = None


def load(name: str) -> Pairs:
    """The pairs that a data set's name stands for: `pairs:FOLDER`, or pictures with a class, from their edges.

    Raises:
        UsageError: there is no such data set or folder, or its pictures do not fit; the message says which.
    """
    if name.startswith(PREFIX):
        return _folder(Path(name.removeprefix(PREFIX)))
    dataset = datasets.load(name)
    if dataset.stored or dataset.shape[2] != 1:
        raise UsageError(f"Edges are taken from grey pictures in memory; {name} is not such.")
    train, validation, test = (
        Half(edges(split.images), split.images, split.labels)
        for split in (dataset.train, dataset.validation, dataset.test)
    )
    return Pairs(name, dataset.checksum, train, validation, test, dataset)


def edges(images: np.ndarray) -> np.ndarray:
    """Where the lecture's edge kernel answers with more than `THRESHOLD`, black outside the picture.

    Args:
        images: brightnesses, uint8 `(n, height, width, channels)`.

    Returns:
        0 or 255, uint8 of the same shape.
    """
    from scipy import ndimage  # slow to import, and this module is read by every command

    kernel = np.array(kernels.EDGES)[np.newaxis, :, :, np.newaxis]
    answers = ndimage.convolve(images.astype("int32"), kernel, mode="constant")
    return np.where(answers > THRESHOLD, 255, 0).astype("uint8")


def filled(inputs: np.ndarray) -> np.ndarray:
    """Edges with all that they enclose in white: what needs no learning. Same shape and type."""
    from scipy import ndimage

    holes = [ndimage.binary_fill_holes(picture.max(axis=-1) > 127) for picture in inputs]
    return np.where(np.stack(holes), 255, 0).astype("uint8")[..., np.newaxis]


def _folder(folder: Path) -> Pairs:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. DATASET=pairs:FOLDER names a folder of side-by-side pictures.")
    parts = {name: folder / name for name in ("train", "val", "test")}
    files = {name: _files(part) for name, part in parts.items()}
    if files["train"] and (files["val"] or files["test"]):
        files["test"] = files["test"] or files.pop("val")  # some of pix2pix's own sets have two splits only
        if not files.get("val"):
            files["train"], files["val"] = _tenth(files["train"], 1)
    else:
        rest, test = _tenth(_files(folder), 1)
        train, validation = _tenth(rest, 2)
        files = {"train": train, "val": validation, "test": test}
    everything = [file for part in files.values() for file in part]
    if len(everything) < FEWEST or not all(files.values()):
        raise UsageError(
            f"{folder} has {len(everything)} pictures ({', '.join(ENDINGS)}) directly or in train, val and test; "
            f"{FEWEST} are needed at least, and one in every split."
        )
    width, height, grey = _common(everything)
    needed = len(everything) * width * height * (1 if grey else 3)
    if needed > MOST_BYTES:
        raise UsageError(
            f"The {len(everything):,} pairs in {folder} need {needed / 2**30:.1f} GB of memory, more than "
            f"{MOST_BYTES / 2**30:.0f}; scale them down or take fewer."
        )
    halves = {name: _read(part, grey) for name, part in files.items()}
    digest = hashlib.sha256()
    for half in halves.values():
        digest.update(half.inputs.tobytes() + half.targets.tobytes())
    return Pairs(f"{PREFIX}{folder}", digest.hexdigest(), halves["train"], halves["val"], halves["test"])


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*") if file.suffix.lower() in ENDINGS) if folder.is_dir() else []


def _tenth(files: list[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """All but a fixed random tenth (one at least), and that tenth."""
    order = np.random.default_rng(seed).permutation(len(files))
    held = set(order[: max(len(files) // 10, 1)].tolist())
    return [f for n, f in enumerate(files) if n not in held], [f for n, f in enumerate(files) if n in held]


def _common(files: list[Path]) -> tuple[int, int, bool]:
    """Width and height that all pictures have, and whether all are grey; what does not fit is named."""
    size: tuple[int, int] | None = None
    grey = True
    for file in files:
        found, mode = _decoded(file, _head)
        if mode.startswith(DEEP):
            raise UsageError(f"{file} has more than 8 bits for a brightness; save it as 8-bit grey or colour.")
        if found[0] % 2 or min(found[0] // 2, found[1]) < SMALLEST:
            raise UsageError(
                f"{file} is {found[0]}×{found[1]} pixels (width×height); two pictures side by side need an even "
                f"width, and each {SMALLEST} pixels of width and height at least."
            )
        size = size or found
        if found != size:
            raise UsageError(
                f"{file} is {found[0]}×{found[1]} pixels, {files[0].name} is {size[0]}×{size[1]}; all must be of one "
                "size. Scale or cut them first."
            )
        grey = grey and mode in ("L", "1")
    assert size
    return *size, grey


def _decoded(file: Path, step: "Callable[[Image], Answer]") -> Answer:
    """What a step makes of a picture in a file.

    Raises:
        UsageError: the file is no picture, is damaged, or says that it is enormous.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as picture:
                return step(picture)
    except Exception as error:  # decoders raise many kinds of what is damaged
        raise UsageError(f"{file} cannot be read as a picture: {error}.") from error


def _head(picture: "Image") -> tuple[tuple[int, int], str]:
    """Width and height, and mode, of a picture that seems whole."""
    found = picture.size, picture.mode
    picture.verify()
    return found


def _pixels(picture: "Image", grey: bool) -> np.ndarray:
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise ValueError("parts of it are transparent; lay it on a background first")
    return np.asarray(picture.convert("L" if grey else "RGB"))


def _read(files: list[Path], grey: bool) -> Half:
    pictures = [_decoded(file, lambda picture: _pixels(picture, grey)) for file in files]
    stack = np.stack(pictures)
    stack = stack[..., np.newaxis] if grey else stack
    middle = stack.shape[2] // 2
    return Half(np.ascontiguousarray(stack[:, :, :middle]), np.ascontiguousarray(stack[:, :, middle:]))
