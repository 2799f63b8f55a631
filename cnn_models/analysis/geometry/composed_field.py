"""What the units of a tensor see of an input, composed from layer to layer; without a framework."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cnn_models.analysis.geometry import axis_changes
from cnn_models.analysis.geometry.axis import Axis
from cnn_models.analysis.geometry.cases import UNSEEN
from cnn_models.analysis.geometry.layout import Layout
from cnn_models.analysis.geometry.line import Line
from cnn_models.analysis.geometry.parts import Part, Positions, axes_of_input, positions_of, united
from cnn_models.analysis.geometry.reshapes import reshaped
from cnn_models.analysis.geometry.sampling import Sampling

if TYPE_CHECKING:
    from typing import Self  # not in Python 3.10


@dataclasses.dataclass(frozen=True)
class ComposedField:
    """What the units of one tensor see, and how layers change it: rules are composed of these methods.

    Attributes:
        parts: the fields through different paths; a unit's field is the smallest rectangle that contains
            them. Two parts are kept apart if they differ in which units read nothing but padding,
            since such a unit has no rectangle, or in the axes of the tensor along which their units differ.
        unknown: what is not known of the layers before this tensor; then nothing is known of its field.
    """

    parts: tuple[Part, ...]
    unknown: tuple[object, ...] = ()

    @classmethod
    def of_input(cls, lengths: Mapping[int, int | None]) -> "Self":
        """The field of the input itself; `lengths` maps its spatial axes to their sizes."""
        equal: dict[int | None, Axis] = {length: Axis.of_input(length) for length in lengths.values()}
        return cls((tuple(Line(equal[length], Layout.plain(place, length)) for place, length in lengths.items()),))

    @classmethod
    def unseen(cls, lengths: Iterable[int | None]) -> "Self":
        """The field of a tensor that does not depend on an input of these sizes."""
        return cls((tuple(Line(Axis.unseen(length), Layout()) for length in lengths),))

    def forgotten(self, reasons: Iterable[object]) -> "Self":
        """The field of a tensor behind layers of which it is not known what they see."""
        axes = (axis_changes.undefined(dataclasses.replace(axis, intervals=None)) for axis in self.axes)
        parts = (tuple(Line(axis, Layout()) for axis in axes),)
        return dataclasses.replace(self, parts=parts, unknown=tuple(dict.fromkeys(reasons)))

    @property
    def depends(self) -> bool:
        """Whether a unit sees anything of the input, as far as is known."""
        return bool(self.unknown) or any(axis.views != UNSEEN for axis in self.axes)

    @functools.cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The field along each spatial axis of the input, over all paths together.

        Where paths lead to different axes of the tensor, the order of the units is not described.
        """
        return axes_of_input(self.parts)

    @functools.cached_property
    def positions(self) -> Positions:
        """For each spatial axis of the input, the axis of the tensor along which units see different positions of it.

        None if all units see the same; several axes after a reshape that splits the axis.
        """
        return positions_of(self.parts)

    # "Axes" below are axes of the tensor.

    def through(self, samplings: Mapping[int, Sampling]) -> "Self":
        """The field of a layer that reads these units through a sampling along some axes (as a convolution does)."""
        return self._each(
            lambda line: functools.reduce(lambda seen, each: seen.through(*each), samplings.items(), line)
        )

    def mixed(self, positions: Collection[int]) -> "Self":
        """Each unit now sees what all units along these axes saw (as after a normalisation along them)."""
        return self._each(lambda line: line.pooled(positions, keep=True))

    def collapsed(self, positions: Collection[int]) -> "Self":
        """Like `mixed`, and these axes no longer distinguish units (as after a dense layer)."""
        return self._each(lambda line: line.pooled(positions, keep=False))

    def moved(self, places: Mapping[int, int | None], shuffled: Collection[int] = ()) -> "Self":
        """Renumbers the axes by `places`; the order of the units along the axes in `shuffled` is lost."""
        return self._each(lambda line: line.moved(places, shuffled))

    def reshaped(self, before: Sequence[int | None], after: Sequence[int | None]) -> "Self":
        """The field of the same units in a tensor of another shape.

        Args:
            before: the shape, with the batch.
            after: the new shape, with the batch.
        """
        return self._each(lambda line: reshaped(line, before, after))

    def _each(self, change: Callable[[Line], Line]) -> "Self":
        parts = [tuple(map(change, part)) for part in self.parts]
        if all(new is old for pair in zip(parts, self.parts, strict=True) for new, old in zip(*pair, strict=True)):
            return self
        return dataclasses.replace(self, parts=united(parts))
