"""Locally connected layers under the name by which users import them; the code is in `layers`."""

from cnn_models.layers.local import LocallyConnected1D, LocallyConnected2D

__all__ = ["LocallyConnected1D", "LocallyConnected2D"]
