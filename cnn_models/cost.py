"""What a network costs: multiply-accumulates (MACs) of one forward pass on one picture.

A MAC is one product with a weight and the addition that follows it. Biases, activations and
pooling have no products with weights and count zero.
"""

import math

import keras

from cnn_models.blur import BlurPool2D
from cnn_models.layers import RBFOutput, SparseConv2D, TrainableSubsampling2D
from cnn_models.local import LocallyConnected

FREE = (
    keras.layers.InputLayer,
    keras.layers.Activation,
    keras.layers.AveragePooling2D,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.MaxPooling2D,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
)


def macs(model: keras.Model) -> int:
    """Multiply-accumulates of one picture through a sequential network.

    Raises:
        TypeError: a layer whose cost is not known; add its rule to `layer_macs`.
    """
    return sum(layer_macs(layer) for layer in model.layers)


def layer_macs(layer: keras.Layer) -> int:
    """Multiply-accumulates of one layer for one picture (positions times weights used at each)."""
    if isinstance(layer, FREE):
        return 0
    positions = math.prod(layer.output.shape[1:-1])
    match layer:
        case keras.layers.Conv2D() | keras.layers.Dense() | SparseConv2D():
            return positions * math.prod(layer.kernel.shape)
        case TrainableSubsampling2D():
            return positions * layer.coefficient.shape[0]
        case LocallyConnected():
            return math.prod(layer.kernel.shape)  # has its positions among its axes
        case BlurPool2D():
            return positions * layer.size**2 * layer.output.shape[-1]  # fixed weights are weights
        case RBFOutput():
            return math.prod(layer.prototypes.shape)
    raise TypeError(f"The MACs of layer '{layer.name}' ({type(layer).__name__}) are not known: add a rule to cost.py.")
