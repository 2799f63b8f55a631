"""Keras's `model.fit`: `keras_fit arrays` calls fit(x, y), `keras_fit dataset` uses tf.data and steps_per_execution.

By default Keras compiles with XLA, which is slow on CPUs. A last argument `plain` turns that off; a last argument `jax`
trains on the backend JAX.
"""

import os
import sys
import time

from lab.bench.rivals import BATCH, EPOCHS, PEAK_RATE, WARM_UP, WEIGHT_DECAY, configure_tensorflow, print_result

STEPS_PER_EXECUTION = 100  # like this suite's loop


def main(how: str, compiled: bool, backend: str) -> None:
    """Trains with `fit`, and measures the seconds of each epoch."""
    configure_tensorflow()
    os.environ["KERAS_BACKEND"] = backend
    import keras
    import tensorflow as tf

    import cnn_models
    from cnn_models.brightness import network_input
    from lab.data import datasets

    class Clock(keras.callbacks.Callback):
        """Seconds of each epoch."""

        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.seconds.append(time.perf_counter() - self.began)

    keras.utils.set_random_seed(0)
    mnist = datasets.load("mnist")
    train = mnist.train
    steps = len(train.labels) // BATCH
    images, labels = train.images[: steps * BATCH], train.labels[: steps * BATCH].astype("int32")
    model = cnn_models.build("lenet5-relu")
    warm_up = int(steps * EPOCHS * WARM_UP)
    schedule = keras.optimizers.schedules.CosineDecay(
        PEAK_RATE / 25, steps * EPOCHS - warm_up, warmup_target=PEAK_RATE, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EXECUTION if how == "dataset" else 1,
        jit_compile="auto" if compiled else False,
    )
    clock = Clock()
    if how == "dataset":
        pictures = tf.data.Dataset.from_tensor_slices((images, labels)).cache().shuffle(len(labels), seed=0)
        pictures = pictures.batch(BATCH, drop_remainder=True)
        pictures = pictures.map(lambda x, y: (network_input(tf.cast(x, tf.float32)), y), tf.data.AUTOTUNE)
        model.fit(pictures.prefetch(tf.data.AUTOTUNE), epochs=EPOCHS, callbacks=[clock], verbose=0)
    else:
        values = network_input(images.astype("float32"))
        model.fit(values, labels, BATCH, EPOCHS, callbacks=[clock], verbose=0)
    tested = network_input(mnist.test.images.astype("float32"))
    print_result(clock.seconds, model.evaluate(tested, mnist.test.labels, verbose=0, return_dict=True)["accuracy"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[-1] != "plain", "jax" if sys.argv[-1] == "jax" else "tensorflow")
