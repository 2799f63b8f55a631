"""Losses that Keras lacks."""

from typing import Any

import keras
from keras import ops

from cnn_models.layers.registry import register


@register
class MapCriterion(keras.losses.Loss):
    """The maximum a posteriori criterion of LeCun 1998, equation 9.

    For penalties y_i of the classes and the true class D it is y_D + log(e^-j + Σ_i e^-y_i). The constant j acts as the
    penalty of an eleventh, "rubbish" class: if the penalty of the true class exceeds j, the loss still decreases it.

    Args:
        j: the penalty of the rubbish class, above 0. The paper does not give its value.

    Shapes: labels `(batch,)`, logits `(batch, classes)`, where a logit is a negative penalty.
    """

    def __init__(self, j: float, name: str = "map_criterion", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.j = j

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each picture, shape `(batch,)`."""
        rubbish = ops.full_like(y_pred[:, :1], -self.j)
        everything = ops.logsumexp(ops.concatenate([y_pred, rubbish], axis=1), axis=1)
        labels = ops.expand_dims(ops.cast(y_true, "int32"), 1)
        return everything - ops.squeeze(ops.take_along_axis(y_pred, labels, axis=1), axis=1)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        return {**super().get_config(), "j": self.j}
