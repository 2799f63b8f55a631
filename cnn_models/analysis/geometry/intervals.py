"""What the units along an axis read of an actual input: one interval of positions for each unit, in integers."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from cnn_models.analysis.geometry.sampling import FAR, Sampling
from cnn_models.analysis.geometry.views import NOTHING, WHOLE, Interval


@dataclasses.dataclass(frozen=True, eq=False)
class Intervals:
    """The interval of positions that each unit reads, without those that lie in padding, at any depth of the network.

    Where units have several dimensions, `sizes` below is their shape; the last dimension is the fastest.

    Attributes:
        first: first position that each unit reads, int32 `(units,)`; `FAR` if it reads none.
        last: last position that each unit reads; -1 if it reads none.
    """

    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of_input(cls, length: int) -> "Intervals":
        """Those of the input itself: each position reads itself."""
        return cls(np.arange(length, dtype=np.int32), np.arange(length, dtype=np.int32))

    @classmethod
    def unseen(cls) -> "Intervals":
        """One unit that reads nothing."""
        return cls(np.array([FAR], np.int32), np.array([-1], np.int32))

    def __eq__(self, other: object) -> bool:
        return self.units == other.units if isinstance(other, Intervals) else NotImplemented

    @property
    def count(self) -> int:
        """The number of units."""
        return len(self.first)

    @functools.cached_property
    def units(self) -> tuple[Interval, ...]:
        """The interval of each unit; `NOTHING` if it reads none."""
        ends = zip(self.first.tolist(), self.last.tolist(), strict=True)
        return tuple((first, last) if first <= last else NOTHING for first, last in ends)

    def unit(self, number: int) -> Interval:
        """The interval of one unit; `NOTHING` if it reads none."""
        first, last = int(self.first[number]), int(self.last[number])
        return (first, last) if first <= last else NOTHING

    @property
    def start(self) -> Interval:
        """First and last position that the first unit reads; `WHOLE` if there are no units."""
        return (int(self.first[0]), int(self.last[0])) if self.count else WHOLE

    @property
    def largest(self) -> int:
        """The largest number of positions that a unit reads."""
        return int((self.last - self.first).max(initial=-1)) + 1

    @functools.cached_property
    def blind(self) -> bytes:
        """Which units read only padding: a mask, empty if there are none."""
        if not self.count or self.last.min() >= 0:
            return b""
        return np.packbits(self.last < 0).tobytes()

    @functools.cached_property
    def nothing(self) -> bool:
        """Whether all units read only padding."""
        return not self.count or bool(self.last.max() < 0)

    def reading(self, position: int) -> np.ndarray:
        """The numbers of the units that read a position, in order."""
        return np.flatnonzero((self.first <= position) & (position <= self.last))

    def through(self, sampling: Sampling, sizes: Sequence[int]) -> "Intervals":
        """Those of a layer that reads these units through a sampling along their last dimension."""
        first, last = sampling.resolved(sizes[-1]).read(self.first.reshape(sizes), self.last.reshape(sizes))
        return Intervals(first.reshape(-1), last.reshape(-1))

    def hull(self) -> "Intervals":
        """One unit, which reads what all of these read; none if there are none."""
        return Intervals(self.first.min(keepdims=True), self.last.max(keepdims=True)) if self.count else self

    def pooled(self, sizes: Sequence[int], dims: Sequence[int], keep: bool) -> "Intervals":
        """Each unit reads what all units along the dimensions `dims` read; if not `keep`, they are one unit then."""
        shape = [1 if dim in dims and not keep else size for dim, size in enumerate(sizes)]
        first = self.first.reshape(sizes).min(axis=tuple(dims), keepdims=True)
        last = self.last.reshape(sizes).max(axis=tuple(dims), keepdims=True)
        return Intervals(np.broadcast_to(first, shape).reshape(-1), np.broadcast_to(last, shape).reshape(-1))

    def taken(self, numbers: np.ndarray) -> "Intervals":
        """Those of the units with these numbers, an array of any shape."""
        flat = numbers.reshape(-1)
        return Intervals(self.first[flat], self.last[flat])

    def spread(self, count: int) -> "Intervals":
        """So many units, each of which reads what the first unit reads."""
        return Intervals(np.repeat(self.first[:1], count), np.repeat(self.last[:1], count))


def overlaid(branches: Sequence[Intervals]) -> Intervals:
    """What units read that read the unit of the same number of each branch."""
    first = functools.reduce(np.minimum, [branch.first for branch in branches])
    return Intervals(first, functools.reduce(np.maximum, [branch.last for branch in branches]))
