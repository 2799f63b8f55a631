"""Pictures and labels of a split: chosen, shifted, scaled, shuffled; by a seed alone."""

import numpy as np


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


def shuffled_labels(labels: np.ndarray, seed: int) -> np.ndarray:
    """Every picture with the class of another one, drawn at random: each class as often as before, `(n,)`."""
    return np.random.default_rng([seed, 4]).permutation(labels)


def stratified(labels: np.ndarray, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a fixed split that keeps each class's share; both parts in their original order."""
    from sklearn.model_selection import train_test_split

    kept, out = train_test_split(np.arange(len(labels)), test_size=held_out, stratify=labels, random_state=0)
    return np.sort(kept), np.sort(out)
