"""A study in one process of two threads, without workers: `one_process RUNS EPOCHS`.

The runs are this suite's, one after another, with a graph that is traced once. Nothing is recorded.
"""

import sys

from lab.bench.rivals import configure_tensorflow


def main(runs: int, epochs: int) -> None:
    """Trains LeNet-5 on MNIST with seeds 0 to runs-1."""
    configure_tensorflow()
    from lab.data import datasets
    from lab.declare.recipe import Training
    from lab.learn.training import Trainer

    trainer = Trainer(Training("lenet5-relu", epochs=epochs), datasets.load("mnist"))
    for seed in range(runs):
        trainer.run(seed)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
