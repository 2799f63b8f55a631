"""Quick, Draw!: a sample that is part of this repository, and the official files by class. NumPy only.

The sample is described in `data/quickdraw/README.md`. Of each class a fixed random fifth of the
drawings, but at most 300, is for the test and a tenth, but at most 300, for validation; all others are
learned from.
"""

import dataclasses
import functools
import hashlib
import io
import os
import sys
import tarfile
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path

import filelock
import numpy as np

from cnn_models.names import did_you_mean
from lab.data import download, strokes
from lab.data.stored import Labels, Part, Pictures, read_rows
from lab.errors import UsageError
from lab.store.files import sync

HERE = Path(__file__).parents[2] / "data" / "quickdraw"
SAMPLE = ("apple", "bicycle", "bird", "cat", "diamond", "eye", "fish", "rainbow", "train", "tree")
DRAWN = 25  # drawings of each class that the sample holds as strokes
MOST_HELD_OUT = 300
OFFICIAL = "https://storage.googleapis.com/quickdraw_dataset/full"


@functools.cache
def categories() -> tuple[str, ...]:
    """The official names of the 345 classes."""
    return tuple((HERE / "categories.txt").read_text().splitlines())


def chosen(words: str) -> tuple[str, ...]:
    """The classes that a user names: "all", or names with commas between, in the official order.

    Raises:
        UsageError: there is no such class, or they are fewer than two.
    """
    if words.strip() == "all":
        return categories()
    names = [name.strip() for name in words.split(",") if name.strip()]
    for name in names:
        if name not in categories():
            raise UsageError(
                f"Quick, Draw! has no class '{name}'.{did_you_mean(name, categories())} All 345 are listed in "
                "data/quickdraw/categories.txt."
            )
    if len(set(names)) < 2:
        raise UsageError("Name two classes or more, with commas between them, or all: CLASSES=cat,dog.")
    return tuple(name for name in categories() if name in names)


