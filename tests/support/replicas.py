"""Compares training with one replica and with two. It is a program, as a process can split its CPU only once.

Prints JSON: for each recipe the largest differences of weights and of metrics, the relative difference of the
optimizer's momentum, and the last loss.
"""

import json
import sys

import numpy as np

from lab.data import datasets
from lab.declare import machine
from lab.declare.recipe import Canvas, Distortion, RandomCrop, Training, View
from lab.learn import devices
from lab.learn.training import Trainer

RECIPES = {
    "plain": Training("lenet5-relu", epochs=1, precision="float64"),
    "distorted": Training("linear", epochs=1, distortion=Distortion(10, 0.1, 0.1, 1), precision="float64"),
    "cropped": Training("linear", epochs=1, random_crop=RandomCrop(2, flip=True), precision="float64"),
    "altered": Training("linear", epochs=1, view=View(alteration="blocks4"), precision="float64"),
    "moving": Training("linear", epochs=1, view=View(Canvas(56, "everywhere", moving=True)), precision="float64"),
    "1998": Training("linear", epochs=1, rubbish_penalty=0.1, precision="float64"),
    "float16": Training("linear", epochs=1, steps_per_epoch=1, precision="mixed_float16"),
}


def numbers(outcome):
    """All metrics and all values of the history, without times."""
    values = [value for name, value in outcome["metrics"].items() if not name.endswith("_seconds")]
    history = [v for name, of in sorted(outcome["history"].items()) if not name.endswith("_seconds") for v in of]
    return np.array(values + history)


def gradients(trainer):
    """The optimizer's momentum of all weights; after the first step, that step's gradients times 1 - β1."""
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    return np.concatenate([momentum.numpy().ravel() for momentum in optimizer._momentums])


def differences(name, strategy, digits):
    one, two = Trainer(RECIPES[name], digits), Trainer(RECIPES[name], digits, strategy=strategy)
    outcomes = [trainer.run(1) for trainer in (one, two)]
    pairs = zip(one.model.trainable_variables, two.model.trainable_variables, strict=True)
    return {
        "weights": max(float(np.abs(a.numpy() - b.numpy()).max()) for a, b in pairs),
        "metrics": float(np.abs(np.subtract(*map(numbers, outcomes))).max()),
        "gradients": float(np.linalg.norm(gradients(one) - gradients(two)) / np.linalg.norm(gradients(one))),
        "loss": outcomes[1]["history"]["train_loss"][-1],
    }


if __name__ == "__main__":
    devices.claim(machine.Devices("cpu", 2), 0)
    devices.one_thread()
    strategy = devices.strategy()
    assert strategy.num_replicas_in_sync == 2
    loaded = datasets.load("digits")
    print(json.dumps({name: differences(name, strategy, loaded) for name in sys.argv[1:] or RECIPES}))
