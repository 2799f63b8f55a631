"""The machine's peak: products of two square matrices in float32, with all threads."""

import json
import time

from lab.bench.rivals import configure_tensorflow

SIDE = 2048
TIMES = 10


def main() -> None:
    """Prints the FLOP/s of the fastest of several products. A multiply-accumulate counts as two operations."""
    configure_tensorflow()
    import tensorflow as tf

    one = tf.random.normal([SIDE, SIDE])
    tf.linalg.matmul(one, one).numpy()
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        tf.linalg.matmul(one, one).numpy()
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"values": [2 * SIDE**3 / min(seconds)]}))


if __name__ == "__main__":
    main()
