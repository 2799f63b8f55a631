"""The field of a layer that reads several tensors: element by element, or concatenated."""

from collections.abc import Iterable, Sequence

from cnn_models.analysis.geometry import axis_changes
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.layout import Layout
from cnn_models.analysis.geometry.line import Line
from cnn_models.analysis.geometry.parts import Part, united
from cnn_models.analysis.geometry.sampling import Window


def meet(
    fields: Sequence[ReceptiveField],
    along: int | None = None,
    counts: Sequence[int | None] = (),
    shape: Sequence[int | None] = (),
    apart: bool = False,
) -> ReceptiveField:
    """The field of a layer that combines several tensors element by element, or concatenates them.

    Args:
        fields: the fields of tensors of the same rank. An axis with one unit is broadcast.
        along: the axis along which the tensors are concatenated; None: they are combined element by element.
        counts: for a concatenation, the size of each tensor along that axis.
        shape: the shape of the result; by default, as large as the largest tensor along each axis.
        apart: for a concatenation along an axis along which no units differ so far: whether units of different tensors
            are told apart. The channels of a picture are not.
    """
    if all(field is fields[0] for field in fields) and along is None:
        return fields[0]
    unknown = tuple(dict.fromkeys(reason for field in fields for reason in field.unknown))
    if along is not None:
        return ReceptiveField(united(_concatenated(fields, along, counts, apart)), unknown)
    parts = [part for field in fields for part in field.parts]
    shape = shape or _largest(parts)
    return ReceptiveField(united([tuple(line.broadcast(shape) for line in part) for part in parts]), unknown)


def _largest(parts: Iterable[Part]) -> list[int | None]:
    """The largest size along each axis of a tensor along which units differ; 1 elsewhere."""
    digits = [digit for part in parts for line in part for digit in line.layout.digits]
    rank = max((digit.place for digit in digits), default=-1) + 1
    sizes = [{digit.total for digit in digits if digit.place == place} for place in range(rank)]
    return [None if None in size else max((n for n in size if n is not None), default=1) for size in sizes]


def _concatenated(
    fields: Sequence[ReceptiveField], along: int, counts: Sequence[int | None], apart: bool
) -> list[Part]:
    """The parts of tensors that are concatenated along an axis. Through each, the units of the others read nothing."""
    distinct = [k for k in range(len(fields[0].axes)) if any(along in p[k].places for f in fields for p in f.parts)]
    if apart and not distinct and any(field is not fields[0] for field in fields):
        distinct = [0]
    parts = []
    empty = [field.axes and all(axis.nothing for axis in field.axes) for field in fields]
    for number, field in enumerate(fields):
        for part in field.parts if not empty[number] or all(empty) else ():
            own = [k for k in distinct if along in part[k].places] or distinct[:1]
            parts.append(
                tuple(_beside(line, along, counts, number) if k in own else line for k, line in enumerate(part))
            )
    return parts


def _beside(line: Line, along: int, counts: Sequence[int | None], number: int) -> Line:
    """The line of one of several concatenated tensors."""
    sizes = [count for count in counts if count is not None]
    if not line.known or len(sizes) < len(counts):
        layout = line.layout if line.places else Layout.plain(along, None)
        return Line(axis_changes.undefined(line.axis), layout).shuffled()
    axis, dims = line.separated(along, counts[number])
    window = Window(before=sum(sizes[:number]), after=sum(sizes[number + 1 :]))
    layout = line.layout.without({along}).followed_by(along, sum(sizes))
    return Line(axis_changes.sampled(axis, dims, window), layout)