def held_out(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of one class that are for validation and for the test, each ascending."""
    validation, test = min(rows // 10, MOST_HELD_OUT), min(rows // 5, MOST_HELD_OUT)
    drawn = np.random.default_rng(rows).choice(rows, validation + test, replace=False)
    return np.sort(drawn[:validation]), np.sort(drawn[validation:])


def bitmaps() -> dict[str, np.ndarray]:
    """The sample's bitmaps: 1,000 drawings of ten classes, pictures uint8 `(n, 28, 28)`; see `_halves`."""
    files = _sample()
    arrays = [np.load(io.BytesIO(files[f"numpy_bitmap/{name}.npy"]), allow_pickle=False) for name in SAMPLE]
    return _halves([array.reshape(-1, strokes.SIDE, strokes.SIDE) for array in arrays])


def drawings() -> dict[str, list[strokes.Drawing]]:
    """25 drawings of each of the 345 classes as strokes: zigzag's in the raw format, all others simplified."""
    files = _sample()
    found = {}
    for name in categories():
        file = f"{'raw' if name == 'zigzag' else 'simplified'}/{name}.ndjson"
        found[name] = list(strokes.Lines(file, files[file].splitlines()))[:DRAWN]
    return found


def ordered_strokes() -> dict[str, np.ndarray]:
    """The same with the order of strokes as channels, uint8 `(n, 28, 28, 3)`; see `_halves`."""
    return _halves([np.stack([strokes.in_order(one.strokes) for one in of_class]) for of_class in drawings().values()])


def _halves(by_class: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Pictures to learn from and choose by, and pictures for the test, class after class, with their classes."""
    test = [held_out(len(pictures))[1] for pictures in by_class]
    learned = [np.delete(pictures, rows, axis=0) for pictures, rows in zip(by_class, test, strict=True)]
    tested = [pictures[rows] for pictures, rows in zip(by_class, test, strict=True)]
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), (*joined(learned), *joined(tested)), strict=True))


def _sample() -> dict[str, bytes]:
    with tarfile.open(HERE / "drawings.tar.xz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def fetched_bitmaps(words: str, cache: Path, on_progress: download.OnProgress) -> list[tuple[Path, str]]:
    """The official bitmaps of the classes that a user names, and each file's MD5; fetched where missing.

    The content of every file is verified, see `download.known`.
    """
    return [_fetched("numpy_bitmap", f"{name}.npy", check_bitmaps, cache, on_progress) for name in chosen(words)]


def fetched_strokes(words: str, cache: Path, on_progress: download.OnProgress) -> list[tuple[Path, str]]:
    """The same as pictures with the order of strokes as channels, made from the official simplified drawings.

    The pictures' content is verified. That of the drawings is where pictures are drawn of them, and not later, when
    they are not read any more.
    """
    return [_drawn(name, cache, on_progress) for name in chosen(words)]


def _drawn(name: str, cache: Path, on_progress: download.OnProgress) -> tuple[Path, str]:
    """The pictures of a class's strokes, and the MD5 of the drawings that they are of."""
    folder = cache / "quickdraw" / "strokes"
    md5 = download.noted(_place("simplified", f"{name}.ndjson", cache))
    if md5 and download.known(pictures := folder / f"{name}.{md5[:8]}.npy"):
        return pictures, md5
    lines, md5 = _fetched("simplified", f"{name}.ndjson", check_lines, cache, on_progress)
    pictures = folder / f"{name}.{md5[:8]}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(pictures.with_name(f".lock-{pictures.name}")):
        if not download.known(pictures):  # nobody else has just drawn them
            download.set_aside(pictures, "its content is not what was drawn")
            draw_file(lines, pictures)
    return pictures, md5


def _fetched(
    kind: str, name: str, check: Callable[[Path], None], cache: Path, on_progress: download.OnProgress
) -> tuple[Path, str]:
    base, file = os.environ.get("QUICKDRAW_URL") or OFFICIAL, _place(kind, name, cache)
    if md5 := download.known(file):
        return file, md5
    download.announce(f"{kind}/{name}", base)
    return file, download.fetch(f"{base}/{kind}/{urllib.parse.quote(name)}", file, check, on_progress)


def _place(kind: str, name: str, cache: Path) -> Path:
    return cache / "quickdraw" / kind / name


def check_bitmaps(file: Path) -> None:
    """Raises `ValueError` where a file is not a `.npy` of uint8 `(n, 784)`, whole."""
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OverflowError, EOFError, TypeError) as error:  # a head that is damaged, or names an enormous shape
        raise ValueError(str(error)) from error
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != strokes.SIDE**2:
        raise ValueError(f"it holds {array.dtype} {array.shape}, not uint8 (n, 784)")


def check_lines(file: Path) -> None:
    """Raises `ValueError` where the first line of a file is not a drawing."""
    with open(file, "rb") as opened:
        strokes.parse(opened.readline())


def draw_file(source: Path, target: Path) -> None:
    """Draws every line of an ndjson file, in order, into a `.npy` of uint8 `(n, 28, 28, 3)`; a line at a time.

    Malformed lines are skipped; each is named on the error stream.
    """
    part = target.with_name(f".part-{target.name}")
    with open(source, "rb") as opened, open(part, "wb") as drawn:
        lines = strokes.Lines(source.name, opened)
        _header(drawn, 0)
        count = 0
        for count, drawing in enumerate(lines, start=1):  # noqa: B007
            drawn.write(strokes.in_order(drawing.strokes).tobytes())
        drawn.seek(0)
        _header(drawn, count)  # as long as the first: NumPy leaves room for the first axis to grow
    sync(part)
    download.write_note(target, part, drawn_from=source.name)
    os.replace(part, target)
    if lines.malformed:
        print(f"{source.name}: {lines.malformed} of {count + lines.malformed} lines were skipped.", file=sys.stderr)


def _header(file: io.BufferedWriter, count: int) -> None:
    shape = (count, strokes.SIDE, strokes.SIDE, strokes.PARTS)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


@dataclasses.dataclass(frozen=True)
class Stored:
    """The training split left in its files; of the others, pictures and classes, class after class.

    Attributes:
        checksum: SHA-256 over the files' MD5.
    """

    train: tuple[Pictures, Labels]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    checksum: str


def opened(files: Sequence[tuple[Path, str]], channels: int) -> Stored:
    """Opens a `.npy` file a class, each with its MD5, as pictures of so many channels."""
    shape = (strokes.SIDE, strokes.SIDE, channels)
    parts, validation, test = [], [], []
    for file, _ in files:
        rows = np.load(file, mmap_mode="r", allow_pickle=False).shape[0]
        splits = held_out(rows)
        parts.append(Part(file, rows, np.sort(np.concatenate(splits))))
        validation.append(read_rows(file, splits[0], shape))
        test.append(read_rows(file, splits[1], shape))
    checksum = hashlib.sha256("".join(md5 for _, md5 in files).encode()).hexdigest()
    train = Pictures(tuple(parts), shape), Labels([len(part) for part in parts])
    return Stored(train, joined(validation), joined(test), checksum)


def joined(by_class: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one class after another, and their classes, uint16."""
    counts = [len(pictures) for pictures in by_class]
    return np.concatenate(by_class), np.repeat(np.arange(len(by_class)), counts).astype("uint16")
