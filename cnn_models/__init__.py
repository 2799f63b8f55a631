"""The networks of the suite, and what can be known of them without training.

    import cnn_models
    model = cnn_models.build("lenet5-relu")      # an uncompiled keras.Model that returns logits
    cnn_models.MODELS                            # every name, with its source

Importing this package does not import Keras; building a network does.
"""

from cnn_models.zoo import MODELS, Architecture, build

__all__ = ["MODELS", "Architecture", "build"]
