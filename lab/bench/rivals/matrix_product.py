"""The machine's own peak: products of two square matrices, in float32, on all the threads."""

import json
import time

from lab.bench.rivals import settle_tensorflow

SIDE = 2048
TIMES = 10


def main() -> None:
    """Prints FLOP/s of the fastest of several products, a product and an addition counted as two."""
    settle_tensorflow()
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
