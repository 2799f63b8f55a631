"""What a network costs: multiply-accumulates (MACs) and activation memory of one picture.

A MAC is one product and the addition that follows it. Products with a weight count, and products of two activations
in a matrix product (`cnn_models.analysis.products`). A product with a zero of the padding counts too, as in published
numbers. Biases, activation functions, pooling, Fourier transforms and element-wise products count zero. So does the
scale of a normalisation: at inference, batch normalisation is an affine map that can be folded into the weights before
it, and other normalisations are counted alike.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras

from cnn_models.analysis.families.common import argument, of_layers, of_operations
from cnn_models.analysis.families.contractions import terms_of
from cnn_models.analysis.graph import Call, channels, find, operands, sizes, trace, unwrapped
from cnn_models.analysis.products import activation_products, contraction, dot_products, times
from cnn_models.analysis.rules import Rules, is_leaf


def macs(model: keras.Model, rules: Rules | None = None) -> int:
    """Counts the multiply-accumulates of a network for one picture.

    Every call of a shared layer counts.

    Args:
        model: a model; custom layers and subclassed models are opened if their `call` works on symbolic tensors.
        rules: rules for custom layers (see `cnn_models.analysis.rules`).

    Raises:
        TypeError: the cost of some layers is not known; pass rules for them.
        ValueError: the cost depends on a size of the input that is not known.
    """
    rules = rules or {}
    counts = [(call, call_macs(call, rules).total) for call in trace(model, is_leaf(rules)).calls]
    unknown = [call for call, count in counts if count is None]
    open_sizes = [call for call in unknown if any(None in t.shape[1:] for t in (*call.inputs, *call.outputs))]
    if open_sizes:
        raise ValueError(
            f"The MACs of layer '{open_sizes[0].name}' depend on the size of the input, which is not known."
        )
    if unknown:
        raise TypeError(_unknown(unknown))
    return sum(count for _, count in counts if count is not None)


class Macs(NamedTuple):
    """Multiply-accumulates of one call for one picture.

    Attributes:
        weights: products with a weight or a constant.
        activations: products of two activations.

    Each is None if it depends on an unknown size, or if no rule says how often the layer multiplies.
    """

    weights: int | None
    activations: int | None

    @property
    def total(self) -> int | None:
        """Both together."""
        return None if self.weights is None or self.activations is None else self.weights + self.activations


def call_macs(call: Call, rules: Rules) -> Macs:
    """Counts the multiply-accumulates of one call of a layer for one picture."""
    call = unwrapped(call)
    own = find(call.layer, rules)
    if own and own.macs:
        total, activations = own.macs(call), own.activation_macs(call) if own.activation_macs else 0
        return Macs(None if total is None or activations is None else total - activations, activations)
    rule = find(call.layer, MACS)
    of_activations = own.activation_macs if own and own.activation_macs else activation_products(call.layer)
    free = of_activations is not None and not getattr(call.layer, "weights", None)
    weights = rule(call) if rule else 0 if free else None
    return Macs(weights, of_activations(call) if of_activations else None)


def _unknown(calls: Sequence[Call]) -> str:
    kinds: dict[str, Call] = {}
    for call in calls:
        kinds.setdefault(type(call.layer).__name__, call)
    names = "; ".join(
        f"Layer '{call.name}' is a {kind}{' with weights' if getattr(call.layer, 'weights', None) else ''}"
        for kind, call in kinds.items()
    )
    entries = ", ".join(f"{kind}: Rule(sees=..., macs=lambda call: ...)" for kind in kinds)
    return (
        f"{names}, and no rule says how often it multiplies. Pass one:\n"
        f"    from cnn_models.rules import Rule\n"
        f"    rules = {{{entries}}}    # sees: as for its receptive field"
    )


def activation_bytes(call: Call, dtype: str | None = None) -> int | None:
    """The size in bytes of a call's outputs for one picture; None if it depends on an unknown size.

    Args:
        call: the call.
        dtype: the type in place of that of real numbers; None: the model's own.
    """
    counts = [times(item_size(tensor.dtype, dtype), sizes(tensor)) for tensor in call.outputs]
    return None if None in counts else sum(count for count in counts if count is not None)


def item_size(dtype: str, real: str | None = None) -> int:
    """Bytes of one number of a type, or of the type `real` in place of a type of real numbers.

    The name of a dtype contains its number of bits.
    """
    bits = re.search(r"\d+", real if real and "float" in dtype else dtype)
    return max(int(bits.group()) // 8, 1) if bits else 1


def _positions(call: Call, tensor: keras.KerasTensor) -> list[int | None]:
    """The sizes of a tensor along its spatial axes."""
    return [size for axis, size in enumerate(tensor.shape) if axis not in (0, channels(call))]


def _convolution(call: Call) -> int | None:
    """Each position of the output multiplies by every weight of the kernel."""
    return times(math.prod(call.layer.kernel.shape), _positions(call, call.outputs[0]))


def _convolution_operation(call: Call) -> int | None:
    return times(math.prod(argument(call, "kernel").shape), _positions(call, call.outputs[0]))


def _separable(call: Call) -> int | None:
    kernels = (call.layer.depthwise_kernel, call.layer.pointwise_kernel)
    return times(sum(math.prod(kernel.shape) for kernel in kernels), _positions(call, call.outputs[0]))


def _separable_operation(call: Call) -> int | None:
    kernels = [argument(call, f"{name}_kernel") for name in ("depthwise", "pointwise")]
    return times(sum(math.prod(kernel.shape) for kernel in kernels), _positions(call, call.outputs[0]))


def _transposed(call: Call) -> int | None:
    """Each position of the input multiplies by every weight of the kernel."""
    return times(math.prod(call.layer.kernel.shape), _positions(call, call.inputs[0]))


def _transposed_operation(call: Call) -> int | None:
    return times(math.prod(argument(call, "kernel").shape), _positions(call, call.inputs[0]))


def _dense(call: Call) -> int | None:
    """From the shapes, because a quantised kernel may hold several weights in one number."""
    return times(1, (*sizes(call.outputs[0]), call.inputs[0].shape[-1]))


def _einsum_dense(call: Call) -> int | None:
    kernel = tuple(call.layer.original_kernel_shape if hasattr(call.layer, "original_kernel_shape") else ())
    kernel = kernel or tuple(call.layer.kernel.shape)
    terms, _ = terms_of(call.layer.equation, [call.rank, len(kernel)])
    known = dict(zip(terms[1], kernel, strict=True)) | dict(zip(terms[0], sizes(call.inputs[0]), strict=True))
    return times(1, known.values())


def _recurrent(call: Call) -> int | None:
    """Each step multiplies by every weight of both kernels."""
    layer = call.layer
    both = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else [layer]
    cells = [each.cell for each in both]
    if not all(hasattr(cell, "kernel") and hasattr(cell, "recurrent_kernel") for cell in cells):
        return None
    counts = [math.prod(kernel.shape) for cell in cells for kernel in (cell.kernel, cell.recurrent_kernel)]
    return times(sum(counts), call.inputs[0].shape[1:2])


def _convolutional_recurrent(call: Call) -> int | None:
    cell, shape = call.layer.cell, call.outputs[0].shape
    places = shape[-call.layer.cell.rank :] if cell.data_format == "channels_first" else shape[-cell.rank - 1 : -1]
    kernels = math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape)
    return times(kernels, (call.inputs[0].shape[1], *places))


def _reversible_embedding(call: Call) -> int | None:
    """A row of a table costs nothing; the product with the whole table does."""
    if not argument(call, "reverse", False):
        return 0
    return times(1, (*sizes(call.outputs[0]), call.inputs[0].shape[-1]))


def _subsampling(call: Call) -> int | None:
    return times(call.layer.coefficient.shape[0], _positions(call, call.outputs[0]))


def _prototypes(call: Call) -> int:
    return math.prod(call.layer.prototypes.shape)


def _local(call: Call) -> int:
    """The axes of the kernel include the output positions."""
    return math.prod(call.layer.kernel.shape)


def _blur(call: Call) -> int | None:
    """The blur's weights are constants, but each is multiplied with an input."""
    return times(call.layer.size**2, sizes(call.outputs[0]))


