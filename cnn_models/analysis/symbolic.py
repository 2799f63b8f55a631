"""Makes Keras's symbolic tensors do what real tensors do, where Keras's own operations do not, while a layer is opened.

Like `cnn_models.analysis.opening`, this module uses private attributes of Keras 3.
"""

import contextlib
import string
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.src.ops import numpy as operations

_ARITHMETIC = ("__add__", "__sub__", "__mul__", "__truediv__", "__matmul__")
_COMPARISONS = ("__lt__", "__le__", "__gt__", "__ge__")
Method = Callable[..., Any]


@contextlib.contextmanager
def completed() -> Iterator[None]:
    """Within the block, symbolic tensors have the number of their axes, and all slices, operators and einsums work."""
    with contextlib.ExitStack() as stack:
        for kind, name, change in _changes():
            usual = getattr(kind, name)
            stack.enter_context(_replaced(kind, name, change(usual)))
        yield


def _changes() -> Iterator[tuple[type, str, Callable[[Method], Method]]]:
    """Classes with the names of their methods and how these change."""
    for name in _ARITHMETIC:
        yield _owner(keras.Variable, name), name, _deferring
    if keras.backend.backend() in ("tensorflow", "jax"):  # PyTorch does it itself, NumPy cannot be changed
        for name in _COMPARISONS:
            yield _owner(type(keras.ops.convert_to_tensor(0.0)), name), name, _deferring
    yield keras.KerasTensor, "__getitem__", _indexed
    yield operations.Einsum, "compute_output_spec", _lower
    yield operations.Ndim, "symbolic_call", lambda usual: lambda self, x: len(x.shape)


@contextlib.contextmanager
def _replaced(kind: Any, name: str, method: Method) -> Iterator[None]:
    usual = vars(kind).get(name)
    setattr(kind, name, method)
    try:
        yield
    finally:
        if usual is None:
            delattr(kind, name)  # it was inherited
        else:
            setattr(kind, name, usual)


def _owner(kind: type, name: str) -> type:
    """The class, this one or a parent, that defines a method."""
    return next(each for each in kind.__mro__ if name in vars(each))


def _deferring(operate: Method) -> Method:
    """An operator that leaves the work to a symbolic right operand: `weight * tensor` is then `tensor * weight`."""
    return lambda left, right: NotImplemented if isinstance(right, keras.KerasTensor) else operate(left, right)


def _indexed(index: Method) -> Method:
    """Indexing by one slice, which Keras knows only as the first of several."""
    return lambda tensor, key: index(tensor, (key,) if isinstance(key, slice) else key)


def _lower(shaped: Method) -> Method:
    """The shape of an einsum; Keras computes only that of indices in lower case."""

    def compute(operation: Any, *operands: Any) -> Any:
        subscripts = operation.subscripts
        capitals = sorted({letter for letter in subscripts if letter.isupper()})
        free = [letter for letter in string.ascii_lowercase if letter not in subscripts]
        if not capitals or len(free) < len(capitals):
            return shaped(operation, *operands)
        table = str.maketrans(dict(zip(capitals, free, strict=False)))
        return shaped(operations.Einsum(subscripts.translate(table)), *operands)

    return compute
