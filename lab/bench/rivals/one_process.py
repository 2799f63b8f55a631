"""A study without worker processes, in one process of two threads: `… one_process RUNS EPOCHS`.

The runs are the suite's own, one after another, on a graph that is traced once; nothing is recorded.
"""

import sys

from lab.bench.rivals import settle_tensorflow


def main(runs: int, epochs: int) -> None:
    """Trains LeNet-5 on MNIST with the seeds from 0 on."""
    settle_tensorflow()
    from lab.data import datasets
    from lab.declare.recipe import Training
    from lab.learn.training import Trainer

    trainer = Trainer(Training("lenet5-relu", epochs=epochs), datasets.load("mnist"))
    for seed in range(runs):
        trainer.run(seed)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
