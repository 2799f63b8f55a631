"""Training on photographs, on one thread: `photographs suite`, `photographs keras` (fit) or `photographs torch`.

All train convnet-16 on CIFAR-10 without distortions, by AdamW in batches of 64.
"""

import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from lab.bench.rivals import configure_tensorflow
from lab.data import datasets

NETWORK, BATCH, STEPS, CALLS, RATE, DECAY = "convnet-16", 64, 60, 4, 7e-3, 0.05
WIDTHS, POOLED = (16, 32, 48, 80, 96, 128), (2, 3, 5)
PARAMETERS = 235_226  # that are trained


def main(way: str) -> None:
    """Prints the seconds of an epoch by each of some calls but the first, which warms up, and the peak of memory.

    A call is `STEPS` steps; the rest of an epoch is taken to go on as they do.
    """
    train = datasets.load("cifar-10").train
    step_seconds = {"suite": _suite, "keras": _keras, "torch": _torch}[way]()
    seconds = [step_seconds() * (len(train.labels) // BATCH) for _ in range(CALLS)][1:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"values": seconds, "megabytes": peak}))


def _timed(work: Callable[[], object]) -> float:
    """Seconds a step of work that is `STEPS` steps."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / STEPS


def _part() -> tuple[np.ndarray, np.ndarray]:
    train = datasets.load("cifar-10").train
    return train.images[: STEPS * BATCH], train.labels[: STEPS * BATCH].astype("int64")


def _suite() -> Callable[[], float]:
    configure_tensorflow(1)
    from lab.declare.recipe import Training
    from lab.learn import devices
    from lab.learn.training import Trainer

    devices.one_thread()
    trainer = Trainer(Training(NETWORK, batch_size=BATCH, learning_rate=RATE), datasets.load("cifar-10"))
    trainer.reset(0)
    places = np.asarray(trainer.order(0, 0))[: STEPS * BATCH].reshape(STEPS, BATCH)
    return lambda: _timed(lambda: trainer.train(places, 0, 0))


def _keras() -> Callable[[], float]:
    configure_tensorflow(1)
    import keras

    import cnn_models
    from cnn_models.brightness import network_input

    model = cnn_models.build(NETWORK, (32, 32, 3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Without XLA, with which it takes longer on a CPU.
    model.compile(keras.optimizers.AdamW(RATE, weight_decay=DECAY), loss, jit_compile=False)
    images, labels = _part()
    values = network_input(images.astype("float32"))
    return lambda: _timed(lambda: model.fit(values, labels, BATCH, verbose=0))


def _torch() -> Callable[[], float]:
    import torch
    from torch import nn

    from cnn_models.brightness import network_input

    torch.set_num_threads(1)
    layers: list[nn.Module] = []
    for number, (before, width) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False), start=1):
        layers.append(nn.Conv2d(before, width, 3, padding=1, bias=False))
        layers += [nn.MaxPool2d(2)] if number in POOLED else []
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 10))
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    model = model.to(memory_format=torch.channels_last)
    optimizer, loss_of = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY), nn.CrossEntropyLoss()
    images, labels = map(torch.from_numpy, _part())
    images = images.permute(0, 3, 1, 2)  # which leaves the channels last in memory

    def steps() -> None:
        for batch in torch.randperm(len(labels)).split(BATCH):
            loss = loss_of(model(network_input(images[batch].float())), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return lambda: _timed(steps)


if __name__ == "__main__":
    main(sys.argv[1])
