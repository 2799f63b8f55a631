"""Layers of LeCun's papers of 1990 and 1998 that Keras lacks.

All are channels-last and serialisable. Import this module before loading a model that contains them in safe mode.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cnn_models.layers.registry import register


@register
def scaled_tanh(x: Any) -> Any:
    """1.7159·tanh(2x/3), the activation function of LeCun 1998 (appendix A): f(±1) = ±1."""
    return 1.7159 * ops.tanh(x * (2.0 / 3.0))


class Seeds(keras.random.SeedGenerator):
    """A generator of seeds for the layers of one network. It gives the same sequence as Keras's global generator.

    The global generator continues from one network to the next, so weights would depend on the networks built before.
    """

    def next(self, ordered: bool = False) -> Any:
        return super().next(ordered)


@register
class FanInUniform(keras.initializers.Initializer):
    """Uniform distribution on ±2.4/fan-in (LeCun 1998, appendix A).

    Args:
        fan_in: number of inputs of one unit; None: the product of all axes of the weights but the last.
        gain: the numerator, 2.4 in the paper.
        seed: the generator of seeds that all layers of one network share; it is not saved in the config. None: Keras's
            global generator.
    """

    def __init__(self, fan_in: int | None = None, gain: float = 2.4, seed: Seeds | None = None) -> None:
        self.fan_in = fan_in
        self.gain = gain
        self.seed = seed

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        limit = self.gain / (self.fan_in or int(np.prod(shape[:-1])))
        return keras.random.uniform(shape, -limit, limit, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"fan_in": self.fan_in, "gain": self.gain}


def refuse_what_does_not_fit(name: str, side: int, shape: Sequence[int | None]) -> None:
    """Checks the input shape of a layer, when the layer is built and when it is called on another shape.

    Args:
        name: name of the layer, for the message.
        side: smallest height and width, in pixels.
        shape: the shape, which must be `(batch, height, width, channels)`.

    Raises:
        ValueError: the shape has another form, or the pictures are too small.
    """
    if len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"{name}: expects inputs of shape (batch, height, width, channels), channels known; got {shape}."
        )
    if any(pixels is not None and pixels < side for pixels in shape[1:-1]):
        raise ValueError(f"{name}: needs pictures of at least {side}×{side} pixels, got {shape[1]}×{shape[2]}.")


@register
class SparseConv2D(keras.layers.Layer):
    """A convolution in which each output map reads only some of the input maps (LeCun 1998, table I).

    Stride 1, no padding.

    Args:
        connections: for each output map, the numbers of the input maps it reads.
        kernel_size: k, the side of the square kernels in pixels.
        seed: generator of seeds for the kernels, see `FanInUniform`.

    Shapes: `(batch, h, w, input maps)` → `(batch, h-k+1, w-k+1, output maps)`.
    Weights: `kernel`, one k×k kernel per connection, `(k·k, connections)`; `bias`, `(output maps,)`.

    Raises:
        ValueError: a connection names an input map that does not exist, or a picture is smaller than k×k.
    """

    data_format = "channels_last"  # read by `cnn_models.analysis`

    def __init__(
        self,
        connections: Sequence[Sequence[int]],
        kernel_size: int,
        seed: Seeds | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connections = [list(inputs) for inputs in connections]
        self.kernel_size = kernel_size
        # Hidden in a function: Keras would make a generator that is an attribute one of the layer's variables.
        self._initializer = functools.partial(FanInUniform, seed=seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        refuse_what_does_not_fit(self.name, self.kernel_size, input_shape)
        maps, filters = int(input_shape[-1] or 0), len(self.connections)
        pairs = [(source, target) for target, sources in enumerate(self.connections) for source in sources]
        if any(not 0 <= source < maps for source, _ in pairs):
            raise ValueError(f"{self.name}: connections name input maps outside 0..{maps - 1}.")
        # Row c has a 1 at the pair (input map, output map) of connection c.
        self.placement = np.zeros((len(pairs), maps * filters), "float32")
        self.placement[range(len(pairs)), [source * filters + target for source, target in pairs]] = 1
        area = self.kernel_size**2
        fan_in = round(area * len(pairs) / filters) + 1
        self.kernel = self.add_weight(shape=(area, len(pairs)), initializer=self._initializer(fan_in), name="kernel")
        self.bias = self.add_weight(shape=(filters,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        convolved = ops.conv(inputs, ops.cast(self.dense_kernel(), inputs.dtype), padding="valid")
        return convolved + ops.cast(self.bias, inputs.dtype)

    def dense_kernel(self) -> Any:
        """The kernel of a convolution without gaps, `(k, k, input maps, output maps)`, 0 where no connection is."""
        side = self.kernel_size
        dense = ops.matmul(self.kernel, ops.convert_to_tensor(self.placement, self.kernel.dtype))
        return ops.reshape(dense, (side, side, -1, len(self.connections)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        refuse_what_does_not_fit(self.name, self.kernel_size, input_shape)
        batch, *sides, _ = input_shape
        return (batch, *(side and side - self.kernel_size + 1 for side in sides), len(self.connections))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "connections": self.connections, "kernel_size": self.kernel_size}


@register
class TrainableSubsampling2D(keras.layers.Layer):
    """The subsampling of LeNet: the mean of each 2×2 window, times a coefficient, plus a bias.

    LeCun 1998, II.B adds the four inputs; the factor 1/4 only rescales the coefficient.

    Args:
        depth_multiplier: output maps per input map, each with its own coefficient and bias (2 in LeNet-4, otherwise 1).

    Shapes: `(batch, h, w, maps)` → `(batch, h//2, w//2, maps·depth_multiplier)`.
    Weights: `coefficient` and `bias`, `(maps·depth_multiplier,)` each.

    Raises:
        ValueError: a picture is smaller than 2×2.
    """

    data_format = "channels_last"

    def __init__(self, depth_multiplier: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depth_multiplier = depth_multiplier

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        refuse_what_does_not_fit(self.name, 2, input_shape)
        maps = int(input_shape[-1] or 0) * self.depth_multiplier
        self.coefficient = self.add_weight(shape=(maps,), initializer="ones", name="coefficient")
        self.bias = self.add_weight(shape=(maps,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return self.scaled(ops.average_pool(inputs, 2, strides=2, padding="valid"))

    def scaled(self, means: Any) -> Any:
        """The outputs, from the mean of each window."""
        if self.depth_multiplier > 1:
            means = ops.repeat(means, self.depth_multiplier, axis=-1)
        return means * ops.cast(self.coefficient, means.dtype) + ops.cast(self.bias, means.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        refuse_what_does_not_fit(self.name, 2, input_shape)
        batch, *sides, maps = input_shape
        return (batch, *(side and side // 2 for side in sides), (maps or 0) * self.depth_multiplier)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


# Each digit has 7×12 pixels, after the stylised characters of LeCun 1998, figure 3.
DIGIT_BITMAPS = """
.#####. ...##.. .#####. #######  ....##. ####### ..####. ####### .#####. .#####.
##...## ..###.. ##...## .....##  ...###. ##..... .##.... ##...## ##...## ##...##
##...## .####.. ##...## ....##.  ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## ...##..  .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####.  ##..##. ######. ##.###. ....##. .##.##. ##...##
##...## ...##.. ...##.. .....##  ##..##. .....## ###..## ...##.. .#####. .######
##...## ...##.. ..##... .....##  ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....##  ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....##  ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... ##...##  ....##. ##...## ##...## .##.... ##...## ....##.
##...## ...##.. ##...## ##...##  ....##. ##...## .##.##. .##.... ##...## .####..
.#####. .#####. ####### .#####.  ....##. .#####. ..###.. .##.... .#####. .###...
"""


def digit_prototypes() -> np.ndarray:
    """The ten digits of `DIGIT_BITMAPS` as +1 (ink) and -1 (paper), float32 `(10, 84)`."""
    rows = [line.split() for line in DIGIT_BITMAPS.split("\n") if line]
    pictures = [[row[digit] for row in rows] for digit in range(10)]
    return np.array([[1.0 if c == "#" else -1.0 for c in "".join(picture)] for picture in pictures], "float32")


@register
class RBFOutput(keras.layers.Layer):
    """Euclidean radial basis functions with fixed prototypes (LeCun 1998, II.B, equation 7).

    Unit i of the paper computes the penalty y_i = Σ_j (x_j - w_ij)². This layer returns -y_i, so that the softmax
    cross-entropy of its output is the paper's MAP criterion (equation 9) without its "rubbish" class.
    `cnn_models.layers.losses.MapCriterion` adds that class.

    Shapes: `(batch, 84)` → `(batch, 10)`.
    Weights: `prototypes`, `(10, 84)`, not trained.

    Raises:
        ValueError: the input does not have 84 values per picture.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        prototypes = digit_prototypes()
        if input_shape[-1] != prototypes.shape[1]:
            raise ValueError(f"{self.name}: expects {prototypes.shape[1]} inputs a picture, got {input_shape[-1]}.")
        self.prototypes = self.add_weight(
            shape=prototypes.shape,
            initializer=keras.initializers.Constant(prototypes.tolist()),
            trainable=False,
            name="prototypes",
        )

    def call(self, inputs: Any) -> Any:
        differences = ops.expand_dims(inputs, 1) - ops.cast(self.prototypes, inputs.dtype)
        return -ops.sum(ops.square(differences), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], 10)
