"""Where the units of an axis are in a tensor: the number of a unit, digit by digit, from its place in the tensor."""

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np


class Digit(NamedTuple):
    """An axis of a tensor as one digit of a unit's number: index i has the digit (i // block) % size.

    Attributes:
        place: the axis of the tensor.
        size: number of values; None if not known.
        block: neighbouring indices with the same value. It is 1, and `size` is `total`, unless a reshape has merged
            the axis with another.
        total: size of the tensor's axis; None if not known.
    """

    place: int
    size: int | None
    block: int
    total: int | None


@dataclasses.dataclass(frozen=True)
class Layout:
    """The number of a unit from its place in the tensor.

    Attributes:
        digits: of the number, the slowest first. Without digits, all units are one.
    """

    digits: tuple[Digit, ...] = ()

    @classmethod
    def plain(cls, place: int, count: int | None) -> "Layout":
        """That of units that are numbered along one axis of the tensor."""
        return cls((Digit(place, count, 1, count),))

    @classmethod
    def unordered(cls, places: Iterable[int]) -> "Layout":
        """That of units along some axes of the tensor, in an order that is not known."""
        return cls(tuple(Digit(place, None, 1, None) for place in sorted(places)))

    @property
    def places(self) -> frozenset[int]:
        """The axes of the tensor along which units differ."""
        return frozenset(digit.place for digit in self.digits)

    @property
    def sizes(self) -> list[int]:
        """The number of values of each digit; 1 if it is not known."""
        return [digit.size or 1 for digit in self.digits]

    @property
    def repeats(self) -> bool:
        """Whether the units are along one axis of the tensor, in order, each several times."""
        if len(self.digits) != 1:
            return False
        (digit,) = self.digits
        return digit.block * (digit.size or 0) == digit.total

    def is_plain(self, place: int) -> bool:
        """Whether the units are numbered along one axis of the tensor, this one."""
        if len(self.digits) != 1:
            return False
        (digit,) = self.digits
        return digit.place == place and digit.block == 1 and digit.size == digit.total

    def length(self, place: int) -> int | None:
        """The size of an axis of the tensor; None if it is not known, or units do not differ along it."""
        return next((digit.total for digit in self.digits if digit.place == place), None)

    def without(self, places: Collection[int]) -> "Layout":
        """The digits along the other axes of the tensor."""
        return Layout(tuple(digit for digit in self.digits if digit.place not in places))

    def followed_by(self, place: int, count: int | None) -> "Layout":
        """The layout with one more digit, the fastest: an axis of the tensor."""
        return Layout((*self.digits, Digit(place, count, 1, count)))

    def moved(self, places: Mapping[int, int | None]) -> "Layout":
        """The layout with other numbers of the tensor's axes; those that get none are left out."""
        found = [(digit, places.get(digit.place)) for digit in self.digits]
        return Layout(tuple(digit._replace(place=place) for digit, place in found if place is not None))

    def number(self, index: Mapping[int, int]) -> int:
        """The number of the unit at a place of the tensor.

        Raises:
            ValueError: the index lacks an axis along which units differ.
            IndexError: the tensor has no such unit.
        """
        for place, _, _, total in self.digits:
            if place not in index:
                raise ValueError(f"The units differ along axis {place} of the tensor: give an index for it.")
            if not 0 <= index[place] < (total or 0):
                raise IndexError(f"Axis {place} of the tensor has {total} units, none with the index {index[place]}.")
        number = 0
        for place, size, block, _ in self.digits:
            number = number * (size or 1) + index[place] // block % (size or 1)
        return number

    def numbers(self, grid: Mapping[int, np.ndarray]) -> np.ndarray:
        """The numbers of the units at many places; `grid` has the index along each axis, and all broadcast."""
        found = np.zeros((), int)
        for place, size, block, _ in self.digits:
            found = found * (size or 1) + grid[place] // block % (size or 1)
        return found

    def numbers_along(self, place: int, length: int) -> np.ndarray:
        """The numbers of the units with one dimension for each digit of the other axes and, the last, one for an axis.

        Args:
            place: the axis.
            length: its size.
        """
        sizes = [*self.without({place}).sizes, length]
        *others, along = np.ogrid[tuple(map(slice, sizes))]
        rest = iter(others)
        found = np.zeros((), int)
        for digit in self.digits:
            size = digit.size or 1
            found = found * size + (along // digit.block % size if digit.place == place else next(rest))
        return np.broadcast_to(found, sizes)

    def copies(self, like: "Layout") -> int | None:
        """How many neighbouring units of another layout are in the place of one of these; None: it is not a number."""
        rest = like.digits[len(self.digits) :]
        if self.digits + rest == like.digits:
            return math.prod(Layout(rest).sizes)
        if self.repeats and like.is_plain(self.digits[0].place):
            return self.digits[0].block
        return None
