"""The networks of the suite, and their analysis without training.

    import cnn_models
    model = cnn_models.build("lenet5-relu")      # an uncompiled keras.Model that returns logits
    cnn_models.MODELS                            # every name, with its source
    cnn_models.open_model("some/file.keras")     # your own model, without running code from the file
    cnn_models.receptive_field(model, "c3")      # of any layer of any Keras model
    print(cnn_models.layer_table(model))         # parameters, MACs, memory and receptive field of each layer

Importing this package does not import Keras; building or analysing a network does.
"""

from typing import TYPE_CHECKING, Any

from cnn_models.loading import open_model
from cnn_models.version import VERSION as __version__
from cnn_models.zoo import MODELS, Architecture, build

if TYPE_CHECKING:
    from cnn_models.analysis.inspector import layer_table, receptive_field

__all__ = ["MODELS", "Architecture", "__version__", "build", "layer_table", "open_model", "receptive_field"]


def __getattr__(name: str) -> Any:
    """Imports the analysis, and with it Keras, when one of its names is first used (PEP 562)."""
    if name not in ("layer_table", "receptive_field"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cnn_models.analysis import inspector

    return getattr(inspector, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
