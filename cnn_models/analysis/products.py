"""Counts products of two activations in one call of a layer, as opposed to products with weights.

Matrix products count: attention, `Dot`, `keras.ops.matmul` and the like. Element-wise products (a gate, a scale) do
not, as in the published numbers of networks with squeeze and excitation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from cnn_models.analysis.graph import Call, find, operands
from cnn_models.analysis.layer_rules import SEES

Macs = Callable[[Call], int | None]
Shape = tuple[int | None, ...]


def times(count: int, shape: Sequence[int | None]) -> int | None:
    """`count` times the number of positions of a shape; None if a size is not known."""
    sizes = [size for size in shape if size is not None]
    return count * math.prod(sizes) if len(sizes) == len(shape) else None


def activation_products(layer: Any) -> Macs | None:
    """Returns the function that counts a layer's products of activations; None if there is no rule for the layer."""
    rule = find(layer, ACTIVATION_MACS)
    if rule is not None or find(layer, _NOT_COUNTED):
        return rule
    return _none if find(layer, SEES) or type(layer).__module__ in _MODULES else None


def _none(call: Call) -> int:
    return 0


def _matrix_product(call: Call) -> int | None:
    """Each number of the output sums over the last axis of the first operand."""
    first, second = call.arguments[0]
    return times(1, (*call.outputs[0].shape[1:], first.shape[-1])) if computed(first) and computed(second) else 0


def computed(value: Any) -> bool:
    """Whether an argument is computed from the model's inputs, and is no weight or constant."""
    return isinstance(value, keras.KerasTensor)


def _dot(call: Call) -> int | None:
    axis = call.layer.axes if isinstance(call.layer.axes, int) else call.layer.axes[0]
    return times(1, (*call.outputs[0].shape[1:], call.inputs[0].shape[axis]))


def _einsum(call: Call) -> int | None:
    """One product for each combination of indices. With three or more operands, the count depends on their order."""
    terms, arrow, _ = call.layer.subscripts.replace(" ", "").partition("->")
    pairs = list(zip(terms.split(","), call.arguments[0], strict=True))
    batch = {term[0] for term, operand in pairs if computed(operand)}
    if len(pairs) > 2 or not arrow or "." in terms or len(batch) > 1:
        return None
    sizes = {letter: size for term, operand in pairs for letter, size in zip(term, operand.shape, strict=True)}
    return times(1, [size for letter, size in sizes.items() if letter not in batch]) if len(call.inputs) == 2 else 0


def _attention(call: Call) -> int | None:
    """Each query is multiplied with each key, over the length of a vector; then each score with each value."""
    query, value, key = (operand.shape for operand in operands(call))
    scores = 0 if getattr(call.layer, "score_mode", "dot") == "concat" else key[-1]
    return None if scores is None or value[-1] is None else times(scores + value[-1], (*query[1:-1], key[-2]))


def _additive_attention(call: Call) -> int | None:
    """Scores are sums of hyperbolic tangents, so only the products of scores and values count."""
    query, value, _ = (operand.shape for operand in operands(call))
    return times(1, (*query[1:-1], *value[-2:]))


def _heads(call: Call) -> int | None:
    query, _, key = (operand.shape for operand in operands(call))
    count = call.layer.num_heads * (call.layer.key_dim + call.layer.value_dim)
    return times(count, (*query[1:-1], *(key[axis] for axis in call.layer.attention_axes)))


def _grouped_heads(call: Call) -> int | None:
    """Keys and values are repeated, so that each head of the query has its own."""
    query, _, key = (operand.shape for operand in operands(call))
    return times(call.layer.num_query_heads * 2 * call.layer.head_dim, (query[1], key[1]))


def _dot_product_attention(call: Call) -> int | None:
    """Query, key and value have shape `(batch, positions, heads, length of a vector)`."""
    query, key, value = call.arguments[0][:3]
    return times(2, (*query.shape[1:], key.shape[1])) if all(map(computed, (query, key, value))) else None


ACTIVATION_MACS: Mapping[Any, Macs] = {
    layers.Dot: _dot,
    layers.Attention: _attention,
    layers.AdditiveAttention: _additive_attention,
    layers.MultiHeadAttention: _heads,
    layers.GroupQueryAttention: _grouped_heads,
    "keras.src.ops.numpy.Matmul": _matrix_product,
    "keras.src.ops.numpy.Dot": _matrix_product,
    "keras.src.ops.numpy.Einsum": _einsum,
    "keras.src.ops.nn.DotProductAttention": _dot_product_attention,
}
_MODULES = [f"keras.src.ops.{module}" for module in ("numpy", "nn", "core", "math")]
"""Operations of these modules multiply element by element or not at all, except counted ones and the following:"""
_NOT_COUNTED: Mapping[Any, bool] = {
    f"keras.src.ops.{module}.{name}": True
    for module, names in {
        "numpy": "Tensordot Inner Outer Vdot Kron Cross Correlate Corrcoef Vander",
        "nn": "Conv DepthwiseConv SeparableConv ConvTranspose",
        "core": "Map Scan AssociativeScan Switch Cond WhileLoop ForiLoop VectorizedMap",
        "math": "CDist FFT FFT2 IFFT2 RFFT IRFFT STFT ISTFT",
    }.items()
    for name in names.split()
}
