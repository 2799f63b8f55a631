"""What neurons answer to, layer by layer (slide "Нейросеть учит иерархические шаблоны")."""

import dataclasses

from experiments.lab.claims import Above, Evidence, Part, Rises
from experiments.lab.spec import Experiment, Training, UsageError, Variant
from cnn_models.zoo import unknown

LAYERS = {
    "lenet5-relu": ("c1", "c3", "c5", "f6"),
    "bn-6": ("relu1", "relu2", "relu3", "relu4", "relu5", "relu6"),
}
RECIPES = {"lenet5-relu": {}, "bn-6": {"learning_rate": 1e-2}}
# Random labels can only be learnt by heart, so there are fewer of them, in as many steps as the true ones get.
LEARNT_FROM = {"trained": {"epochs": 3}, "random-labels": {"epochs": 33, "examples": 5_000, "random_labels": True}}
CONDITIONS = ("trained", "random-labels", "random-weights")
