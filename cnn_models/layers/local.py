"""Locally connected layers: convolutions whose weights are not shared between positions.

Keras 2 had them, Keras 3 does not. They stand between a fully connected layer (every output sees every
input) and a convolution (every output uses the same weights). Channels-last and serialisable.
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
    """A convolution with weights of its own at every output position; `rank` axes are slid over.

    Args:
        filters: output channels.
        kernel_size: sides of the window, in pixels; one number stands for all axes.
        strides: steps of the window; one number stands for all axes.
        padding: "valid" (only whole windows) or "same" (zeros around, as Keras's convolutions place them).
        activation: name or function, or None.
        use_bias: whether each output position and channel has a bias.
        kernel_initializer, bias_initializer: as Keras names them; "glorot_uniform" and its kin give the
            variance that a convolution with this window would have.
        rank: axes to slide over, 1 or 2.

    Weights: `kernel`, `(positions along each axis, window size · input channels, filters)`, where the window
    is flattened as a convolution's kernel is, so that
    `kernel[p] = conv.kernel.reshape(-1, filters)` makes every copy equal to a convolution's weights; and
    `bias`, `(positions along each axis, filters)`.
    """

    data_format = "channels_last"  # the analysis asks for it where this is the first layer

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
                f"position has weights of its own; got {input_shape}."
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
        """Output positions along each axis."""
        lost = self.kernel_size if self.padding == "valid" else (1,) * self.rank
        return tuple(
            ((side or 0) - size) // stride + 1 for side, size, stride in zip(sides, lost, self.strides, strict=True)
        )

    def _paddings(self, sides: Sequence[int], positions: Sequence[int]) -> list[tuple[int, int]]:
        """Zeros before and after each axis; the odd one goes after, as TensorFlow's "same" has it."""
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        needed = [
            max((position - 1) * stride + size - side, 0)
            for position, stride, size, side in zip(positions, self.strides, self.kernel_size, sides, strict=True)
        ]
        return [(count // 2, count - count // 2) for count in needed]

    def _as_one_convolution(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Draws every window's weights with the variance that a convolution of this window would have.

        Initializers read fans off the shape, where the positions would pass for a part of the window.
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
    sides = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(sides) != rank or min(sides) < 1:
        raise ValueError(f"Expected {rank} numbers of 1 or more, got {value!r}.")
    return sides


def _every(start: int, stride: int, count: int) -> slice:
    """`count` places from `start` on, `stride` apart."""
    return slice(start, start + (count - 1) * stride + 1, stride)
