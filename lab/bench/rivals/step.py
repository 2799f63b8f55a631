"""A step of training on one thread: `step NETWORK fast` by the suite's own operations, `plain` by Keras's."""

import json
import sys
import time

from lab.bench.rivals import BATCH, configure_tensorflow

CALLS, SECONDS = 9, 0.3  # a call is as many steps as take about so long


def main(network: str, fast: bool) -> None:
    """Prints the milliseconds of a step in each call, after those that trace and warm up.

    Args:
        network: name in `cnn_models.MODELS`.
        fast: by which operations.
    """
    configure_tensorflow(1)
    from lab.data import datasets
    from lab.declare.recipe import Training
    from lab.learn import devices
    from lab.learn.training import Trainer

    devices.one_thread()
    penalty = 0.1 if network == "lenet5-1998" else None
    training = Training(network, epochs=1000, rubbish_penalty=penalty)  # long enough to be worth compiling
    trainer = Trainer(training, datasets.load("digits"), fast=fast)
    trainer.reset(0)
    places = trainer.order(0, 0)[:BATCH].reshape(1, BATCH)

    def seconds(steps: int) -> float:
        began = time.perf_counter()
        trainer.train(places.repeat(steps, axis=0), 0, 0)
        return time.perf_counter() - began

    seconds(1)
    steps = max(3, round(SECONDS / seconds(1)))
    print(json.dumps({"values": [1000 * seconds(steps) / steps for _ in range(CALLS)]}))


if __name__ == "__main__":
    main(sys.argv[1], {"fast": True, "plain": False}[sys.argv[2]])
