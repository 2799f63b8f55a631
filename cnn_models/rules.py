"""The public module of `Rule`, which says what a custom layer sees; see `cnn_models.analysis.rules`."""

from cnn_models.analysis.rules import Rule

__all__ = ["Rule"]
