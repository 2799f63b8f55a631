"""The public module of the locally connected layers; the code is in `cnn_models.layers.local`."""

from cnn_models.layers.local import LocallyConnected1D, LocallyConnected2D

__all__ = ["LocallyConnected1D", "LocallyConnected2D"]
