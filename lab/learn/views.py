"""Views of the pictures: altered, grey, on a canvas, with merged channels, with shuffled pixels.

Each is one class with two halves that show the same: NumPy's for whole splits that are read, and one within
a graph for batches of training pictures.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from lab.declare.recipe import Canvas, View
from lab.learn import alterations

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some pictures of a batch of training pictures.

    Attributes:
        places: their places in the training split, int32 `(n,)`.
        seed: two integers. What is random is drawn for the whole batch, so that it does not depend on how
            many replicas share it.
        first: place of the first of them within the batch.
        whole: size of the batch.
    """

    places: tf.Tensor
    seed: tf.Tensor
    first: tf.Tensor | int
    whole: tf.Tensor | int


class Transform:
    """One way of showing pictures.

    Args:
        shape: of what is shown: height, width and channels.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def allocate(self, count: int) -> None:
        """Makes the variables for what a seed decides of so many training pictures, if anything."""

    def reset(self, seed: int) -> None:
        """Training pictures are shown as in a run of this seed from now on."""

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """A whole split, uint8 `(n, height, width, channels)`, as it is shown in a run of this seed."""
        raise NotImplementedError

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Training pictures, uint8 or float32 `(n, height, width, channels)`, as they are shown, within a graph."""
        raise NotImplementedError


class OnCanvas(Transform):
    """Each picture somewhere on a larger black canvas, see `Canvas`."""

    def __init__(self, canvas: Canvas, shape: Shape) -> None:
        super().__init__((canvas.side, canvas.side, shape[2]))
        self.canvas, self.side = canvas, shape[0]

    def allocate(self, count: int) -> None:
        """Room for a corner of each picture."""
        self._corners = tf.Variable(tf.zeros([count, 2], tf.int32), trainable=False)

    def reset(self, seed: int) -> None:
        """Draws the corners."""
        self._corners.assign(positions(self.canvas, self.side, self._corners.shape[0], seed))

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """See `Transform`."""
        return place(images, positions(self.canvas, self.side, len(images), seed), self.canvas.side)

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """See `Transform`."""
        corners = self._moving(batch) if self.canvas.moving else tf.gather(self._corners, batch.places)
        return place_in_graph(images, corners, self.canvas.side)

    def _moving(self, batch: Batch) -> tf.Tensor:
        """Corners that are drawn anew each time a picture is shown."""
        low, high = (tf.constant(limit, tf.float32) for limit in limits(self.canvas, self.side))
        draws = tf.random.stateless_uniform([batch.whole, 2], batch.seed + 1)
        return tf.floor(low + draws[batch.first : batch.first + tf.size(batch.places)] * (high - low + 1))


class Altered(Transform):
    """Each picture after an alteration, see `lab.learn.alterations`."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(shape)
        self.name = name

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """See `Transform`."""
        return alterations.altered(images, self.name, seed)

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """See `Transform`."""
        draws = tf.random.stateless_uniform([batch.whole, alterations.draws_of(self.name, self.shape)], batch.seed + 3)
        return alterations.alter(images, self.name, draws[batch.first : batch.first + tf.size(batch.places)])


class Grey(Transform):
    """One channel: the luminance."""

    def __init__(self, shape: Shape) -> None:
        super().__init__((*shape[:2], 1))

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """See `Transform`."""
        return np.asarray(alterations.luminance(images)).astype("uint8")

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """See `Transform`."""
        return alterations.luminance(images)


class MergedChannels(Transform):
    """Every channel of a picture is the brightest of all its channels."""

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """See `Transform`."""
        return np.repeat(images.max(axis=-1, keepdims=True), images.shape[-1], axis=-1)

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """See `Transform`."""
        return tf.repeat(tf.reduce_max(images, axis=3, keepdims=True), self.shape[2], axis=3)


class ShuffledPixels(Transform):
    """The pixels of all pictures in one random order."""

    def allocate(self, count: int) -> None:
        """Room for the order."""
        self._order = tf.Variable(tf.range(self.shape[0] * self.shape[1]), trainable=False)

    def reset(self, seed: int) -> None:
        """Draws the order."""
        self._order.assign(self.order(seed))

    def order(self, seed: int) -> np.ndarray:
        """The order that a seed draws, int32 `(pixels,)`."""
        return np.random.default_rng([seed, 3]).permutation(self.shape[0] * self.shape[1]).astype("int32")

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """See `Transform`."""
        order = self.order(seed)
        return images.reshape(len(images), len(order), -1)[:, order].reshape(images.shape)

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """See `Transform`."""
        flat = tf.reshape(images, [-1, self._order.shape[0], self.shape[2]])
        return tf.reshape(tf.gather(flat, self._order, axis=1), [-1, *self.shape])


class Chain(Transform):
    """Several views, one after another; none shows the pictures as they are."""

    def __init__(self, views: list[Transform], shape: Shape) -> None:
        super().__init__(shape)
        self.views = views

    def allocate(self, count: int) -> None:
        """See `Transform`."""
        for view in self.views:
            view.allocate(count)

    def reset(self, seed: int) -> None:
        """See `Transform`."""
        for view in self.views:
            view.reset(seed)

    def split(self, images: np.ndarray, seed: int) -> np.ndarray:
        """See `Transform`."""
        for view in self.views:
            images = view.split(images, seed)
        return images

    def batch(self, images: tf.Tensor, batch: Batch) -> tf.Tensor:
        """See `Transform`."""
        for view in self.views:
            images = view.batch(images, batch)
        return images


def transform_of(view: View, shape: Shape) -> Transform:
    """How pictures of this shape are shown; a new kind of view is a class, and two lines here."""
    views: list[Transform] = []
    if view.alteration:
        views.append(Altered(view.alteration, shape))
    if view.grey:
        views.append(Grey(shape))
        shape = views[-1].shape
    if view.canvas:
        views.append(OnCanvas(view.canvas, shape))
        shape = views[-1].shape
    if view.merged_channels:
        views.append(MergedChannels(shape))
    if view.shuffled_pixels:
        views.append(ShuffledPixels(shape))
    return Chain(views, shape)


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


def place_in_graph(images: tf.Tensor, corners: tf.Tensor, side: int) -> tf.Tensor:
    """Pictures on black canvases, as `place` does, within a graph.

    Args:
        images: `(batch, height, width, channels)`, uint8 or float32.
        corners: row and column of each picture's upper left pixel, whole numbers `(batch, 2)`.
        side: height and width of the canvas.

    Returns:
        Pictures `(batch, side, side, channels)` of the same type.
    """
    row, column = tf.unstack(-tf.cast(corners, tf.float32), axis=1)
    one, zero = tf.ones_like(row), tf.zeros_like(row)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([one, zero, column, zero, one, row, zero, zero], axis=1),
        output_shape=[side, side],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )
