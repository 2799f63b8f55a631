"""The gradient of a function with respect to its input, on the backend that Keras has."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def gradient(function: Callable[[Any], Any], inputs: np.ndarray) -> np.ndarray:
    """The gradient of a function of one tensor.

    Args:
        function: from a tensor like `inputs` to one number.
        inputs: where, float32.

    Returns:
        The derivative by each number of `inputs`, in their shape.

    Raises:
        ValueError: the function does not depend on its input in a way that has a gradient; or the backend has none.
    """
    backend = keras.backend.backend()
    found = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}.get(backend)
    if found is None:
        raise ValueError(f"Keras's backend is '{backend}': gradients need TensorFlow, PyTorch or JAX.")
    result = found(function, inputs)
    if result is None:
        raise ValueError(
            "There is no gradient with respect to the picture: an operation on the way, such as a rounding, a "
            "comparison or an index, has none."
        )
    return result


def _tensorflow(function: Callable[[Any], Any], inputs: np.ndarray) -> np.ndarray | None:
    import tensorflow as tf

    given = tf.convert_to_tensor(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = function(given)
    found = tape.gradient(value, given)
    return None if found is None else found.numpy()


def _torch(function: Callable[[Any], Any], inputs: np.ndarray) -> np.ndarray | None:
    import torch

    given = torch.tensor(inputs, dtype=torch.float32, device=keras.ops.zeros(()).device, requires_grad=True)
    value = function(given)
    if not value.requires_grad:
        return None
    (found,) = torch.autograd.grad(value, given, allow_unused=True)
    return None if found is None else found.cpu().numpy()


def _jax(function: Callable[[Any], Any], inputs: np.ndarray) -> np.ndarray | None:
    import jax

    return np.asarray(jax.grad(function)(jax.numpy.asarray(inputs, "float32")))
