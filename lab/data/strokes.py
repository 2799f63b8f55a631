"""Drawings as strokes: the ndjson formats of Quick, Draw!, and their pictures.

A line is one drawing: a JSON object with `word`, `key_id`, `recognized` and `drawing`, a list of
strokes. A stroke is `[xs, ys]` (the simplified format, integers 0 to 255) or `[xs, ys, ts]` (the raw one:
screen pixels and milliseconds). NumPy and Pillow only.
"""

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

SIDE = 28  # height and width of a picture, pixels
BOX = 256  # side of the simplified format's square
PADDING = 16  # around the square, and
LINE = 16  # width of a line, in the square's units, as Google drew its bitmaps (its issue 19)
FINE = 8  # a picture is drawn so many times larger, then each pixel is the mean of what it covers
FARTHEST = 1e9  # from the origin along an axis: beyond, squares of lengths would not be exact, or no number at all
PARTS = 3  # channels of `in_order`

Stroke = np.ndarray  # float64 `(points, 2)`, x and y


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One drawing: its class, its key, whether Google's own net recognised it, and its strokes in order."""

    word: str
    key: str
    recognised: bool
    strokes: tuple[Stroke, ...]


class Malformed(ValueError):
    """A line is not a drawing; the message says why."""


@dataclasses.dataclass
class Lines:
    """The drawings of a file's lines; a malformed line is named, skipped and counted.

    Attributes:
        name: of the file, for messages.
        lines: its lines, in order.
        malformed: how many were skipped so far.
    """

    name: str
    lines: Iterable[str | bytes]
    malformed: int = 0

    def __iter__(self) -> Iterator[Drawing]:
        for number, line in enumerate(self.lines, start=1):
            if not line.strip():
                continue
            try:
                yield parse(line)
            except Malformed as reason:
                self.malformed += 1
                print(f"{self.name}, line {number}: {reason}. It is skipped.", file=sys.stderr)


def parse(line: str | bytes) -> Drawing:
    """The drawing of one line, of either format.

    Raises:
        Malformed: it is none.
    """
    try:
        found = json.loads(line)
        word, strokes = found["word"], found["drawing"]
    except (ValueError, RecursionError) as error:  # what is not UTF-8 is a ValueError too
        raise Malformed(f"not JSON ({error})") from error
    except (KeyError, TypeError) as error:
        raise Malformed("not an object with 'word' and 'drawing'") from error
    if not isinstance(word, str) or not isinstance(strokes, list) or not strokes:
        raise Malformed("'word' is no text, or 'drawing' no list of strokes")
    points = tuple(_stroke(number, stroke) for number, stroke in enumerate(strokes, start=1))
    return Drawing(word, str(found.get("key_id", "")), found.get("recognized") is True, points)


def _stroke(number: int, stroke: Any) -> Stroke:
    if not isinstance(stroke, list) or len(stroke) not in (2, 3):
        raise Malformed(f"stroke {number} is not [xs, ys] or [xs, ys, ts]")
    if not all(isinstance(axis, list) and axis for axis in stroke) or len(set(map(len, stroke))) > 1:
        raise Malformed(f"stroke {number}: its axes are empty or not of one length")
    if not all(type(value) in (int, float) for axis in stroke for value in axis):
        raise Malformed(f"stroke {number}: what should be a number is none")
    try:
        return _numbers(stroke[:2]).T
    except Malformed as reason:
        raise Malformed(f"stroke {number}: {reason}") from reason


def stroke_of(points: Any) -> Stroke:
    """A stroke from pairs of x and y, whoever sent them.

    Raises:
        Malformed: they are not such pairs, or a number is none, infinite, or beyond ±`FARTHEST`.
    """
    stroke = _numbers(points)
    if stroke.ndim != 2 or stroke.shape[1] != 2:
        raise Malformed("its points are not pairs of numbers")
    return stroke


def _numbers(values: Any) -> np.ndarray:
    try:
        numbers = np.array(values, "float64")
    except OverflowError as error:
        raise Malformed("a number is too large") from error
    except (ValueError, TypeError) as error:
        raise Malformed("its points are not pairs of numbers") from error
    if not (np.abs(numbers) <= FARTHEST).all():  # what is no number is not, either
        raise Malformed("a number is too large")
    return numbers


def flat(strokes: tuple[Stroke, ...]) -> np.ndarray:
    """A drawing as Google's bitmaps show it, uint8 `(28, 28)`: 0 paper, 255 ink."""
    return _inked(_framed(strokes))


def in_order(strokes: tuple[Stroke, ...]) -> np.ndarray:
    """A drawing with the order of its strokes as channels.

    Returns:
        uint8 `(28, 28, 3)`: what was drawn in the first, the second and the last third of the pen's way
        on paper. The brightest of the three channels is the drawing.
    """
    return np.stack([_inked(part) for part in _thirds(_framed(strokes))], axis=-1)


def _framed(strokes: tuple[Stroke, ...]) -> list[Stroke]:
    """The strokes in pixels of the large picture: in proportion, the longer side 255 units, in the middle."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 255 / max(float((high - low).max()), 1e-9)
    pixel = SIDE * FINE / (BOX + 2 * PADDING + LINE)
    middle = (low + high) / 2
    return [((stroke - middle) * scale * pixel) + SIDE * FINE / 2 for stroke in strokes]


def _thirds(strokes: list[Stroke]) -> list[list[Stroke]]:
    """The strokes cut where a third and two thirds of their length are drawn."""
    lengths = [float(_steps(stroke).sum()) for stroke in strokes]
    whole = sum(lengths)
    parts: list[list[Stroke]] = [[] for _ in range(PARTS)]
    done = 0.0
    for stroke, length in zip(strokes, lengths, strict=True):
        for number, part in enumerate(parts):
            begin, end = (whole * (number + more) / PARTS - done for more in (0, 1))
            last = number == PARTS - 1
            # A dot has no length: it belongs to the third in which the pen was when it made it.
            if (begin < length and end > 0) or (length == 0 and begin <= 0 and (end > 0 or last)):
                part.append(_cut(stroke, max(begin, 0.0), min(end, length)))
        done += length
    return parts


def _steps(stroke: Stroke) -> np.ndarray:
    return np.sqrt((np.diff(stroke, axis=0) ** 2).sum(axis=1))


def _cut(stroke: Stroke, begin: float, end: float) -> Stroke:
    """The stroke's part between two lengths along it."""
    along = np.concatenate([[0.0], np.cumsum(_steps(stroke))])
    inner = stroke[(along > begin) & (along < end)]
    ends = [[np.interp(place, along, axis) for axis in stroke.T] for place in (begin, end)]
    return np.concatenate([ends[:1], inner, ends[1:]])


def _inked(strokes: list[Stroke]) -> np.ndarray:
    """Round-ended lines on a large picture, brought to 28×28."""
    from PIL import Image, ImageDraw

    large = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pen = ImageDraw.Draw(large)
    width = LINE * SIDE * FINE / (BOX + 2 * PADDING + LINE)
    for stroke in strokes:
        points = [tuple(point) for point in stroke]
        pen.line(points, fill=255, width=round(width))
        for x, y in points:  # round ends and joints
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return np.asarray(large.reduce(FINE))
