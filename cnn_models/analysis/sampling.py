"""Which positions each unit of a layer reads along one axis: windows, transposed convolutions, upsampling.

Integers only, no framework. Units and positions are numbered from 0; a position that is negative or
beyond the end lies in the padding.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Protocol


class Sampling(Protocol):
    """Which positions of its input each unit of a layer reads, along one axis."""

    @property
    def anchored(self) -> bool:
        """Whether the positions are known exactly."""
        ...

    @property
    def steps(self) -> tuple[int, int]:
        """Moving by how many units moves what is read by how many positions: (positions, units)."""
        ...

    def taps(self, unit: int) -> Sequence[int]:
        """The positions read by `unit`, also those in the padding (negative, or beyond the end)."""
        ...

    def length(self, positions: int) -> int:
        """The number of units over an input of `positions` positions."""
        ...

    def reads(self, unit: int, positions: int) -> Sequence[int]:
        """The positions of an input of `positions` positions whose values reach `unit`."""
        return [tap for tap in self.taps(unit) if 0 <= tap < positions]


@dataclasses.dataclass(frozen=True)
class Window(Sampling):
    """A sliding window: convolution, pooling, and (with kernel 1) zero padding or cropping.

    Attributes:
        kernel: taps of the window.
        stride: positions between the windows of neighbouring units.
        dilation: positions between neighbouring taps.
        before: positions of padding in front; negative numbers crop.
        after: positions of padding behind; negative numbers crop.
        anchored: False if `before` depends on an input length that is not known.
    """

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    anchored: bool = True

    @property
    def extent(self) -> int:
        """Positions from the first tap to the last."""
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
    """A window over an input that is mirrored about its first and its last position (padding by reflection).

    A window of even size at the end of the input reads a mirrored position that it does not contain.
    """

    def reads(self, unit: int, positions: int) -> Sequence[int]:  # noqa: D102
        turn = 2 * (positions - 1)
        return [min(tap % turn, -tap % turn) if turn else 0 for tap in self.taps(unit)]


def same(kernel: int, stride: int, dilation: int, positions: int | None) -> Window:
    """The window of TensorFlow's `same` padding.

    The padding is p = max((⌈n/s⌉ - 1)·s + k - n, 0) in all, ⌊p/2⌋ of it in front, for n positions,
    stride s and k = (kernel - 1)·dilation + 1 (source: TensorFlow, `tf.nn.convolution`).

    Args:
        kernel: taps of the window.
        stride: positions between the windows of neighbouring units.
        dilation: positions between neighbouring taps.
        positions: n, or None if it is not known. The padding then depends on n modulo s; the window
            is anchored if all remainders put the same padding in front.
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

    Neighbouring units fall on different taps, so their fields differ; the pattern repeats after
    `stride` units.

    Attributes:
        kernel: taps of the kernel.
        stride: units between the contributions of neighbouring positions.
        dilation: units between neighbouring taps.
        crop: units cut off in front.
        extra: units of n positions beyond (n - 1)·stride.
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
    """Upsampling by a whole factor, about the centres of positions and units.

    Attributes:
        factor: units per position.
        radius: half the support of the interpolating kernel in positions: 0 repeats the nearest
            position, 1 is linear, 2 cubic, 3 and 5 Lanczos. These kernels are zero at whole
            distances, so a unit on top of a position reads that position alone.
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
    """Groups of neighbours: each unit reads all positions of its group, and none of the other groups.

    Attributes:
        positions: positions of one group.
        units: units of one group.
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
