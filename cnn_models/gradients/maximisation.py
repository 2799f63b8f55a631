"""Activation maximisation: finds by gradient ascent the picture that each channel of a layer responds to most.

    from cnn_models.gradients.maximisation import maximise
    found = maximise(model, "conv3")
    found.pictures[5]      # the picture of channel 5, at the size of its receptive field

Sources: Erhan et al. 2009 for the method, Mordvintsev et al. 2015 for the jitter, Yosinski et al. 2015 for the blur,
and both for the norm bound. The pictures of all channels are optimised together, as a batch, on TensorFlow, PyTorch or
JAX.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.graph import Call, trace
from cnn_models.analysis.inspector import receptive_field
from cnn_models.gradients.derivative import NoGradient, compiled_gradient, gradient
from cnn_models.gradients.partial_model import PartialModel, rectifies, up_to
from cnn_models.gradients.targets import Box, box_of, middle, target_of, with_size
from cnn_models.keras_file import one_line

SMALL = 1e-20  # keeps a gradient of 0 from being divided by 0


@dataclasses.dataclass(frozen=True)
class Ascent:
    """The settings of a gradient ascent; they alone decide how the pictures look.

    A picture is described by its deviation x from grey, where x = 1 is white and x = -1 black. Each step adds `step`
    times the gradient, after the gradient is scaled to root mean square 1 over the receptive field.

    Attributes:
        steps: number of steps.
        step: root mean square of each step.
        noise: x starts as uniform noise between -noise and noise.
        jitter: before each step, the picture is moved along each axis by a random number of pixels, at most this share
            of the field's side. So no structure remains that fits only one alignment with strides and pooling.
        blur: the gradient is blurred by a Gaussian. Its standard deviation falls from this share of the field's side
            to zero in the first half of the steps, so that coarse structure forms first and fine structure last.
        norm: largest root mean square of x over the field; None: only the range of brightness bounds x.
        before_activation: maximise the value before the activation function. A rectifier whose output for the noise
            is 0 has no gradient to start with.
    """

    steps: int = 64
    step: float = 0.1
    noise: float = 0.1
    jitter: float = 1 / 16
    blur: float = 1 / 12
    norm: float | None = 0.5
    before_activation: bool = True


NAIVE = Ascent(jitter=0.0, blur=0.0, norm=None, before_activation=False)
"""Plain gradient ascent, without jitter, blur and norm bound."""


@dataclasses.dataclass(frozen=True)
class Maximised:
    """The result of an ascent.

    Attributes:
        pictures: deviations from grey, from -1 (black) to 1 (white), `(channels, height, width, colours)`. Height and
            width are those of the receptive field, without its part beyond the border.
        before: response of each channel to its initial noise, `(channels,)`.
        after: response of each channel to its picture, `(channels,)`.
        box: first and last row, and first and last column, of the field in the whole picture.
        rectified: the responses are values before a rectifier, which replaces negative values by 0.
    """

    pictures: np.ndarray
    before: np.ndarray
    after: np.ndarray
    box: Box
    rectified: bool = False

    @property
    def broken(self) -> np.ndarray:
        """The channels whose response is NaN or infinite, a mask `(channels,)`. Their pictures are meaningless."""
        return ~np.isfinite(self.after)

    @property
    def dead(self) -> np.ndarray:
        """The channels whose response no step has changed, a mask `(channels,)`. Their pictures are initial noise."""
        return ~self.broken & (self.after == self.before)

    @property
    def silent(self) -> np.ndarray:
        """The channels that are rectified to 0 even on their own picture, a mask `(channels,)`."""
        return ~self.broken & ~self.dead & (self.after <= 0) & self.rectified


def maximise(
    model: keras.Model,
    layer: str,
    ascent: Ascent = Ascent(),
    *,
    call: int | None = None,
    channels: Sequence[int] | None = None,
    most: int | None = None,
    seed: int = 0,
    low: float | None = None,
    high: float | None = None,
    batch_size: int = 64,
) -> Maximised:
    """Finds, for each channel of a layer, the picture that its middle unit responds to most, at inference.

    Args:
        model: a model from pictures `(batch, height, width, colours)`. Batch normalisation uses its moving statistics.
            If the model takes integers, they are treated as real numbers.
        layer: name of a layer whose output is maps `(batch, rows, columns, channels)` or units `(batch, units)`;
            inside a nested model `backbone/conv1`, or the last part if it is unique.
        ascent: the settings.
        call: for a shared layer, which of its calls, from 0.
        channels: the channels; None: all.
        most: the largest number of channels if `channels` is None.
        seed: seed of noise and jitter. Equal seeds give equal pictures on one machine.
        low: input value of black; None: -0.5, or 0 for a model of integer inputs.
        high: input value of white; None: 0.5, or 255 for a model of integer inputs.
        batch_size: number of pictures that are optimised together.

    Returns:
        The pictures and the responses of the channels.

    Raises:
        ValueError: there is no such layer, call or channel; the layer's output is neither maps nor units; the model's
            input is not one picture; the model cannot be run on pictures, or has no gradient; or weights are NaN or
            infinite.
        TypeError: the receptive field of a layer is not known (see `cnn_models.receptive_field`), or the model has no
            graph.
    """
    model = with_size(model, layer, call)
    shape = model.inputs[0].shape[1:]
    graph = trace(model)
    target = target_of(graph, layer, call)
    field = receptive_field(model, layer, call=call)
    unit = middle(target.outputs[0], field)
    box = box_of(layer, field, unit)
    chosen = _chosen(layer, target.outputs[0].shape[-1], channels, most)
    generator = np.random.default_rng(seed)
    start = generator.uniform(-ascent.noise, ascent.noise, (len(chosen), *shape)).astype("float32")
    shifts = _shifts(ascent, field, shape, generator)
    black, white = _range(model.inputs[0].dtype, low, high)
    with up_to(graph, target, ascent.before_activation) as part:
        response = _Response(part, unit, (black + white) / 2, (white - black) / 2)
        _refuse_diverged(part.calls)
        _try(layer, response, start[:batch_size], chosen[:batch_size])
        climb = _Climb(response, box, shifts, _blurs(ascent, box, shape[-1]), ascent)
        try:
            pictures, before, after = _in_batches(climb, start, chosen, batch_size)
        except Exception as error:  # the backend's own, as when memory runs out
            raise ValueError(_cannot_run(layer, shape, error)) from error
    (top, bottom), (left, right) = box
    rectified = ascent.before_activation and rectifies(target.layer)
    return Maximised(pictures[:, top : bottom + 1, left : right + 1], before, after, box, rectified)


def _in_batches(climb: "_Climb", start: np.ndarray, chosen: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Executes the ascent batch by batch; returns pictures, responses before and responses after."""
    batches = [slice(at, at + batch_size) for at in range(0, len(chosen), batch_size)]
    return [np.concatenate(part) for part in zip(*(climb(start[at], chosen[at]) for at in batches), strict=True)]


