"""The public module of `BlurPool2D`; the code is in `cnn_models.layers.blur`."""

from cnn_models.layers.blur import BlurPool2D

__all__ = ["BlurPool2D"]
