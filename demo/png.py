"""Pictures that the page sends."""

import base64
import io

import numpy as np
from PIL import Image

PREFIX = "data:image/png;base64,"
BYTES_PER_PIXEL = 6  # a PNG of noise has fewer, also with its transparency
BASE64 = 4 / 3  # characters for a byte


def longest(side: int) -> int:
    """How many characters the URL of a picture has at most."""
    return int(BASE64 * BYTES_PER_PIXEL * side * side)


def read(url: object, side: int, mode: str) -> np.ndarray:
    """Reads a picture that the page sent.

    Args:
        url: a `data:` URL of a PNG.
        side: its height and width in pixels.
        mode: of Pillow, what its colours are converted to: "RGB" or "RGBA".

    Returns:
        Brightnesses, uint8 `(side, side, 3 or 4)`.

    Raises:
        ValueError: the argument is not such a URL.
    """
    if not isinstance(url, str) or not url.startswith(PREFIX) or len(url) > longest(side):
        raise ValueError(f"A picture is a {PREFIX}… URL of at most {longest(side):,} characters.")
    try:
        image = Image.open(io.BytesIO(base64.b64decode(url[len(PREFIX) :], validate=True)), formats=["PNG"])
        if image.size == (side, side):  # the size is in the file's header: a larger picture is never decompressed
            return np.asarray(image.convert(mode))
    except Exception as error:  # damaged or enormous pictures raise many kinds of errors
        raise ValueError(f"The picture is not a PNG that can be read: {error}") from error
    raise ValueError(f"A picture has {side}×{side} pixels, not {image.width}×{image.height}.")
