"""Samplings: which positions each unit of a layer reads along one axis (windows, transposed convolutions, upsampling).

Integers only, no framework. Units and positions are numbered from 0. A position that is negative or beyond the end lies
in the padding.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Protocol


class Sampling(Protocol):
    """Says which positions of its input each unit of a layer reads, along one axis."""

    @property
    def anchored(self) -> bool:
        """Whether the positions are known exactly."""
        ...

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

    def reads(self, unit: int, positions: int) -> Sequence[int]:
        """The positions that `unit` reads of an input of `positions` positions, without padding."""
        return [tap for tap in self.taps(unit) if 0 <= tap < positions]


@dataclasses.dataclass(frozen=True)
class Window(Sampling):
    """A sliding window: convolution, pooling, and (with kernel 1) zero padding or cropping.

    Attributes:
        kernel: number of taps of the window.
        stride: positions from one unit's window to the next.
        dilation: positions from one tap to the next.
        before: positions of padding in front; a negative number crops.
        after: positions of padding behind; a negative number crops.
        anchored: False if `before` depends on an unknown input length.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    anchored: bool = True

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
    """

    def reads(self, unit: int, positions: int) -> Sequence[int]:  # noqa: D102
        turn = 2 * (positions - 1)
        return [min(tap % turn, -tap % turn) if turn else 0 for tap in self.taps(unit)]


def same(kernel: int, stride: int, dilation: int, positions: int | None) -> Window:
    """The window of TensorFlow's `same` padding.

    For n positions, stride s and k = (kernel - 1)·dilation + 1, the total padding is p = max((⌈n/s⌉ - 1)·s + k - n, 0);
    ⌊p/2⌋ of it is in front (source: TensorFlow, `tf.nn.convolution`).

    Args:
        kernel: number of taps of the window.
        stride: positions from one unit's window to the next.
        dilation: positions from one tap to the next.
        positions: n; None if not known. Then the padding depends on n modulo s, and the window is anchored if the
            padding in front is the same for all remainders.
    """
    window = Window(kernel, stride, dilation)
    lengths = [positions] if positions is not None else range(1, stride + 1)
    totals = [max((math.ceil(n / stride) - 1) * stride + window.extent - n, 0) for n in lengths]
    fronts = {total // 2 for total in totals}
    before = min(fronts)
    return dataclasses.replace(window, before=before, after=totals[0] - before, anchored=len(fronts) == 1)


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
    anchored = True

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
    """Upsampling by an integer factor; positions and units are aligned by their centres (half-pixel centres).

    Attributes:
        factor: units per position.
        radius: half the width of the interpolation kernel, in positions: 0 repeats the nearest position, 1 is
            linear, 2 cubic, 3 and 5 Lanczos. These kernels are zero at integer distances, so a unit at the
            centre of a position reads only that position.
    """

    factor: int
    radius: int = 0
    anchored = True

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return 1, self.factor

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        if self.radius == 0:
            return (unit // self.factor,)
        left, rest = divmod(2 * unit + 1 - self.factor, 2 * self.factor)
        return range(left - self.radius + 1, left + self.radius + 1) if rest else (left,)

    def length(self, positions: int) -> int:  # noqa: D102
        return positions * self.factor


@dataclasses.dataclass(frozen=True)
class Groups(Sampling):
    """Groups of neighbours: each unit reads all positions of its group and no others.

    Attributes:
        positions: number of positions in a group.
        units: number of units in a group.
    """

    positions: int
    units: int
    anchored = True

    @property
    def steps(self) -> tuple[int, int]:  # noqa: D102
        return self.positions, self.units

    def taps(self, unit: int) -> Sequence[int]:  # noqa: D102
        first = unit // self.units * self.positions
        return range(first, first + self.positions)

    def length(self, positions: int) -> int:  # noqa: D102
        return positions // self.positions * self.units
