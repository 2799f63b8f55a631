"""The gradient of a function with respect to its input, on the backend that Keras has."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Function = Callable[..., Any]
"""From one or several tensors to one number."""


class NoGradient(ValueError):
    """A function does not depend on its input in a way that has a gradient, or the backend has none."""


def gradient(function: Function, inputs: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The gradient of a function of a tensor.

    Args:
        function: from a tensor like `inputs`, and tensors like the others, to one number.
        inputs: where, float32.
        others: further arguments.

    Returns:
        The derivative by each number of `inputs`, in their shape.

    Raises:
        NoGradient: the function does not depend on its input in a way that has a gradient; or the backend has none.
    """
    result = _backend()[0](function)(inputs, *others)
    if result is None:
        raise NoGradient(
            "There is no gradient with respect to the picture: an operation on the way, such as a rounding, a "
            "comparison or an index, has none."
        )
    return result


def compiled_gradient(function: Function) -> Callable[..., np.ndarray]:
    """As `gradient`, for many calls: a function of arrays, compiled where the backend can.

    That there is a gradient has to be known, by a first call of `gradient`.
    """
    derive, compiled = _backend()
    return derive(compiled(function))


def _backend() -> tuple[Callable[[Function], Callable[..., Any]], Callable[[Function], Function]]:
    """What makes a function's gradient, and what compiles a function, on the backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return _tensorflow, lambda function: tf.function(function, reduce_retracing=True)
    if backend == "jax":
        import jax

        return _jax, jax.jit
    if backend == "torch":
        return _torch, lambda function: function  # torch.compile needs a C++ compiler
    raise NoGradient(f"Keras's backend is '{backend}': gradients need TensorFlow, PyTorch or JAX.")


def _tensorflow(function: Function) -> Callable[..., np.ndarray | None]:
    import tensorflow as tf

    def found(inputs: np.ndarray, *others: np.ndarray) -> np.ndarray | None:
        given = tf.convert_to_tensor(inputs, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = function(given, *map(tf.convert_to_tensor, others))
        derivative = tape.gradient(value, given)
        return None if derivative is None else derivative.numpy()

    return found


def _torch(function: Function) -> Callable[..., np.ndarray | None]:
    import torch

    def found(inputs: np.ndarray, *others: np.ndarray) -> np.ndarray | None:
        device = keras.ops.zeros(()).device
        given = torch.tensor(inputs, dtype=torch.float32, device=device, requires_grad=True)
        value = function(given, *(torch.tensor(other, device=device) for other in others))
        if not value.requires_grad:
            return None
        (derivative,) = torch.autograd.grad(value, given, allow_unused=True)
        return None if derivative is None else derivative.cpu().numpy()

    return found


def _jax(function: Function) -> Callable[..., np.ndarray]:
    import jax

    derivative = jax.grad(function)
    return lambda inputs, *others: np.asarray(derivative(jax.numpy.asarray(inputs, "float32"), *others))
