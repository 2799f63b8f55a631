"""What `lab.bench.benchmark` times: each module is a program of its own that prints one JSON object at the end.

All train the same LeNet-5 (61,706 parameters, ReLU, maximum pooling) on the same 55,000 pictures of
MNIST, with AdamW under the same one-cycle schedule, in batches of 128, in the same precision, with
the same number of threads, and measure the seconds of an epoch from its first step to its last.
"""

import json
import os
import sys
from collections.abc import Sequence

THREADS = 2
EPOCHS = 4
BATCH = 128
PEAK_RATE, WEIGHT_DECAY, WARM_UP = 6e-3, 0.05, 0.2


def settle_tensorflow(threads: int = THREADS) -> None:
    """The same kernels and threads for every program that computes with TensorFlow; before it is imported."""
    from lab.learn.surroundings import TENSORFLOW

    os.environ.update(TENSORFLOW, CUDA_VISIBLE_DEVICES="-1", OMP_NUM_THREADS=str(threads))
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def answer(epoch_seconds: Sequence[float], accuracy: float) -> None:
    """Prints the seconds of each epoch but the first, in which graphs are traced, and the test accuracy."""
    print(json.dumps({"values": list(epoch_seconds[1:]), "accuracy": accuracy}))
    sys.stdout.flush()
