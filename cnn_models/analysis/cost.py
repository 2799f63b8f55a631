"""What a network costs: multiply-accumulates (MACs) and activation memory of one picture.

A MAC is one product and the addition that follows it. Products with a weight count, and products of two activations
in a matrix product (`cnn_models.analysis.products`). A product with a zero of the padding counts too, as in published
numbers. Biases, activation functions, pooling and element-wise products count zero. So does the scale of a
normalisation: at inference, batch normalisation is an affine map that can be folded into the weights before it, and
other normalisations are counted alike.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from cnn_models.analysis.graph import Call, channels, find, operands, trace, unwrapped
from cnn_models.analysis.products import activation_products, computed, times
from cnn_models.analysis.rules import Rule
from cnn_models.layers.blur import BlurPool2D
from cnn_models.layers.lecun1998 import RBFOutput, SparseConv2D, TrainableSubsampling2D
from cnn_models.layers.local import LocallyConnected


def macs(model: keras.Model, rules: Mapping[type, Rule] | None = None) -> int:
    """Counts the multiply-accumulates of a network for one picture.

    Every call of a shared layer counts.

    Args:
        model: a Sequential or Functional model.
        rules: rules for custom layers (see `cnn_models.analysis.rules`).

    Raises:
        TypeError: the cost of a layer is not known; pass a rule for it.
        ValueError: the cost depends on a size of the input that is not known.
    """
    return sum(_counted(call, rules or {}) for call in trace(model).calls)


def _counted(call: Call, rules: Mapping[type, Rule]) -> int:
    """Counts the multiply-accumulates of one call of a layer; raises an error if they are not known."""
    count = call_macs(call, rules)
    if count is not None:
        return count
    if any(None in tensor.shape[1:] for tensor in (*call.inputs, *call.outputs)):
        raise ValueError(f"The MACs of layer '{call.name}' depend on the size of the input, which is not known.")
    raise TypeError(_unknown(call))


def call_macs(call: Call, rules: Mapping[type, Rule]) -> int | None:
    """Counts the multiply-accumulates of one call of a layer for one picture.

    Returns:
        The count; None if it depends on an unknown size, or if no rule says how often the layer multiplies activations.

    Raises:
        TypeError: the layer has weights and no rule.
    """
    call = unwrapped(call)
    own = find(call.layer, rules)
    if own and own.macs:
        return own.macs(call)
    rule = find(call.layer, MACS)
    if rule is None and getattr(call.layer, "weights", None):
        raise TypeError(_unknown(call))
    counts = (rule(call) if rule else 0, activation_macs(call, rules))
    return None if None in counts else sum(count for count in counts if count is not None)


def activation_macs(call: Call, rules: Mapping[type, Rule]) -> int | None:
    """Counts the multiply-accumulates of one call that are products of two activations; None if not known."""
    call = unwrapped(call)
    own = find(call.layer, rules)
    rule = own.activation_macs if own and own.activation_macs else activation_products(call.layer)
    return rule(call) if rule else None


def _unknown(call: Call) -> str:
    kind = type(call.layer).__name__
    weights = " with weights" if getattr(call.layer, "weights", None) else ""
    return (
        f"Layer '{call.name}' is a {kind}{weights}, and no rule says how often it multiplies. Pass one:\n"
        f"    from cnn_models.analysis.rules import Rule\n"
        f"    rules = {{{kind}: Rule(sees=..., macs=lambda call: ...)}}    # sees: as for its receptive field"
    )


def memory_bytes(call: Call) -> int | None:
    """The size in bytes of a call's outputs for one picture; None if it depends on an unknown size."""
    sizes = [times(_itemsize(tensor.dtype), tensor.shape[1:]) for tensor in call.outputs]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _itemsize(dtype: str) -> int:
    """Bytes of one number. The name of a dtype contains its number of bits."""
    bits = re.search(r"\d+", dtype)
    return max(int(bits.group()) // 8, 1) if bits else 1


def _positions(call: Call, tensor: keras.KerasTensor) -> list[int | None]:
    """The sizes of a tensor along its spatial axes."""
    return [size for axis, size in enumerate(tensor.shape) if axis not in (0, channels(call))]


def _convolution(call: Call) -> int | None:
    """Each position of the output multiplies by every weight of the kernel."""
    return times(math.prod(call.layer.kernel.shape), _positions(call, call.outputs[0]))


def _separable(call: Call) -> int | None:
    kernels = (call.layer.depthwise_kernel, call.layer.pointwise_kernel)
    return times(sum(math.prod(kernel.shape) for kernel in kernels), _positions(call, call.outputs[0]))


def _transposed(call: Call) -> int | None:
    """Each position of the input multiplies by every weight of the kernel."""
    return times(math.prod(call.layer.kernel.shape), _positions(call, call.inputs[0]))


def _dense(call: Call) -> int | None:
    return times(math.prod(call.layer.kernel.shape), call.outputs[0].shape[1:-1])


def _subsampling(call: Call) -> int | None:
    return times(call.layer.coefficient.shape[0], _positions(call, call.outputs[0]))


def _prototypes(call: Call) -> int:
    return math.prod(call.layer.prototypes.shape)


def _local(call: Call) -> int:
    """The axes of the kernel include the output positions."""
    return math.prod(call.layer.kernel.shape)


def _blur(call: Call) -> int | None:
    """The blur's weights are constants, but each is multiplied with an input."""
    return times(call.layer.size**2, call.outputs[0].shape[1:])


def _free(call: Call) -> int:
    return 0


def _projections(call: Call) -> int | None:
    """Query, key, value and output have a kernel each; each position multiplies by every weight of its kernel."""
    query, value, key = operands(call)
    names = {"query": query, "key": key, "value": value, "output": query, "gate": query}
    found = [(getattr(call.layer, f"_{name}_dense", None), tensor) for name, tensor in names.items()]
    counts = [times(math.prod(part.kernel.shape), tensor.shape[1:-1]) for part, tensor in found if part is not None]
    return None if None in counts else sum(count for count in counts if count is not None)


def _additive_attention(call: Call) -> int | None:
    """Each pair of a query and a key multiplies by the scale, if there is one."""
    query, _, key = operands(call)
    return times(1, (*query.shape[1:], key.shape[-2])) if call.layer.use_scale else 0


def _constant_matrix(call: Call) -> int | None:
    """A matrix product with one operand that is a weight or a constant."""
    first, second = call.arguments[0]
    if computed(first) and computed(second):
        return 0
    return times(1, (*call.outputs[0].shape[1:], first.shape[-1]))


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
    _projections: [layers.MultiHeadAttention, layers.GroupQueryAttention],
    _additive_attention: [layers.AdditiveAttention],
    _constant_matrix: ["keras.src.ops.numpy.Matmul", "keras.src.ops.numpy.Dot"],
    _free: [
        layers.Attention,
        *(layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.RMSNormalization),
        *(layers.Normalization, layers.PReLU, layers.Embedding),
        "keras.src.applications.convnext.LayerScale",
    ],
}
MACS: Mapping[Any, Callable[[Call], int | None]] = {kind: rule for rule, kinds in _KINDS.items() for kind in kinds}
