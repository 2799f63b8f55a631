"""What `make receptive-field` measures: the field that a graph has, and the one that gradients show."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

import cnn_models
from cnn_models.brightness import network_input
from cnn_models.gradients.effective import effective_side, gradient_of_centre
from experiments.receptive_field import CHANNELS, LARGEST_EFFECTIVE, LARGEST_HEAT_MAP, SIDE, Named, Stack, Trained
from lab.data import datasets
from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.errors import Unavailable
from lab.learn.devices import one_thread
from lab.learn.loop import set_seed
from lab.store.records import Records


class FieldWork:
    """Reads the theoretical field off the model's graph, and measures the effective one by its gradient."""

    def __init__(self, records: Records) -> None:
        one_thread()
        self.records = records

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment | None]:
        """Measures one stack or trained network with one seed; see `lab.declare.work.Work`."""
        set_seed(run.seed)
        gradient: np.ndarray | None = None
        match run.settings:
            case Trained():
                facts, gradient = self._trained(run, run.settings)
            case Stack():
                facts, gradient = _stack(run.settings)
            case _:
                facts = _named(run.settings)
        metrics = {} if gradient is None else {"effective_field_pixels": effective_side(gradient)}
        outcome = {"status": "finished", "facts": facts, "metrics": metrics}
        return outcome, None if gradient is None or run.seed else _kept(gradient)

    def _trained(self, run: Run, settings: Trained) -> tuple[dict[str, Any], np.ndarray]:
        model = cnn_models.open_model(str(self._network(run, settings)))
        field = cnn_models.receptive_field(model, settings.layer)
        images = datasets.load(settings.trained_on).validation.images[:500]
        inputs = network_input(images)
        facts = {"params": model.count_params(), "receptive_field_pixels": _pixels(field.size)}
        return facts, gradient_of_centre(keras.Model(model.inputs, model.get_layer(settings.layer).output), inputs)

    def _network(self, run: Run, settings: Trained) -> Path:
        """The trained network of this seed, from its record."""
        (needed,) = run.needs
        record = self.records.find(needed)
        if record is None:
            raise Unavailable(
                f"no network of {settings.trained_as}, seed {run.seed}, trained on {settings.trained_on} as declared "
                f"(EPOCHS={needed.settings.epochs}): make {settings.trained_by} first"
            )
        if record.status != "finished":
            raise Unavailable(f"{settings.trained_as}, seed {run.seed}, diverged in training")
        return self.records.attachment(record, "network")


def _stack(settings: Stack) -> tuple[dict[str, Any], np.ndarray | None]:
    model = stack(settings.growth, settings.depth, None)
    field = cnn_models.receptive_field(model)
    size = _pixels(field.size)
    facts = {
        "params": model.count_params(),
        "receptive_field_pixels": size,
        "stride_pixels": _pixels(field.stride),
        "reaches_300": int(size >= SIDE),
    }
    if size > LARGEST_EFFECTIVE:
        return facts, None
    # Large enough for the middle unit's field to lie within, wherever strides put it.
    side = size + 4 * facts["stride_pixels"]
    pictures = np.random.default_rng(0).normal(size=(1, side, side, 1)).astype("float32")
    return facts, gradient_of_centre(model, pictures)


def _named(settings: Named) -> dict[str, Any]:
    model = cnn_models.open_model(settings.name)
    field = cnn_models.receptive_field(model, settings.layer)
    size, stride = _pixels(field.size), _pixels(field.stride)
    return {"params": model.count_params(), "receptive_field_pixels": size, "stride_pixels": stride}


def _pixels(along_axes: tuple[Any, ...]) -> int:
    """A size or stride along the first axis; the networks here are alike along both."""
    assert along_axes[0] is not None, "every network here has a definite field"
    return int(along_axes[0])


def stack(growth: str, depth: int, side: int | None) -> keras.Model:
    """`depth` convolutions of 3×3 on pictures `(side, side, 1)`, with He-normal weights and ReLU."""
    layers: list[Any] = [keras.Input((side, side, 1))]
    for number in range(depth):
        layers.append(
            keras.layers.Conv2D(
                CHANNELS,
                3,
                strides=2 if growth == "stride" else 1,
                dilation_rate=2**number if growth == "dilation" else 1,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
            )
        )
        if growth == "pooling":
            layers.append(keras.layers.MaxPooling2D(2))
    return keras.Sequential(layers)


def _kept(gradient: np.ndarray) -> Attachment | None:
    """The gradient, scaled to 0…255, for the heat map; large ones are left out."""
    if gradient.shape[0] > LARGEST_HEAT_MAP:
        return None
    levels = np.round(255 * gradient / max(gradient.max(), 1e-30)).astype("uint8")
    return Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, gradient=levels))
