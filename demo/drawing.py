"""From a drawing to what a network is fed: the steps that made MNIST's pictures.

LeCun 1998, III.A: the digit is scaled into a box of 20×20 pixels, its aspect ratio kept, by an
anti-aliasing that leaves grey levels, and laid on 28×28 pixels so that its centre of mass is in their
middle. (Measured: of the 10,000 test pictures 9,997 fill the box along an axis, and the centre of mass
is within half a pixel of (14, 14), counted from the first pixel's middle.)
"""

import base64
import dataclasses
import io

import numpy as np
import scipy.ndimage
from PIL import Image
from skimage.morphology import skeletonize

CANVAS, SIDE, BOX = 280, 28, 20
LONGEST_TEXT = 4 * CANVAS * CANVAS  # a PNG of noise is shorter
PNG = "data:image/png;base64,"


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing as MNIST would show it.

    Attributes:
        pixels: brightnesses, ink is 255, uint8 `(28, 28)`.
        scale: pixels of the drawing to a pixel of the picture, down and across.
        origin: where on the drawing the picture's upper left corner lies, in pixels, down and across.
    """

    pixels: np.ndarray
    scale: tuple[float, float]
    origin: tuple[float, float]


def read(url: object) -> np.ndarray:
    """How much ink there is at each pixel of a drawing that the page sent, uint8 `(280, 280)`.

    Args:
        url: a `data:` URL of a PNG of 280×280 pixels; its opacity is the ink.

    Raises:
        ValueError: it is anything else.
    """
    if not isinstance(url, str) or not url.startswith(PNG) or len(url) > LONGEST_TEXT:
        raise ValueError(f"A drawing is a {PNG}… URL of at most {LONGEST_TEXT} characters.")
    try:
        image = Image.open(io.BytesIO(base64.b64decode(url[len(PNG) :], validate=True)), formats=["PNG"])
        if image.size == (CANVAS, CANVAS):  # read from the head: nothing larger is ever unpacked
            return np.asarray(image.convert("RGBA"))[..., 3]
    except Exception as error:  # a decoder raises many kinds of what is damaged, or claims to be enormous
        raise ValueError(f"The drawing is not a PNG that can be read: {error}") from error
    raise ValueError(f"A drawing has {CANVAS}×{CANVAS} pixels, not {image.width}×{image.height}.")


def normalise(ink: np.ndarray) -> Picture:
    """Scales and centres a drawing as MNIST's digits were.

    Args:
        ink: uint8 `(height, width)`, 255 where there is ink. Without ink the picture is empty.
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
    """The lines of a drawing, one pixel wide, scaled and placed as the edges of MNIST's digits are.

    Args:
        ink: uint8 `(height, width)`, 255 where there is ink.

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
    row, column = _corner(scipy.ndimage.binary_fill_holes(edges))  # the digit's mass is what its edges enclose
    pixels[row : row + height, column : column + width] = edges
    return pixels


def moved(pixels: np.ndarray, down: int, right: int) -> np.ndarray:
    """A picture moved by whole pixels; paper (0) comes in, what leaves is lost."""
    height, width = pixels.shape
    result = np.zeros_like(pixels)
    if abs(down) < height and abs(right) < width:
        result[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = pixels[
            max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
        ]
    return result


def _corner(digit: np.ndarray) -> tuple[int, int]:
    """Where a digit goes so that its centre of mass is as near (14, 14) as whole pixels, and the frame, allow."""
    weight = digit.astype(float)
    if not weight.any():  # ink so faint that its average is nothing
        weight += 1
    centres = (
        np.average(np.arange(count), weights=weight.sum(axis=1 - axis)) for axis, count in enumerate(digit.shape)
    )
    row, column = (
        min(max(round(SIDE / 2 - centre), 0), SIDE - count) for centre, count in zip(centres, digit.shape, strict=True)
    )
    return row, column
