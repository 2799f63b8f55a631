"""The effective receptive field: how strongly a unit depends on each pixel (Luo et al. 2016)."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from cnn_models.analysis.geometry.fields import ReceptiveField
from cnn_models.analysis.graph import trace
from cnn_models.analysis.inspector import receptive_field
from cnn_models.gradients.derivative import gradient
from cnn_models.gradients.partial_model import up_to
from cnn_models.gradients.targets import middle, target_of

EFFECTIVE_SHARE = 1 - 0.9545  # share of the largest gradient, from two standard deviations (Luo et al. 2016)


def gradient_of_centre(model: Callable[[Any], Any], inputs: np.ndarray) -> np.ndarray:
    """The gradient of the units at the middle position with respect to each pixel.

    Args:
        model: a model from pictures `(n, height, width, channels)` to maps `(n, rows, columns, maps)`, or to units
            `(n, units)`, which have no position; or a function that is one at inference.
        inputs: pictures `(n, height, width, channels)`.

    Returns:
        The absolute gradient of the sum over the maps, averaged over pictures and channels, `(height, width)`.

    Raises:
        ValueError: there is no such gradient, see `cnn_models.gradients.derivative.gradient`.
    """
    at_inference = {"training": False} if isinstance(model, keras.Layer) else {}

    def centre(pictures: Any) -> Any:
        maps = model(pictures, **at_inference)
        middle = maps[:, maps.shape[1] // 2, maps.shape[2] // 2] if len(maps.shape) == 4 else maps
        return keras.ops.sum(middle)

    return np.abs(gradient(centre, inputs)).mean(axis=(0, 3))


def effective_side(gradient: np.ndarray) -> float:
    """The side of the effective field in pixels (Luo et al. 2016).

    Args:
        gradient: a result of `gradient_of_centre`.

    Returns:
        The square root of the number of pixels whose gradient exceeds `EFFECTIVE_SHARE` of the largest.
    """
    peak = gradient.max()
    return float((gradient > EFFECTIVE_SHARE * peak).sum() ** 0.5) if peak > 0 else 0.0


def gradient_of_layer(
    model: keras.Model, layer: str, inputs: np.ndarray, *, call: int | None = None
) -> tuple[ReceptiveField, np.ndarray]:
    """The exact field of a layer, and the gradient of its middle unit with respect to each pixel.

    Args:
        model: a model from pictures `(n, height, width, channels)`, of a known size (see
            `cnn_models.gradients.targets.with_size`).
        layer: name of a layer whose output is maps or units; inside a nested model `backbone/conv1`.
        inputs: pictures `(n, height, width, channels)`, float32.
        call: for a shared layer, which of its calls, from 0.

    Returns:
        The field, and the gradient as of `gradient_of_centre`.

    Raises:
        ValueError: there is no such layer or call, its output is neither maps nor units, or there is no gradient.
        TypeError: the field of a layer is not known, or the model has no graph.
    """
    graph = trace(model)
    target = target_of(graph, layer, call)
    field = receptive_field(model, layer, call=call)
    middle(target.outputs[0], field)  # refuses maps of another order
    with up_to(graph, target, before_activation=False) as part:
        return field, gradient_of_centre(part, inputs)