def _shifts(ascent: Ascent, field: ReceptiveField, shape: Sequence[int], generator: np.random.Generator) -> np.ndarray:
    """The jitter of each step in pixels, int32 `(steps, 2)`."""
    reach = int(ascent.jitter * max(field.size[0] or shape[0], field.size[1] or shape[1]))
    return generator.integers(-reach, reach, (ascent.steps, 2), endpoint=True).astype("int32")


def _chosen(layer: str, count: int, channels: Sequence[int] | None, most: int | None) -> np.ndarray:
    """The channels to optimise, int32."""
    chosen = np.arange(count)[:most] if channels is None else np.asarray(channels)
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"Layer '{layer}' has channels 0 to {count - 1}; asked for {chosen.tolist()}.")
    return chosen.astype("int32")


def _range(dtype: str, low: float | None, high: float | None) -> tuple[float, float]:
    """The input values of black and white."""
    usual = (-0.5, 0.5) if keras.backend.is_float_dtype(dtype) else (0.0, 255.0)
    black, white = usual[0] if low is None else low, usual[1] if high is None else high
    if not (math.isfinite(black) and math.isfinite(white) and black < white):
        raise ValueError(f"Black must be a smaller number than white, got {black:g} and {white:g}.")
    return black, white


def _refuse_diverged(calls: Sequence[Call]) -> None:
    """Refuses weights that are NaN or infinite. In one channel, they make the gradient of all channels NaN.

    Raises:
        ValueError: a layer has such weights.
    """
    names = ", ".join(dict.fromkeys(call.name for call in calls if not _is_finite(call.layer)))
    if names:
        raise ValueError(f"Weights of {names} are NaN or infinite, so no channel has a picture: the training diverged.")


def _is_finite(layer: Any) -> bool:
    return all(np.isfinite(keras.ops.convert_to_numpy(one)).all() for one in getattr(layer, "weights", ()))


