"""Pictures that stay in files: a training split of any size, in bounded memory. NumPy only.

Nothing here holds an array as long as the split: pictures are gathered from memory-mapped files when
they are asked for, labels are counted off, and an epoch's order is computed, not drawn and kept.
"""

import dataclasses
from pathlib import Path

import numpy as np

PIECE = 1_000  # rows read through one mapping; then it is closed, and its pages leave the process
ROUNDS = 4  # of the cipher in `Shuffled`; four make it a good shuffle (Luby and Rackoff 1988)


@dataclasses.dataclass(frozen=True)
class Part:
    """The rows of one `.npy` file, uint8, one picture a row, of which some are left out.

    Attributes:
        file: the file.
        rows: how many rows it has.
        left_out: rows that are not a part of this, ascending.
    """

    file: Path
    rows: int
    left_out: np.ndarray

    def __len__(self) -> int:
        return self.rows - len(self.left_out)

    def read(self, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The pictures at these places among the rows that are not left out, uint8 `(places, *shape)`."""
        gaps = self.left_out - np.arange(len(self.left_out))
        return read_rows(self.file, places + np.searchsorted(gaps, places, side="right"), shape)


def read_rows(file: Path, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of a `.npy` file as pictures, uint8 `(rows, *shape)`; the rest of the file is not read."""
    pictures = np.empty((len(rows), *shape), "uint8")
    order = np.argsort(rows, kind="stable")  # once through the file
    for start in range(0, len(rows), PIECE):
        piece = order[start : start + PIECE]
        pictures[piece] = np.load(file, mmap_mode="r", allow_pickle=False)[rows[piece]].reshape(-1, *shape)
    return pictures


class Pictures:
    """Pictures of several files, one file after another, that answer to an array of places.

    Args:
        parts: the files.
        shape: height, width and channels of a picture.
    """

    def __init__(self, parts: tuple[Part, ...], shape: tuple[int, ...]) -> None:
        self.parts = parts
        self.shape = (sum(map(len, parts)), *shape)
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """The pictures at these places, uint8 `(places, height, width, channels)`."""
        found = np.empty((len(places), *self.shape[1:]), "uint8")
        numbers = np.searchsorted(self._ends, places, side="right")
        for number in np.unique(numbers):
            here = numbers == number
            part = self.parts[number]
            found[here] = part.read(places[here] - (self._ends[number] - len(part)), self.shape[1:])
        return found


class Labels:
    """The class of each picture where every file is a class: the file's number."""

    def __init__(self, counts: list[int]) -> None:
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """The classes of the pictures at these places, int32."""
        return np.searchsorted(self._ends, places, side="right").astype("int32")

    def max(self) -> int:
        """The last class."""
        return len(self._ends) - 1


class Shuffled:
    """A random order of 0 … count-1 that is computed where it is read: a Feistel cipher on the places.

    A number's two halves are mixed with each other `ROUNDS` times; whatever the mixing, that is a
    permutation of all numbers of so many bits. One that lands beyond `count` is enciphered again.

    Args:
        count: how many.
        seed: integers that decide the order.
    """

    def __init__(self, count: int, seed: list[int]) -> None:
        self.count = count
        self._half = max((count - 1).bit_length() + 1, 2) // 2
        self._keys = np.random.default_rng(seed).integers(1, 2**63, (ROUNDS, 2), "uint64") | np.uint64(1)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, places: slice) -> np.ndarray:
        """A stretch of the order, int64."""
        numbers = self._enciphered(np.arange(*places.indices(self.count), dtype="uint64"))
        while (beyond := numbers >= self.count).any():
            numbers[beyond] = self._enciphered(numbers[beyond])
        return numbers.astype("int64")

    def _enciphered(self, numbers: np.ndarray) -> np.ndarray:
        half, mask = np.uint64(self._half), np.uint64(2**self._half - 1)
        left, right = numbers >> half, numbers & mask
        for factor, added in self._keys:
            mixed = (right + added) * factor  # modulo 2⁶⁴
            mixed = (mixed ^ (mixed >> np.uint64(31))) * factor
            left, right = right, left ^ ((mixed >> np.uint64(33)) & mask)
        return (left << half) | right
