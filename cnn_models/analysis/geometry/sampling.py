"""Samplings: which positions each unit of a layer reads along one axis (windows, transposed convolutions, upsampling).

Integers only, no framework. Units and positions are numbered from 0. A position that is negative or beyond the end lies
in the padding.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

Places = slice | np.ndarray
FAR = np.iinfo(np.int32).max
"""The first position of a unit that reads nothing; its last position is -1."""


class Sampling(Protocol):
    """Says which positions of its input each unit of a layer reads, along one axis."""

    @property
    def steps(self) -> tuple[int, int]:
        """(positions, units): moving by `units` units moves the positions that are read by `positions`."""
        ...

    def taps(self, unit: int) -> Sequence[int]:
        """The positions that `unit` reads, including those in the padding (negative, or beyond the end)."""
        ...

    def length(self, positions: int) -> int:
        """The number of units for an input of `positions` positions."""
        ...

    @property
    def modulus(self) -> int:
        """The sampling and the remainder of its length depend on the number of positions by its remainder by this."""
        return abs(self.steps[0])

    @property
    def varies(self) -> bool:
        """Whether the positions that a unit reads depend on the number of positions."""
        return False

    @property
    def endless(self) -> bool:
        """Whether the sampling means the same for an input without borders."""
        return True

    def resolved(self, positions: int) -> "Sampling":
        """The sampling for an input of `positions` positions."""
        return self

    def pairs(self, positions: int) -> Iterator[tuple[Places, Places]]:
        """Pairs of units and of the positions that they read, one a unit; together all that lies in the input."""
        inward, outward = self.steps
        units = self.length(positions)
        for phase in range(min(outward, units)):
            count = -(-(units - phase) // outward)
            for tap in self.taps(phase):
                start = max(0, -(tap // inward))
                stop = min(count, (positions - 1 - tap) // inward + 1)
                if start < stop:
                    yield (
                        slice(phase + outward * start, phase + outward * (stop - 1) + 1, outward),
                        slice(tap + inward * start, tap + inward * (stop - 1) + 1, inward),
                    )

    def read(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last position of what each unit reads; the arguments are those of what it reads.

        Args:
            first: `(…, positions)`; the sampling is along the last axis.
            last: as `first`.
        """
        positions = first.shape[-1]
        shape = (*first.shape[:-1], self.length(positions))
        lowest, highest = np.full(shape, FAR, np.int32), np.full(shape, -1, np.int32)
        for units, places in self.pairs(positions):
            if isinstance(units, slice):  # without a copy
                low, high = lowest[..., units], highest[..., units]
                np.minimum(low, first[..., places], out=low)
                np.maximum(high, last[..., places], out=high)
            else:
                lowest[..., units] = np.minimum(lowest[..., units], first[..., places])
                highest[..., units] = np.maximum(highest[..., units], last[..., places])
        return lowest, highest


