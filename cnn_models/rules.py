"""`Rule` under the name by which users import it, to say what a layer of theirs sees; the code is in `analysis`."""

from cnn_models.analysis.rules import Rule

__all__ = ["Rule"]
