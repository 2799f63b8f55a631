"""Views of a data set: fewer pictures, moved, on a canvas, with their pixels in another order.

Each is decided by a seed alone. NumPy only.
"""

import numpy as np

from lab.declare.recipe import Canvas


def nested_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Indices of all pictures in an order of which every beginning is a stratified random choice.

    Args:
        labels: classes `(n,)`.
        seed: decides the order.

    Returns:
        A permutation of 0 … n-1; its first k hold each class in its share of all, to within a picture.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(labels))
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(places[order], kind="stable")]


def shifted(images: np.ndarray, pixels: int, seed: int = 0) -> np.ndarray:
    """Every picture moved by its own random offset of up to `pixels` along each axis.

    The offsets depend on `seed` alone, so every network is tested on the same pictures. What leaves
    the frame is lost, what enters is black.
    """
    offsets = np.random.default_rng(seed).integers(-pixels, pixels, size=(len(images), 2), endpoint=True)
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    return np.stack(
        [
            picture[pixels - dy : pixels - dy + height, pixels - dx : pixels - dx + width]
            for picture, (dy, dx) in zip(padded, offsets, strict=True)
        ]
    )


def positions(canvas: Canvas, side: int, count: int, seed: int) -> np.ndarray:
    """A place for each picture, see `Canvas`.

    Args:
        canvas: where pictures may lie.
        side: height and width of a picture on the canvas, pixels.
        count: number of pictures.
        seed: decides the places.

    Returns:
        Row and column of each picture's upper left pixel on the canvas, int32 `(count, 2)`.
    """
    highest = limits(canvas, side)
    draws = np.random.default_rng([seed, 2]).integers(highest[0], highest[1], size=(count, 2), endpoint=True)
    return draws.astype("int32")


def limits(canvas: Canvas, side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The lowest and the highest row and column of a picture's upper left pixel."""
    room = canvas.side - side
    middle = room // 2
    match canvas.positions:
        case "centre":
            return (middle, middle), (middle, middle)
        case "left":
            return (0, 0), (room, max(middle - 1, 0))
        case _:
            return (0, 0), (room, room)


def place(images: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Pictures on black canvases.

    Args:
        images: uint8 `(n, height, width, channels)`.
        corners: row and column of each picture's upper left pixel, `(n, 2)`.
        side: height and width of the canvas.

    Returns:
        uint8 `(n, side, side, channels)`.
    """
    count, height, width, channels = images.shape
    placed = np.zeros((count, side, side, channels), images.dtype)
    for canvas, picture, (row, column) in zip(placed, images, corners, strict=True):
        canvas[row : row + height, column : column + width] = picture
    return placed


def scaled(images: np.ndarray, side: int) -> np.ndarray:
    """Pictures at another size, each pixel the mean of what it covers or bilinear between its neighbours.

    Args:
        images: uint8 `(n, height, width, channels)`; every channel is scaled by itself.
        side: height and width wanted.

    Returns:
        uint8 `(n, side, side, channels)`.
    """
    from PIL import Image

    count, height, width, channels = images.shape
    planes = np.moveaxis(images, -1, 1).reshape(-1, height, width)
    sized = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR)) for one in planes]
    return np.ascontiguousarray(np.moveaxis(np.reshape(sized, (count, channels, side, side)), 1, -1))


def pixel_order(pixels: int, seed: int) -> np.ndarray:
    """One random order of a picture's pixels, int32 `(pixels,)`."""
    return np.random.default_rng([seed, 3]).permutation(pixels).astype("int32")


def reordered(images: np.ndarray, order: np.ndarray) -> np.ndarray:
    """All pictures with their pixels in this order, of the same shape."""
    count, height, width, channels = images.shape
    return images.reshape(count, height * width, channels)[:, order].reshape(images.shape)


def shuffled_labels(labels: np.ndarray, seed: int) -> np.ndarray:
    """Every picture with the class of another one, drawn at random: each class as often as before, `(n,)`."""
    return np.random.default_rng([seed, 4]).permutation(labels)


def merged(images: np.ndarray) -> np.ndarray:
    """Pictures of which every channel is the brightest of all their channels, of the same shape."""
    return np.repeat(images.max(axis=-1, keepdims=True), images.shape[-1], axis=-1)
