"""AdamW with two operations a variable."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class FusedAdamW(keras.optimizers.AdamW):
    """AdamW on one device, by one operation for each variable and one more for each that decays.

    Keras's own takes some fifteen operations a variable, each of which reads and writes all of it, and computes the
    learning rate anew for each variable that decays. The rule, the optimizer's variables and their order are Keras's;
    values differ by rounding. It does nothing that no recipe asks for: no clipping, no averaging, no accumulation.
    """

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable]) -> None:
        """One step.

        Args:
            grads: the gradient of each variable; none is missing.
            trainable_variables: those that the optimizer was built with, of one type.
        """
        cast = functools.partial(tf.cast, dtype=trainable_variables[0].dtype)
        rate, steps = cast(self.learning_rate), cast(self.iterations + 1)
        kept = 1 - rate * cast(self.weight_decay)
        powers = {f"beta{n}_power": tf.pow(cast(beta), steps) for n, beta in ((1, self.beta_1), (2, self.beta_2))}
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            if self._use_weight_decay(variable.value):
                variable.assign(variable * kept)
            index = self._get_variable_index(variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
                **powers,
            )
        self.iterations.assign_add(1)
