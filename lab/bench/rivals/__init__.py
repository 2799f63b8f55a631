"""The programs that `lab.bench.benchmark` times. Each module prints one JSON object at its end.

`suite`, `keras_fit` and `torch_loop` train the same LeNet-5 (61,706 parameters, ReLU, max pooling) on the same 55,000
pictures of MNIST, with AdamW and the same one-cycle schedule, batch size 128, the same precision and number of
threads. They measure the seconds of each epoch from its first step to its last.
"""

import json
import os
import sys
from collections.abc import Sequence

THREADS = 2
EPOCHS = 4
BATCH = 128
PEAK_RATE, WEIGHT_DECAY, WARM_UP = 6e-3, 0.05, 0.2


def configure_tensorflow(threads: int = THREADS) -> None:
    """Gives every program the same TensorFlow kernels and threads. Call it before TensorFlow is imported."""
    from lab.learn.surroundings import TENSORFLOW

    os.environ.update(TENSORFLOW, CUDA_VISIBLE_DEVICES="-1", OMP_NUM_THREADS=str(threads))
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def print_result(epoch_seconds: Sequence[float], accuracy: float) -> None:
    """Prints seconds per epoch and test accuracy as JSON, without the first epoch, which traces graphs."""
    print(json.dumps({"values": list(epoch_seconds[1:]), "accuracy": accuracy}))
    sys.stdout.flush()
