"""Turns a drawing into the input of a network, in the same way as MNIST's pictures were made.

LeCun 1998, III.A: the digit is scaled to fit a box of 20×20 pixels with its aspect ratio and with anti-aliasing, then
placed on 28×28 pixels with its centre of mass in the middle. We measured that 9,997 of the 10,000 test pictures fill
the box along an axis, and that their centre of mass is within half a pixel of (14, 14), counted from the middle of the
first pixel.
"""

import dataclasses

import numpy as np
import scipy.ndimage
from PIL import Image
from skimage.morphology import skeletonize

from demo import png

CANVAS, SIDE, BOX = 280, 28, 20


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing in the form of MNIST's pictures.

    Attributes:
        pixels: brightnesses, 255 is ink, uint8 `(28, 28)`.
        scale: pixels of the drawing per pixel of the picture, down and across.
        origin: the upper left corner of the picture in pixels of the drawing, down and across.
    """

    pixels: np.ndarray
    scale: tuple[float, float]
    origin: tuple[float, float]


def read(url: object) -> np.ndarray:
    """Reads a drawing that the page sent.

    Args:
        url: a `data:` URL of a PNG of 280×280 pixels; its opacity is the ink.

    Returns:
        The ink at each pixel, uint8 `(280, 280)`.

    Raises:
        ValueError: the argument is not such a URL.
    """
    return png.read(url, CANVAS, "RGBA")[..., 3]


def normalise(ink: np.ndarray) -> Picture:
    """Scales and centres a drawing like MNIST's digits.

    Args:
        ink: uint8 `(height, width)`, 255 is ink.

    Returns:
        The picture; without ink it is empty.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    pixels = np.zeros((SIDE, SIDE), "uint8")
    if not len(rows):
        scale = (ink.shape[0] / SIDE, ink.shape[1] / SIDE)
        return Picture(pixels, scale, (0.0, 0.0))
    top, left = int(rows[0]), int(columns[0])
    sides = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
    height, width = (max(1, round(BOX * side / max(sides))) for side in sides)
    cut = Image.fromarray(ink[top : top + sides[0], left : left + sides[1]])
    digit = np.asarray(cut.resize((width, height), Image.Resampling.BOX))
    row, column = _corner(digit)
    pixels[row : row + height, column : column + width] = digit
    scale = sides[0] / height, sides[1] / width
    return Picture(pixels, scale, (top - row * scale[0], left - column * scale[1]))


def outline(ink: np.ndarray) -> np.ndarray:
    """The lines of a drawing, one pixel wide, scaled and placed like the edges of MNIST's digits.

    Args:
        ink: uint8 `(height, width)`, 255 is ink.

    Returns:
        0 or 255, uint8 `(28, 28)`.
    """
    rows, columns = np.nonzero(skeletonize(ink > 127))
    pixels = np.zeros((SIDE, SIDE), "uint8")
    if not len(rows):
        return pixels
    places = np.stack([rows - rows.min(), columns - columns.min()])
    sides = places.max(axis=1) + 1
    height, width = (max(1, round(BOX * side / max(sides))) for side in sides)
    edges = np.zeros((height, width), "uint8")
    edges[places[0] * height // sides[0], places[1] * width // sides[1]] = 255
    row, column = _corner(scipy.ndimage.binary_fill_holes(edges))  # the digit fills the area that its edges enclose
    pixels[row : row + height, column : column + width] = edges
    return pixels


def moved(pixels: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moves a picture by whole pixels. Pixels that leave it are lost, and the free ones are 0."""
    height, width = pixels.shape
    result = np.zeros_like(pixels)
    if abs(down) < height and abs(right) < width:
        result[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = pixels[
            max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
        ]
    return result


def _corner(digit: np.ndarray) -> tuple[int, int]:
    """The row and column where a digit is placed, so that its centre of mass is as near to (14, 14) as possible."""
    weight = digit.astype(float)
    if not weight.any():  # the ink is so faint that the scaled digit is empty
        weight += 1
    centres = (
        np.average(np.arange(count), weights=weight.sum(axis=1 - axis)) for axis, count in enumerate(digit.shape)
    )
    row, column = (
        min(max(round(SIDE / 2 - centre), 0), SIDE - count) for centre, count in zip(centres, digit.shape, strict=True)
    )
    return row, column