@dataclasses.dataclass(frozen=True)
class _Climb:
    """Executes the steps of an ascent on one batch.

    Attributes:
        response: of the channels.
        box: the receptive field in the picture.
        shifts: the jitter of each step in pixels, int32 `(steps, 2)`.
        blurs: the kernel of each step, see `_blurs`.
        ascent: the settings.
    """

    response: "_Response"
    box: Box
    shifts: np.ndarray
    blurs: np.ndarray | None
    ascent: Ascent

    def __call__(self, x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pictures that the steps lead to from x, and the responses of the channels `which` before and after."""
        before = self._responses(x, which)
        for step in range(self.ascent.steps):
            shift = self.shifts[step]
            slope = np.roll(self._slope(np.roll(x, shift, (1, 2)), which), -shift, (1, 2))
            if self.blurs is not None:
                blurred = keras.ops.depthwise_conv(slope, self.blurs[step], 1, "same", data_format="channels_last")
                slope = keras.ops.convert_to_numpy(blurred)
            x = np.clip(x + self.ascent.step * slope / (self._size(slope) + SMALL), -1, 1)
            if self.ascent.norm is not None:
                x = x * np.minimum(1, self.ascent.norm / (self._size(x) + SMALL))
        return x, before, self._responses(x, which)

    @functools.cached_property
    def _slope(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """The gradient of the sum of responses."""
        return compiled_gradient(lambda x, which: keras.ops.sum(self.response(x, which)))

    def _responses(self, x: np.ndarray, which: np.ndarray) -> np.ndarray:
        return np.array(keras.ops.convert_to_numpy(self.response(*map(keras.ops.convert_to_tensor, (x, which)))))

    def _size(self, x: np.ndarray) -> np.ndarray:
        """The root mean square over the field, `(batch, 1, 1, 1)`."""
        (top, bottom), (left, right) = self.box
        return np.sqrt(np.mean(x[:, top : bottom + 1, left : right + 1] ** 2, axis=(1, 2, 3), keepdims=True))


def _blurs(ascent: Ascent, box: Box, colours: int) -> np.ndarray | None:
    """The Gaussian kernel of each step, `(steps, side, side, colours, 1)`; None without blur."""
    side = max(last - first + 1 for first, last in box)
    widest = ascent.blur * side
    if not widest:
        return None
    reach = math.ceil(2 * widest)
    squares = np.arange(-reach, reach + 1) ** 2
    sigmas = np.maximum(widest * (1 - 2 * np.arange(ascent.steps) / ascent.steps), 1e-3)
    line = np.exp(-squares / (2 * sigmas[:, np.newaxis] ** 2))
    line /= line.sum(axis=1, keepdims=True)
    kernels = line[:, :, np.newaxis] * line[:, np.newaxis, :]
    return np.tile(kernels[..., np.newaxis, np.newaxis], (1, 1, 1, colours, 1)).astype("float32")


@dataclasses.dataclass(frozen=True)
class _Response:
    """The response of one channel to each picture of a batch.

    Attributes:
        part: the part of the model up to the layer.
        unit: row and column of the unit; None if the layer's output has no rows and columns.
        grey: input value of grey.
        half: half the difference of the input values of white and black.
    """

    part: PartialModel
    unit: tuple[int, int] | None
    grey: float
    half: float

    def __call__(self, x: Any, which: Any) -> Any:
        """The responses `(batch,)` of the channels `which`, int32 `(batch,)`, to deviations x from grey."""
        maps = keras.ops.cast(self.part(self.grey + self.half * x), "float32")
        maps = maps if self.unit is None else maps[:, self.unit[0], self.unit[1]]
        return keras.ops.take_along_axis(maps, which[:, None], axis=1)[:, 0]


def _try(layer: str, response: "_Response", start: np.ndarray, which: np.ndarray) -> None:
    """Takes one gradient before anything is compiled, where errors of the model have clear messages.

    Raises:
        ValueError: the model cannot be run on such pictures, or the response has no gradient.
    """
    try:
        gradient(lambda x, chosen: keras.ops.sum(response(x, chosen)), start, which)
    except NoGradient as error:
        raise ValueError(f"Layer '{layer}' cannot be maximised, as it has no gradient. {error}") from error
    except Exception as error:  # the user's model may raise any error
        raise ValueError(_cannot_run(layer, start.shape[1:], error)) from error


def _cannot_run(layer: str, shape: Sequence[int], error: Exception) -> str:
    return f"Layer '{layer}' cannot be run on pictures {tuple(shape)}: {type(error).__name__}: {one_line(error)}"
