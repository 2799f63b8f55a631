"""What a network costs: multiply-accumulates (MACs) and activation memory of one picture.

A MAC is one product with a weight and the addition that follows it; a product with a zero of the padding
counts, as in the published numbers. Biases, activations and pooling have no products with weights and
count zero. So does the scale of a normalisation: batch normalisation is an affine map at inference that
can be folded into the weights before it, and the others are counted alike.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from cnn_models.blur import BlurPool2D
from cnn_models.graph import Call, channels, find, trace, unwrapped
from cnn_models.layers import RBFOutput, SparseConv2D, TrainableSubsampling2D
from cnn_models.local import LocallyConnected
from cnn_models.rules import Rule


def macs(model: keras.Model, rules: Mapping[type, Rule] | None = None) -> int:
    """Multiply-accumulates of one picture through a Sequential or Functional network.

    Every call of a shared layer counts.

    Args:
        model: the network.
        rules: how to treat kinds of layers that are not known (see `cnn_models.rules`).

    Raises:
        TypeError: a layer with weights whose cost is not known; pass its rule.
        ValueError: the size of the input is not known.
    """
    counts = [(call.name, call_macs(call, rules or {})) for call in trace(model).calls]
    unknown = [name for name, count in counts if count is None]
    if unknown:
        raise ValueError(f"The MACs of layer '{unknown[0]}' depend on the size of the input, which is not known.")
    return sum(count for _, count in counts if count is not None)


def call_macs(call: Call, rules: Mapping[type, Rule]) -> int | None:
    """Multiply-accumulates of one call of a layer, for one picture; None: they depend on an unknown size.

    Raises:
        TypeError: a layer with weights whose cost is not known.
    """
    call = unwrapped(call)
    own = find(call.layer, rules)
    rule = own.macs if own and own.macs else find(call.layer, MACS)
    if rule is not None:
        return rule(call)
    if not getattr(call.layer, "weights", None):
        return 0
    kind = type(call.layer).__name__
    raise TypeError(
        f"Layer '{call.name}' is a {kind} with weights, and no rule says how often it multiplies by them. Pass one:\n"
        f"    from cnn_models.rules import Rule\n"
        f"    rules = {{{kind}: Rule(sees=..., macs=lambda call: ...)}}    # sees: as for its receptive field"
    )


def memory_bytes(call: Call) -> int | None:
    """Bytes of what one call makes for one picture; None: they depend on an unknown size."""
    sizes = [_times(_itemsize(tensor.dtype), tensor.shape[1:]) for tensor in call.outputs]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _itemsize(dtype: str) -> int:
    """Bytes of one number: the digits in a type's name are its bits."""
    bits = re.search(r"\d+", dtype)
    return max(int(bits.group()) // 8, 1) if bits else 1


def _times(count: int, shape: Sequence[int | None]) -> int | None:
    """`count` for each position of a shape; None if a size is not known."""
    sizes = [size for size in shape if size is not None]
    return count * math.prod(sizes) if len(sizes) == len(shape) else None


def _positions(call: Call, tensor: keras.KerasTensor) -> list[int | None]:
    """The sizes of a tensor along its spatial axes."""
    return [size for axis, size in enumerate(tensor.shape) if axis not in (0, channels(call))]


def _convolution(call: Call) -> int | None:
    """Each position of the output multiplies by every weight of the kernel."""
    return _times(math.prod(call.layer.kernel.shape), _positions(call, call.outputs[0]))


def _separable(call: Call) -> int | None:
    kernels = (call.layer.depthwise_kernel, call.layer.pointwise_kernel)
    return _times(sum(math.prod(kernel.shape) for kernel in kernels), _positions(call, call.outputs[0]))


def _transposed(call: Call) -> int | None:
    """Each position of the input multiplies by every weight of the kernel."""
    return _times(math.prod(call.layer.kernel.shape), _positions(call, call.inputs[0]))


def _dense(call: Call) -> int | None:
    return _times(math.prod(call.layer.kernel.shape), call.outputs[0].shape[1:-1])


def _subsampling(call: Call) -> int | None:
    return _times(call.layer.coefficient.shape[0], _positions(call, call.outputs[0]))


def _prototypes(call: Call) -> int:
    return math.prod(call.layer.prototypes.shape)


def _local(call: Call) -> int:
    """The kernel has its positions among its axes."""
    return math.prod(call.layer.kernel.shape)


def _blur(call: Call) -> int | None:
    """The blur's weights are fixed, but they multiply."""
    return _times(call.layer.size**2, call.outputs[0].shape[1:])


def _free(call: Call) -> int:
    return 0


_KINDS: dict[Callable[[Call], int | None], Sequence[Any]] = {
    _convolution: [
        *(layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D, SparseConv2D),
    ],
    _separable: [layers.SeparableConv1D, layers.SeparableConv2D],
    _transposed: [layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose],
    _dense: [layers.Dense],
    _subsampling: [TrainableSubsampling2D],
    _prototypes: [RBFOutput],
    _local: [LocallyConnected],
    _blur: [BlurPool2D],
    _free: [
        *(layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.RMSNormalization),
        *(layers.Normalization, layers.PReLU, layers.Embedding),
        "keras.src.applications.convnext.LayerScale",
    ],
}
MACS: Mapping[Any, Callable[[Call], int | None]] = {kind: rule for rule, kinds in _KINDS.items() for kind in kinds}
