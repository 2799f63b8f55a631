"""Layers that sum over axes of their operands: dense layers, matrix products, einsum, attention."""

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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
)
from cnn_models.analysis.families.masks import Admitted, admitted, restricts, routed, rows, weighted
from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.geometry.meeting import meet
from cnn_models.analysis.geometry.sampling import Prefix, Sampling
from cnn_models.analysis.graph import Call, operands

Terms = Sequence[tuple[ReceptiveField, str]]


def _dense(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """A dense layer reads the whole last axis, which holds the channels unless a Flatten came first."""
    return activated(call, fields[0].collapsed({call.rank - 1}))


def contracted(
    terms: Terms, result: str, shape: Sequence[int | None], routes: Sequence[Sampling | None] = ()
) -> ReceptiveField:
    """The field of a product that sums over indices, as `keras.ops.einsum` does.

    Args:
        terms: for each operand, its field and its indices, a letter an axis.
        result: the indices of the result; the other ones are summed over.
        shape: the shape of the result.
        routes: for each operand whose elements are the weights of a masked attention, which positions along its last
            axis have a weight for each position along the axis before; the others are multiplied by 0.
    """
    fields = []
    for field, letters in _routed(terms, routes):
        if len(set(letters)) < len(letters):
            raise UnknownError("of the diagonal of an operand")
        summed = [axis for axis, letter in enumerate(letters) if letter not in result]
        places = {axis: result.index(letter) for axis, letter in enumerate(letters) if letter in result}
        fields.append(field.collapsed(summed).moved(places))
    return meet([*fields, ReceptiveField.unseen([axis.length for axis in fields[0].axes])], shape=shape)


def _routed(terms: Terms, routes: Sequence[Sampling | None]) -> Terms:
    """The operands, of which those that are weighted by a masked attention keep what each query reads."""
    result = list(terms)
    for number, route in enumerate(routes):
        if route is None:
            continue
        query, key = terms[number][1][-2], terms[number][1][-1]
        for other, (field, letters) in enumerate(terms):
            if other != number and key in letters:
                if query in letters:
                    raise UnknownError("of a masked attention along an axis of both operands")
                result[other] = field.through({letters.index(key): route}), letters.replace(key, query)
    return result


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
        [weighted(each, call) for each in given],
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
    pair = [argument(call, name) for name in ("x1", "x2")]
    seen = [(field_of(each, call, fields), term) for each, term in zip(pair, terms, strict=True)]
    return contracted(seen, result, call.outputs[0].shape, [weighted(each, call) for each in pair])


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
    """Each query reads all positions of keys and values that no mask excludes.

    Raises:
        UnknownError: the call has a sliding window, or a mask of which it is not known what it excludes, or returns
            scores.
    """
    layer, named = call.layer, call.arguments[1]
    if len(call.outputs) > 1 or getattr(layer, "_sliding_window", None):
        raise UnknownError("with more")
    axes = getattr(layer, "attention_axes", None) or (call.rank - 2,)
    query, value, key = (field_of(tensor, call, fields) for tensor in operands(call))
    last = {call.rank - 1}
    seen = _seen_keys(call, axes, _admitted(call), bool(named.get("use_causal_mask")))
    masks = _masks(call, fields, {name: named[name] for name in MASKS if name in named}, axes, seen)
    if seen:
        keys = {axes[0]: seen}
        return meet([query.collapsed(last), *(each.collapsed(last).through(keys) for each in (key, value)), *masks])
    if query is value is key and len(fields) == 1:  # this is exact even if the order of the positions is unknown
        return query.mixed(axes).collapsed(last)
    value = value if isinstance(layer, layers.Attention) else value.collapsed(last)
    return meet([query.collapsed(last), key.collapsed({*axes, *last}), value.collapsed(axes), *masks])


def _admitted(call: Call) -> list[Admitted]:
    """What the masks of an attention layer admit, `(…, queries, keys)` each."""
    named = call.arguments[1]
    found = [(name, admitted(named[name], call)) for name in MASKS[1:] if named.get(name) is not None]
    of_inputs = named.get("mask")
    for mask, name in zip(of_inputs if isinstance(of_inputs, list | tuple) else [of_inputs], MASKS[2:], strict=False):
        if admitted(mask, call) is not None:
            raise UnknownError(f"with a constant {name}")
    shaped = {"query_mask": (..., None), "value_mask": (..., None, slice(None)), "key_mask": (..., None, slice(None))}
    return [mask if mask is None else mask[shaped.get(name, ...)] for name, mask in found]


def _seen_keys(
    call: Call, axes: Sequence[int], masks: Sequence[Admitted], causal: bool, tensors: Sequence[Any] = ()
) -> Sampling | None:
    """Which keys each query reads; None: all. With a causal mask, query i reads the keys 0 to i."""
    query, value, *_ = tensors or operands(call)
    lengths = [tensor.shape[axes[0]] for tensor in (query, value)]
    limited = causal or any(mask is not None for mask in masks)
    if limited and len(axes) > 1:
        raise UnknownError("with a mask along several axes")
    if not causal:
        return rows(masks, *lengths)
    if all(mask is None for mask in masks) and lengths[0] == lengths[1]:
        return Prefix()
    if None in lengths:
        raise UnknownError("with a causal mask between sequences of unknown lengths")
    return rows([*masks, np.tri(*lengths, dtype=bool)], *lengths)


def _masks(
    call: Call, fields: Sequence[ReceptiveField], masks: Mapping[str, Any], axes: Sequence[int], seen: Sampling | None
) -> list[ReceptiveField]:
    """What each query reads of computed masks: of those for pairs of query and key, what it reads of the keys."""
    found = []
    for name, mask in masks.items():
        if not computed(mask):
            continue
        field, rank = field_of(mask, call, fields), len(mask.shape)
        if len(axes) > 1 or rank < 2 or name == "mask":
            found.append(field.collapsed(range(rank)))
        elif name in ("query_mask", "value_mask", "key_mask"):
            shaped = field.moved({0: 0, 1: 1 if name == "query_mask" else 2})
            found.append(routed(shaped, seen, 3).moved({0: 0, 1: axes[0]}))
        else:
            own = routed(field, seen, rank).collapsed(range(1, rank - 2))
            found.append(own.moved({0: 0, rank - 2: axes[0]}))
    return found


def _dot_product_attention(call: Call, fields: Sequence[ReceptiveField]) -> ReceptiveField:
    """Query, key and value have the shape `(batch, positions, heads, length of a vector)`."""
    mask, bias = argument(call, "mask"), argument(call, "bias")
    if bias is not None and restricts(bias, call):
        raise UnknownError("with a bias")
    tensors = [argument(call, name) for name in ("query", "key", "value")]
    query, key, value = (field_of(each, call, fields) for each in tensors)
    seen = _seen_keys(call, (1,), [admitted(mask, call)], bool(call.layer.is_causal), tensors)
    masks = _masks(call, fields, {"attention_mask": mask, "bias": bias}, (1,), seen)
    if seen:
        keys = {1: seen}
        parts = [query.collapsed({3}), key.collapsed({3}).through(keys), value.through(keys), *masks]
    else:
        parts = [query.collapsed({3}), key.collapsed({1, 3}), value.collapsed({1}), *masks]
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
