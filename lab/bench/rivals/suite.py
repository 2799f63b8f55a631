"""This suite's training loop: `python -m lab.bench.rivals.suite [THREADS [BATCH [PRECISION]]]`.

`python -m lab.bench.rivals.suite pair` trains two networks at once, in processes of one thread each, as two workers do.
"""

import json
import subprocess
import sys
import time

from lab.bench.rivals import BATCH, EPOCHS, THREADS, configure_tensorflow, print_result


def main(threads: str = str(THREADS), batch: str = str(BATCH), precision: str = "float32") -> None:
    """Trains, and measures the seconds of each epoch's steps. Validation is not measured, as the rivals have none.

    Args:
        threads, batch, precision: as on the command line.
    """
    configure_tensorflow(int(threads))
    import keras

    from lab.data import datasets
    from lab.declare.recipe import Training
    from lab.learn.training import Trainer

    class Clock(keras.callbacks.Callback):
        """Seconds from the beginning of an epoch to the end of its last step."""

        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.began = time.perf_counter()
            self.seconds.append(0.0)

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            self.seconds[-1] = time.perf_counter() - self.began

    clock = Clock()
    settings = Training("lenet5-relu", epochs=EPOCHS, batch_size=int(batch), precision=precision)
    outcome = Trainer(settings, datasets.load("mnist"), [clock]).run(0)
    print_result(clock.seconds, outcome["metrics"]["test_accuracy"])


def pair() -> None:
    """Prints the seconds of an epoch of a run: half of those that it takes beside another."""
    command = [sys.executable, "-m", "lab.bench.rivals.suite", "1"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [process.communicate()[0] for process in both]
    results = [json.loads(output.strip().splitlines()[-1]) for output in ended]
    seconds = [value / 2 for result in results for value in result["values"]]
    print(json.dumps({"values": seconds, "accuracy": results[0]["accuracy"]}))


if __name__ == "__main__":
    if sys.argv[1:] == ["pair"]:
        pair()
    else:
        main(*sys.argv[1:])
