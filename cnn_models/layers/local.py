"""Locally connected layers: convolutions whose weights are not shared between positions.

Keras 2 had them, Keras 3 does not. They lie between a fully connected layer (every output reads every input) and a
convolution (all outputs use the same weights). Channels-last and serialisable.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import keras
from keras import ops

from cnn_models.layers.registry import register

Shape = tuple[int | None, ...]


class LocallyConnected(keras.layers.Layer):
    """A convolution with separate weights at every output position; base class for one and two axes.

    Args:
        filters: number of output channels.
        kernel_size: sides of the window in pixels; one number for all axes, or one per axis.
        strides: steps of the window in pixels; one number for all axes, or one per axis.
        padding: "valid" (only complete windows) or "same" (zeros around, placed as in Keras's convolutions).
        activation: name or function, or None.
        use_bias: whether each output position and channel has a bias.
        kernel_initializer: as in Keras. "glorot_uniform" and other variance scaling initializers give the variance that
            a convolution with this window would have.
        bias_initializer: as in Keras.
        rank: number of spatial axes, 1 or 2.

    Weights: `kernel`, `(positions along each axis, window size · input channels, filters)`, and `bias`,
    `(positions along each axis, filters)`. The window is flattened like a convolution's kernel:
    `kernel[p] = conv.kernel.reshape(-1, filters)` gives position p the weights of a convolution.

    Raises:
        ValueError: the padding is unknown, the size of the input is not fixed, or the window does not fit into it.
    """

    data_format = "channels_last"  # read by `cnn_models.analysis`

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        rank: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if padding not in ("valid", "same"):
            raise ValueError(f"{self.name}: padding is 'valid' or 'same', got {padding!r}.")
        self.rank = rank
        self.filters = filters
        self.kernel_size = _sides(kernel_size, rank)
        self.strides = _sides(strides, rank)
        self.padding = padding
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        sides = input_shape[1:-1]
        if len(sides) != self.rank or None in input_shape[1:]:
            raise ValueError(
                f"{self.name}: needs inputs of {self.rank + 2} axes, all but the first of a fixed size, as every "
                f"position has separate weights; got {input_shape}."
            )
        positions = self._positions(sides)
        if min(positions) < 1:
            raise ValueError(f"{self.name}: a window of {self.kernel_size} does not fit into {input_shape}.")
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        window = math.prod(self.kernel_size) * int(input_shape[-1] or 0)
        self.kernel = self.add_weight(
            shape=(*positions, window, self.filters), initializer=self._as_one_convolution, name="kernel"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(*positions, self.filters), initializer=self.bias_initializer, name="bias"
            )

    def call(self, inputs: Any) -> Any:
        sides = tuple(inputs.shape[1:-1])
        positions = self._positions(sides)
        padded = ops.pad(inputs, [(0, 0), *self._paddings(sides, positions), (0, 0)])
        windows = ops.concatenate(
            [
                padded[(slice(None), *map(_every, offset, self.strides, positions))]
                for offset in product(*map(range, self.kernel_size))
            ],
            axis=-1,
        )
        axes = "yx"[: self.rank]
        outputs = ops.einsum(f"b{axes}i,{axes}if->b{axes}f", windows, ops.cast(self.kernel, inputs.dtype))
        if self.bias is not None:
            outputs = outputs + ops.cast(self.bias, inputs.dtype)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._positions(input_shape[1:-1]), self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }

    def _positions(self, sides: Sequence[int | None]) -> tuple[int, ...]:
        """Number of output positions along each axis."""
        lost = self.kernel_size if self.padding == "valid" else (1,) * self.rank
        return tuple(
            ((side or 0) - size) // stride + 1 for side, size, stride in zip(sides, lost, self.strides, strict=True)
        )

    def _paddings(self, sides: Sequence[int], positions: Sequence[int]) -> list[tuple[int, int]]:
        """Number of zeros before and after each axis. As in TensorFlow, an odd one goes after."""
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        needed = [
            max((position - 1) * stride + size - side, 0)
            for position, stride, size, side in zip(positions, self.strides, self.kernel_size, sides, strict=True)
        ]
        return [(count // 2, count - count // 2) for count in needed]

    def _as_one_convolution(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Draws the weights of every window with the variance that a convolution with this window would have.

        Keras's initializers compute the fan-in from the shape, and would count the positions as part of the window.
        """
        wanted = self.kernel_initializer
        if not isinstance(wanted, keras.initializers.VarianceScaling):
            return wanted(shape, dtype=dtype)
        window, area = shape[-2], math.prod(self.kernel_size)
        fans = {"fan_in": window, "fan_out": area * self.filters, "fan_avg": (window + area * self.filters) / 2}
        scale = wanted.scale * window / fans[wanted.mode]
        draw = keras.initializers.VarianceScaling(scale, "fan_in", wanted.distribution, wanted.seed)
        return ops.reshape(draw((window, math.prod(shape) // window), dtype=dtype), shape)


@register
class LocallyConnected1D(LocallyConnected):
    """`LocallyConnected` over one axis: `(batch, steps, channels)` → `(batch, positions, filters)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, rank=1, **kwargs)


@register
class LocallyConnected2D(LocallyConnected):
    """`LocallyConnected` over two axes: `(batch, h, w, channels)` → `(batch, h', w', filters)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, rank=2, **kwargs)


def _sides(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """One number per axis.

    Raises:
        ValueError: a wrong number of numbers, or a number less than 1.
    """
    sides = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(sides) != rank or min(sides) < 1:
        raise ValueError(f"Expected {rank} numbers of 1 or more, got {value!r}.")
    return sides


def _every(start: int, stride: int, count: int) -> slice:
    """A slice of `count` indices from `start`, in steps of `stride`."""
    return slice(start, start + (count - 1) * stride + 1, stride)
