"""Layers that sum over axes of their operands: dense layers, matrix products, einsum, attention."""

import string
from collections.abc import Iterable, Sequence
from typing import Any

from keras import layers

from cnn_models.analysis.families.common import (
    Kinds,
    UnknownError,
    activated,
    argument,
    axes_of,
    computed,
    field_of,
    of_layers,
    of_operations,
    restricts,
)
from cnn_models.analysis.fields import ReceptiveField, meet
from cnn_models.analysis.graph import Call, operands
from cnn_models.analysis.sampling import Prefix

Terms = Sequence[tuple[ReceptiveField, str]]


def _dense(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """A dense layer reads the whole last axis, which holds the channels unless a Flatten came first."""
    return activated(call, fields[0].collapsed({call.rank - 1}))


def contracted(terms: Terms, result: str, shape: Sequence[int | None]) -> ReceptiveField:
    """The field of a product that sums over indices, as `keras.ops.einsum` does.

    Args:
        terms: for each operand, its field and its indices, a letter an axis.
        result: the indices of the result; the other ones are summed over.
        shape: the shape of the result.
    """
    fields = []
    for field, letters in terms:
        if len(set(letters)) < len(letters):
            raise UnknownError("of the diagonal of an operand")
        summed = [axis for axis, letter in enumerate(letters) if letter not in result]
        places = {axis: result.index(letter) for axis, letter in enumerate(letters) if letter in result}
        fields.append(field.collapsed(summed).moved(places))
    return meet([*fields, ReceptiveField.unseen([axis.length for axis in fields[0].axes])], shape=shape)


def terms_of(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The indices of each operand and of the result of an einsum, with letters in place of `...`.

    Raises:
        UnknownError: the indices of the result are not given.
    """
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    if not arrow:
        raise UnknownError("without an arrow in its subscripts")
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    terms = left.split(",")
    dots = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True) if "..." in term]
    most = free[: max(dots, default=0)]

    def filled(term: str, count: int) -> str:
        return term.replace("...", "".join(most[len(most) - count :]))

    return [filled(t, rank - len(t.replace("...", ""))) for t, rank in zip(terms, ranks, strict=True)], filled(
        result, len(most)
    )


def _einsum(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    given = call.arguments[0]
    terms, result = terms_of(call.layer.subscripts, [len(each.shape) for each in given])
    return contracted(
        [(field_of(each, call, fields), term) for each, term in zip(given, terms, strict=True)],
        result,
        call.outputs[0].shape,
    )


def _einsum_dense(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    (first, _), result = terms_of(call.layer.equation, [call.rank, len(call.layer.kernel.shape)])
    return activated(call, contracted([(fields[0], first)], result, call.outputs[0].shape))


def matrix_terms(call: Call) -> tuple[list[str], str]:
    """The indices of the operands of a matrix product and of its result.

    Raises:
        UnknownError: an operand is a vector, or the product is NumPy's `dot` of a tensor that is no matrix.
    """
    ranks = [len(argument(call, name).shape) for name in ("x1", "x2")]
    if min(ranks) < 2 or (type(call.layer).__name__ == "Dot" and ranks[1] > 2):
        raise UnknownError("by a tensor that is no matrix")
    batch = string.ascii_lowercase[: max(ranks) - 2]
    return [batch[len(batch) - rank + 2 :] + last for rank, last in zip(ranks, ("XY", "YZ"), strict=True)], f"{batch}XZ"


def tensordot_terms(call: Call) -> tuple[list[str], str]:
    """The indices of the operands of a tensor product and of its result."""
    ranks = [len(argument(call, name).shape) for name in ("x1", "x2")]
    axes = call.layer.axes
    if isinstance(axes, int):
        axes = (range(ranks[0] - axes, ranks[0]), range(axes))
    summed = [axes_of(each, rank) for each, rank in zip(axes, ranks, strict=True)]
    first, second = string.ascii_lowercase[: ranks[0]], list(string.ascii_uppercase[: ranks[1]])
    for left, right in zip(*summed, strict=True):
        second[right] = first[left]
    rest = [letter for axis, letter in enumerate(first) if axis not in summed[0]]
    rest += [letter for axis, letter in enumerate(second) if axis not in summed[1]]
    return [first, "".join(second)], "".join(rest)


def _product(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Rows of the first operand are multiplied with columns of the second; other axes are combined element-wise."""
    terms, result = tensordot_terms(call) if type(call.layer).__name__ == "Tensordot" else matrix_terms(call)
    pair = [field_of(argument(call, name), call, fields) for name in ("x1", "x2")]
    return contracted(list(zip(pair, terms, strict=True)), result, call.outputs[0].shape)


def _dot(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """The layer `Dot`: sums over one axis of each of two tensors; the result has the batch and all other axes."""
    axes = (call.layer.axes,) * 2 if isinstance(call.layer.axes, int) else call.layer.axes
    ranks = [len(tensor.shape) for tensor in call.inputs]
    letters = ["a" + string.ascii_lowercase[1 : ranks[0]], "a" + string.ascii_uppercase[1 : ranks[1]]]
    summed = [letters[0][axes[0] % ranks[0]], letters[1][axes[1] % ranks[1]]]
    letters[1] = letters[1].replace(summed[1], summed[0])
    rest = [letter for each in letters for letter in each[1:] if letter != summed[0]]
    return contracted(list(zip(fields, letters, strict=True)), "".join(["a", *rest]), call.outputs[0].shape)


MASKS = ("mask", "attention_mask", "query_mask", "value_mask", "key_mask")


def _attention(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Each query reads all positions of keys and values, or all up to its own.

    Raises:
        UnknownError: the call has a mask or a sliding window, or returns scores.
    """
    layer, named = call.layer, call.arguments[1]
    causal = bool(named.get("use_causal_mask"))
    masked = [name for name in MASKS if named.get(name) is not None and restricts(named[name], call)]
    if masked or len(call.outputs) > 1 or getattr(layer, "_sliding_window", None):
        raise UnknownError(f"with {', '.join(masked) or 'more'}")
    axes = getattr(layer, "attention_axes", None) or (call.rank - 2,)
    query, value, key = (field_of(tensor, call, fields) for tensor in operands(call))
    last = {call.rank - 1}
    if causal:
        return _causal(call, query.collapsed(last), key.collapsed(last), value.collapsed(last), axes)
    if query is value is key and len(fields) == 1:  # this is exact even if the order of the positions is unknown
        return query.mixed(axes).collapsed(last)
    value = value if isinstance(layer, layers.Attention) else value.collapsed(last)
    parts = [query.collapsed(last), key.collapsed({*axes, *last}), value.collapsed(axes)]
    return meet([*parts, *_masks(call, fields, [named.get(name) for name in MASKS])])


def _masks(call: Call, fields: Sequence[ReceptiveField], masks: Iterable[Any]) -> list[ReceptiveField]:
    """What computed masks depend on; each query is taken to read a whole mask, as it reads all keys."""
    known = [mask for mask in masks if mask is not None and computed(mask)]
    return [field_of(mask, call, fields).collapsed(range(len(mask.shape))) for mask in known]


def _causal(
    call: Call, query: ReceptiveField, key: ReceptiveField, value: ReceptiveField, axes: Sequence[int]
) -> ReceptiveField:
    """Query i reads the keys and values 0 to i."""
    shapes = [tensor.shape for tensor in operands(call)]
    if len(axes) > 1 or len({shape[axes[0]] for shape in shapes}) > 1:
        raise UnknownError("with a causal mask between sequences of different lengths")
    before = {axes[0]: Prefix()}
    return meet([query, key.through(before), value.through(before)])


def _dot_product_attention(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Query, key and value have the shape `(batch, positions, heads, length of a vector)`."""
    masks = [argument(call, "mask"), argument(call, "bias")]
    if any(restricts(mask, call) for mask in masks if mask is not None):
        raise UnknownError("with a mask or a bias")
    tensors = [argument(call, name) for name in ("query", "key", "value")]
    query, key, value = (field_of(each, call, fields) for each in tensors)
    if call.layer.is_causal:
        if len({tuple(each.shape[1:2]) for each in tensors}) > 1:
            raise UnknownError("with a causal mask between sequences of different lengths")
        before = {1: Prefix()}
        return meet([query.collapsed({3}), key.collapsed({3}).through(before), value.through(before)])
    parts = [query.collapsed({3}), key.collapsed({1, 3}), value.collapsed({1}), *_masks(call, fields, masks)]
    return meet(parts, shape=call.outputs[0].shape)


def _reversible_embedding(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    return fields[0].collapsed({call.rank - 1}) if argument(call, "reverse", False) else fields[0]


KINDS: Kinds = {
    _dense: [*of_layers("Dense"), "cnn_models.layers.lecun1998.RBFOutput"],
    _einsum_dense: of_layers("EinsumDense"),
    _einsum: of_operations("numpy", "Einsum"),
    _product: of_operations("numpy", "Matmul Dot Tensordot"),
    _dot: of_layers("Dot"),
    _attention: of_layers("Attention AdditiveAttention MultiHeadAttention GroupQueryAttention"),
    _dot_product_attention: of_operations("nn", "DotProductAttention"),
    _reversible_embedding: of_layers("ReversibleEmbedding"),
}