@dataclasses.dataclass(frozen=True)
class Window(Sampling):
    """A sliding window: convolution, pooling, and (with kernel 1) zero padding or cropping.

    Attributes:
        kernel: number of taps of the window.
        stride: positions from one unit's window to the next.
        dilation: positions from one tap to the next.
        before: positions of padding in front; a negative number crops.
        after: positions of padding behind; a negative number crops.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def extent(self) -> int:
        """Number of positions from the first tap to the last, both included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return self.stride, 1

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        first = unit * self.stride - self.before
        return range(first, first + self.extent, self.dilation)

    def length(self, positions: int) -> int:  # noqa: D102
        return max((positions + self.before + self.after - self.extent) // self.stride + 1, 0)


@dataclasses.dataclass(frozen=True)
class Mirrored(Window):
    """A window over an input that is mirrored at its first and its last position (padding by reflection).

    At the end of the input, a window of even size reads a mirrored position that lies outside the window.

    Attributes:
        twice: the first and the last position are repeated in their mirror image (symmetric padding).
    """

    twice: bool = False

    def pairs(self, positions: int) -> Iterator[tuple[Places, Places]]:  # noqa: D102
        units = np.arange(self.length(positions))
        turn = 2 * positions if self.twice else max(2 * (positions - 1), 1)
        for tap in self.taps(0):
            places = (units * self.stride + tap) % turn
            yield slice(None), np.minimum(places, turn - self.twice - places)


@dataclasses.dataclass(frozen=True)
class Same(Sampling):
    """The window of TensorFlow's `same` padding over an input of any length; see `same`."""

    kernel: int
    stride: int
    dilation: int

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return self.stride, 1

    @property
    def varies(self) -> bool:  # noqa: D102
        return len({self.resolved(positions).before for positions in range(1, self.stride + 1)}) > 1

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        raise TypeError("The padding depends on the number of positions: use `resolved`.")

    def length(self, positions: int) -> int:  # noqa: D102
        return -(-positions // self.stride)

    def resolved(self, positions: int) -> Window:  # noqa: D102
        extent = (self.kernel - 1) * self.dilation + 1
        total = max((self.length(positions) - 1) * self.stride + extent - positions, 0)
        return Window(self.kernel, self.stride, self.dilation, before=total // 2, after=total - total // 2)

    def pairs(self, positions: int) -> Iterator[tuple[Places, Places]]:  # noqa: D102
        return self.resolved(positions).pairs(positions)


def same(kernel: int, stride: int, dilation: int, positions: int | None) -> Window | Same:
    """The window of TensorFlow's `same` padding.

    For n positions, stride s and k = (kernel - 1)·dilation + 1, the total padding is p = max((⌈n/s⌉ - 1)·s + k - n, 0);
    ⌊p/2⌋ of it is in front (source: TensorFlow, `tf.nn.convolution`).

    Args:
        kernel: number of taps of the window.
        stride: positions from one unit's window to the next.
        dilation: positions from one tap to the next.
        positions: n; None if not known. Then the padding depends on n modulo s.
    """
    window = Same(kernel, stride, dilation)
    return window if positions is None else window.resolved(positions)


@dataclasses.dataclass(frozen=True)
class Transposed(Sampling):
    """A transposed convolution: tap t of position i adds to unit i·stride + t·dilation - crop.

    Neighbouring units read with different taps, so their fields differ; the pattern repeats after `stride` units.

    Attributes:
        kernel: number of taps of the kernel.
        stride: units from the contribution of one position to that of the next.
        dilation: units from one tap to the next.
        crop: units that are cut off in front.
        extra: n positions give (n - 1)·stride + extra units.
    """

    kernel: int
    stride: int
    dilation: int
    crop: int
    extra: int

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return 1, self.stride

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        offsets = [unit + self.crop - tap * self.dilation for tap in range(self.kernel)]
        return [offset // self.stride for offset in offsets if offset % self.stride == 0]

    def length(self, positions: int) -> int:  # noqa: D102
        return (positions - 1) * self.stride + self.extra


@dataclasses.dataclass(frozen=True)
class Resampling(Sampling):
    """Resizing by a rational factor; positions and units are aligned by their centres (half-pixel centres).

    Attributes:
        factor: units for each `divisor` positions.
        radius: half the width of the interpolation kernel, in positions: 0 takes the nearest position, 1 is
            linear, 2 cubic, 3 and 5 Lanczos. These kernels are zero at integer distances, so a unit at the
            centre of a position reads only that position.
        divisor: see `factor`; 1 unless pictures are resized by a fraction.
    """

    factor: int
    radius: int = 0
    divisor: int = 1

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return self.divisor, self.factor

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        centre = (2 * unit + 1) * self.divisor  # in halves of a unit, from the edge of the first position
        if self.radius == 0:
            return (centre // (2 * self.factor),)
        left, rest = divmod(centre - self.factor, 2 * self.factor)
        return range(left - self.radius + 1, left + self.radius + 1) if rest else (left,)

    def length(self, positions: int) -> int:  # noqa: D102
        return positions * self.factor // self.divisor


@dataclasses.dataclass(frozen=True)
class Groups(Sampling):
    """Groups of neighbours: each unit reads all positions of its group and no others.

    Attributes:
        positions: number of positions in a group.
        units: number of units in a group.
    """

    positions: int
    units: int

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return self.positions, self.units

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        first = unit // self.units * self.positions
        return range(first, first + self.positions)

    def length(self, positions: int) -> int:  # noqa: D102
        return positions // self.positions * self.units


@dataclasses.dataclass(frozen=True)
class Rolled(Sampling):
    """Units moved by `shift`; those that leave at one end come back at the other."""

    shift: int

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return 1, 1

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        return (unit - self.shift,)

    def length(self, positions: int) -> int:  # noqa: D102
        return positions

    def pairs(self, positions: int) -> Iterator[tuple[Places, Places]]:  # noqa: D102
        yield slice(None), (np.arange(positions) - self.shift) % max(positions, 1)


@dataclasses.dataclass(frozen=True)
class Flipped(Sampling):
    """The units of an input of `positions` positions, the last one first."""

    positions: int

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return -1, 1

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        return (self.positions - 1 - unit,)

    def length(self, positions: int) -> int:  # noqa: D102
        return positions

    def pairs(self, positions: int) -> Iterator[tuple[Places, Places]]:  # noqa: D102
        yield slice(None), slice(None, None, -1)


@dataclasses.dataclass(frozen=True)
class Table(Sampling):
    """Any other sampling of an input of known length; it means nothing for an input without borders.

    Attributes:
        rows: for each unit, the positions that it reads.
    """

    rows: tuple[tuple[int, ...], ...]

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return 1, 1

    @property
    def endless(self) -> bool:  # noqa: D102
        return False

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        return self.rows[unit]

    def length(self, positions: int) -> int:  # noqa: D102
        return len(self.rows)

    def pairs(self, positions: int) -> Iterator[tuple[Places, Places]]:  # noqa: D102
        for tap in range(max(map(len, self.rows), default=0)):
            units = np.array([unit for unit, row in enumerate(self.rows) if tap < len(row)], int)
            yield units, np.array([self.rows[unit][tap] for unit in units], int)


@dataclasses.dataclass(frozen=True)
class Prefix(Sampling):
    """Each unit reads its own position and all before it, as in a recurrent layer."""

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return 1, 1

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        return (unit,)  # and endlessly many before it, see `views.View.through`

    def length(self, positions: int) -> int:  # noqa: D102
        return positions

    def read(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: D102
        return np.minimum.accumulate(first, axis=-1), np.maximum.accumulate(last, axis=-1)