def _free(call: Call) -> int:
    return 0


def _projections(call: Call) -> int | None:
    """Query, key, value and output have a kernel each; each position multiplies by every weight of its kernel."""
    query, value, key = operands(call)
    names = {"query": query, "key": key, "value": value, "output": query, "gate": query}
    found = [(getattr(call.layer, f"_{name}_dense", None), tensor) for name, tensor in names.items()]
    counts = [times(math.prod(part.kernel.shape), sizes(tensor)[:-1]) for part, tensor in found if part is not None]
    return None if None in counts else sum(count for count in counts if count is not None)


def _additive_attention(call: Call) -> int | None:
    """Each pair of a query and a key multiplies by the scale, if there is one."""
    query, _, key = operands(call)
    return times(1, (*sizes(query), key.shape[-2])) if call.layer.use_scale else 0


def _constant_product(call: Call) -> int | None:
    return contraction(call, of_activations=False)


def _constant_attention(call: Call) -> int | None:
    return dot_products(call, of_activations=False)


def _named(names: str) -> list[Any]:
    """The layers of one, two and three dimensions."""
    return of_layers(" ".join(name.replace("#", n) for name in names.split() for n in "123"))


_KINDS: dict[Callable[[Call], int | None], Sequence[Any]] = {
    _convolution: [*_named("Conv#D DepthwiseConv#D"), "cnn_models.layers.lecun1998.SparseConv2D"],
    _convolution_operation: of_operations("nn", "Conv DepthwiseConv"),
    _separable: _named("SeparableConv#D"),
    _separable_operation: of_operations("nn", "SeparableConv"),
    _transposed: _named("Conv#DTranspose"),
    _transposed_operation: of_operations("nn", "ConvTranspose"),
    _dense: of_layers("Dense"),
    _einsum_dense: of_layers("EinsumDense"),
    _recurrent: of_layers("LSTM GRU SimpleRNN RNN Bidirectional"),
    _convolutional_recurrent: _named("ConvLSTM#D"),
    _reversible_embedding: of_layers("ReversibleEmbedding"),
    _subsampling: ["cnn_models.layers.lecun1998.TrainableSubsampling2D"],
    _prototypes: ["cnn_models.layers.lecun1998.RBFOutput"],
    _local: ["cnn_models.layers.local.LocallyConnected"],
    _blur: ["cnn_models.layers.blur.BlurPool2D"],
    _projections: of_layers("MultiHeadAttention GroupQueryAttention"),
    _additive_attention: of_layers("AdditiveAttention"),
    _constant_attention: of_operations("nn", "DotProductAttention"),
    _constant_product: of_operations("numpy", "Matmul Dot Einsum Tensordot"),
    _free: [
        *of_layers("Attention BatchNormalization LayerNormalization GroupNormalization RMSNormalization"),
        *of_layers("Normalization PReLU Embedding"),
        "keras.src.applications.convnext.LayerScale",
    ],
}
MACS: Mapping[Any, Callable[[Call], int | None]] = {kind: rule for rule, kinds in _KINDS.items() for kind in kinds}
