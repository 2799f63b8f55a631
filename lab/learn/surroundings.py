"""Environment variables that make results independent of the machine."""

import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# TensorFlow turns oneDNN on by itself only where the processor has AVX-512; without, its own convolutions
# take four times as long (LeNet-5, one thread, AVX2: 21.2 s an epoch against 5.3 s).
TENSORFLOW = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def surroundings() -> None:
    """Environment variables that make results independent of the machine; set before TensorFlow starts."""
    os.environ.update(dict.fromkeys(THREADS, "1"), **TENSORFLOW)
