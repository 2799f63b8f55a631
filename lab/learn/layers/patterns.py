"""How much of its field a channel needs to see."""

import numpy as np

from cnn_models.gradients.targets import Box
from lab.learn.layers.reader import LayerReader, Reading, strongest


def patterns(layer: LayerReader, images: np.ndarray, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """How much of its field a channel needs to see of the pictures that excite it most.

    The field is painted black from outside in, a pixel from each side at a time, until the answer falls
    below half. What remains is the smallest window at which it, and at all larger ones, was still half.

    Returns:
        For each channel the mean over `PATCHES` pictures of the window's side (the root of its pixels within
        the picture; 0 where the answer is still half with all hidden), and of the share of the field's pixels
        that could be hidden, in percent; NaN for a silent channel.
    """
    sides, hidden = np.full((2, layer.channels), np.nan)
    top = strongest(reading)
    for channel in map(int, np.flatnonzero(reading.peak.max(axis=0) > 0)):
        chosen = top[channel][reading.peak[top[channel], channel] > 0]
        places = reading.at[chosen, channel]
        windows = np.stack([_windows(layer.box(row, column), images.shape[1:3]) for row, column in places])
        kept, field = _remaining(layer, images[chosen], windows, places, channel)
        sides[channel], hidden[channel] = np.sqrt(kept).mean(), 100 * (1 - kept / field).mean()
    return sides, hidden


def _remaining(
    layer: LayerReader, images: np.ndarray, windows: np.ndarray, places: np.ndarray, channel: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the smallest window that suffices for a channel at each of some pictures, and of its field.

    Args:
        layer: the channel's.
        images: uint8 `(n, height, width, colours)`.
        windows: what stays of each, from the whole field to nothing, `(n, steps, height, width)`.
        places: row and column of the unit that looks at each, `(n, 2)`.
        channel: its number.
    """
    count, steps = windows.shape[:2]
    shown = np.where(windows[..., np.newaxis], images[:, np.newaxis], 0).astype("uint8")
    maps = layer.maps(shown.reshape(count * steps, *images.shape[1:]))[..., channel]
    each = np.arange(count)
    answers = maps.reshape(count, steps, *maps.shape[1:])[each, :, places[:, 0], places[:, 1]]
    # The first window is the whole field: what it gives is half of itself at least.
    enough = answers >= answers[:, :1] / 2
    last = np.where(enough.all(axis=1), steps - 1, enough.argmin(axis=1) - 1)
    pixels = windows.sum(axis=(2, 3))
    return pixels[each, last], pixels[:, 0]


def _windows(box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The whole field, then a pixel less on each side at a time, then nothing, `(steps, height, width)`."""
    (top, bottom), (left, right) = box
    y, x = np.ogrid[: shape[0], : shape[1]]
    steps = min(bottom - top, right - left) // 2
    shrunk = [(y >= top + i) & (y <= bottom - i) & (x >= left + i) & (x <= right - i) for i in range(steps + 1)]
    return np.stack([*shrunk, np.zeros(shape[:2], bool)])
