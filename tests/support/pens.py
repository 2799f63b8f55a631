"""Turns pictures of digits into strokes: follows the middle line of each as a pen would."""

import numpy as np
from skimage.morphology import skeletonize
from skimage.transform import resize

NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))


def strokes(picture, side=280, margin=0):
    """The strokes that draw a picture of a digit.

    Args:
        picture: brightnesses, uint8 `(28, 28)`.
        side: side of the canvas in pixels.
        margin: pixels by which all points are moved right and down.

    Returns:
        Lists of points `(x, y)`.
    """
    large = resize(picture.astype(float), (side // 2, side // 2), order=1)
    left = {(int(r), int(c)) for r, c in np.argwhere(skeletonize(large > 110))}
    drawn = []
    while left:
        # Start at an end of a line, if there is one: it has one neighbour.
        start = min(left, key=lambda place: (len(_around(place, left)), place))
        drawn.append([_point(place, margin) for place in _walk(start, left)])
    return drawn


def _walk(place, left):
    """Follows a line from a place, removing its places from `left`."""
    path = [place]
    left.discard(place)
    while nearest := _around(path[-1], left):
        path.append(nearest[0])
        left.discard(nearest[0])
    return path


def _around(place, left):
    """The neighbours of a place that are in `left`."""
    return [other for step in NEIGHBOURS if (other := (place[0] + step[0], place[1] + step[1])) in left]


def _point(place, margin):
    return (2 * place[1] + 1 + margin, 2 * place[0] + 1 + margin)
