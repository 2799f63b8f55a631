"""Counts products of two activations in one call of a layer, as opposed to products with weights.

Matrix products count: attention, `Dot`, `keras.ops.matmul` and the like. Element-wise products (a gate, a scale) do
not, as in the published numbers of networks with squeeze and excitation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keras import layers

from cnn_models.analysis.families.common import UnknownError, argument, computed, of_operations
from cnn_models.analysis.families.contractions import matrix_terms, tensordot_terms, terms_of
from cnn_models.analysis.graph import Call, find, operands, sizes
from cnn_models.analysis.layer_rules import SEES

Macs = Callable[[Call], int | None]
Shape = tuple[int | None, ...]


def times(count: int, shape: Iterable[int | None]) -> int | None:
    """`count` times the number of positions of a shape; None if a size is not known."""
    total = count
    for size in shape:
        if size is None:
            return None
        total *= size
    return total


def activation_products(layer: Any) -> Macs | None:
    """Returns the function that counts a layer's products of activations; None if there is no rule for the layer."""
    rule = find(layer, ACTIVATION_MACS)
    return rule or (_none if find(layer, SEES) else None)


def _none(call: Call) -> int:
    return 0


def contraction(call: Call, of_activations: bool) -> int | None:
    """The products of a matrix product, einsum or dot product: one for each combination of indices.

    Args:
        call: the call.
        of_activations: count if both operands are computed from the input; otherwise, if one is a weight or a constant.

    Returns:
        The count; None if it depends on an unknown size, or, with three or more operands, on their order.
    """
    try:
        operands, terms = _terms(call)
    except UnknownError:
        return None
    if all(map(computed, operands)) != of_activations:
        return 0
    if len(operands) > 2:
        return None
    known: dict[str, int | None] = {}
    for operand, term in zip(operands, terms, strict=True):
        shape = sizes(operand) if computed(operand) else operand.shape
        for letter, size in zip(term, shape, strict=True):
            known[letter] = size if known.get(letter, 1) == 1 else known[letter]  # of size 1: broadcast
    return times(1, known.values())


def _terms(call: Call) -> tuple[Sequence[Any], Sequence[str]]:
    """The operands and their indices."""
    kind = type(call.layer).__name__
    if kind == "Einsum":
        given = call.arguments[0]
        return given, terms_of(call.layer.subscripts, [len(each.shape) for each in given])[0]
    pair = [argument(call, name) for name in ("x1", "x2")]
    return pair, (tensordot_terms(call) if kind == "Tensordot" else matrix_terms(call))[0]


def _product(call: Call) -> int | None:
    return contraction(call, of_activations=True)


def _dot(call: Call) -> int | None:
    axis = call.layer.axes if isinstance(call.layer.axes, int) else call.layer.axes[0]
    return times(1, (*sizes(call.outputs[0]), call.inputs[0].shape[axis]))


def _rows(query: Shape) -> Shape:
    """The number of queries along each axis, for one picture."""
    return (query[0] or 1, *query[1:-1])


def _attention(call: Call) -> int | None:
    """Each query is multiplied with each key, over the length of a vector; then each score with each value."""
    query, value, key = (operand.shape for operand in operands(call))
    scores = 0 if getattr(call.layer, "score_mode", "dot") == "concat" else key[-1]
    return None if scores is None or value[-1] is None else times(scores + value[-1], (*_rows(query), key[-2]))


def _additive_attention(call: Call) -> int | None:
    """Scores are sums of hyperbolic tangents, so only the products of scores and values count."""
    query, value, _ = (operand.shape for operand in operands(call))
    return times(1, (*_rows(query), *value[-2:]))


def _heads(call: Call) -> int | None:
    query, _, key = (operand.shape for operand in operands(call))
    count = call.layer.num_heads * (call.layer.key_dim + call.layer.value_dim)
    return times(count, (*_rows(query), *(key[axis] for axis in call.layer.attention_axes)))


def _grouped_heads(call: Call) -> int | None:
    """Keys and values are repeated, so that each head of the query has its own."""
    query, _, key = (operand.shape for operand in operands(call))
    return times(call.layer.num_query_heads * 2 * call.layer.head_dim, (query[0] or 1, query[1], key[1]))


def dot_products(call: Call, of_activations: bool) -> int | None:
    """The products of `keras.ops.dot_product_attention`: of queries and keys, then of scores and values.

    Query, key and value have shape `(batch, positions, heads, length of a vector)`; learnt queries are weights.

    Args:
        call: the call.
        of_activations: count the products of two tensors that are computed from the input; otherwise the others.
    """
    query, key, value = (argument(call, name) for name in ("query", "key", "value"))
    scores = computed(query), computed(key)
    pairs = [all(scores), any(scores) and computed(value)]
    return times(pairs.count(of_activations), (query.shape[0] or 1, *query.shape[1:], key.shape[1]))


def _dot_product_attention(call: Call) -> int | None:
    return dot_products(call, of_activations=True)


ACTIVATION_MACS: Mapping[Any, Macs] = {
    layers.Dot: _dot,
    layers.Attention: _attention,
    layers.AdditiveAttention: _additive_attention,
    layers.MultiHeadAttention: _heads,
    layers.GroupQueryAttention: _grouped_heads,
    **dict.fromkeys(of_operations("numpy", "Matmul Dot Einsum Tensordot"), _product),
    "keras.src.ops.nn.DotProductAttention": _dot_product_attention,
}
