"""What computes: the one module that tells TensorFlow which devices and threads to use."""

import tensorflow as tf


def one_thread() -> None:
    """One thread and deterministic kernels, so that a result does not depend on the number of cores.

    Raises:
        RuntimeError: TensorFlow has already begun to compute with other settings.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
