"""The work of `make features`: trains what is missing, looks into one layer at a time."""

import time

import keras
import numpy as np

import cnn_models
from cnn_models.brightness import brightnesses
from cnn_models.gradients.maximisation import NAIVE, Maximised, maximise
from experiments.features import NAIVE_CHANNELS, NAIVE_LAYERS
from experiments.features.layer_measures import Layer as Reader
from experiments.features.layer_measures import Reading, measure, pixels, strongest
from lab.data import datasets
from lab.data.datasets import Dataset
from lab.declare.layer import Layer, Pixels
from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.learn.loop import set_seed
from lab.learn.training import TrainingWork
from lab.report.draw.channels import GREY, patches
from lab.store import environment
from lab.store.record import Record
from lab.store.records import Records

SHOWN_PATCHES = 2


class FeaturesWork:
    """Trains a network, or measures a layer of one; keeps the networks it has met."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.trains = TrainingWork(records)
        self._datasets: dict[str, Dataset] = {}
        self._networks: dict[str, keras.Model] = {}

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment | None]:
        """Does one run; see `lab.declare.work.Work`."""
        if not isinstance(run.settings, Layer | Pixels):
            return self._train(run, report)
        if run.dataset not in self._datasets:
            self._datasets[run.dataset] = datasets.load(run.dataset)
        dataset = self._datasets[run.dataset]
        if isinstance(run.settings, Pixels):
            return {"status": "finished", "facts": {}, "metrics": pixels(dataset)}, None
        model = self._network(run, dataset, report)
        if model is None:  # the network diverged, and there is nothing to look into
            return {"status": "diverged", "facts": {"network": run.settings.model}, "metrics": {}}, None
        began = time.perf_counter()
        layer = Reader(model, run.settings.layer)
        metrics, reading = measure(layer, dataset)
        metrics["layer_seconds"] = time.perf_counter() - began
        arrays: dict[str, np.ndarray] = {}
        if run.seed == 0 and run.settings.condition == "trained":
            began = time.perf_counter()
            arrays = pictures(layer, run.settings.layer, reading, dataset)
            metrics["pictures_seconds"] = time.perf_counter() - began
        facts = {
            "network": run.settings.model,
            "channels": layer.channels,
            "receptive_field_pixels": int(layer.field.size[0] or 0),
        }
        kept = Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))
        outcome = {"status": "finished", "facts": facts, "metrics": metrics}
        outcome["environment"] = {"dataset_sha256": dataset.checksum}
        return outcome, kept if arrays else None

    def _train(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment]:
        """Trains a network; how well it learnt its own labels is told beside its test error."""
        outcome, network = self.trains.execute(run, report)
        if outcome["history"].get("train_accuracy"):
            outcome["metrics"]["train_accuracy"] = outcome["history"]["train_accuracy"][-1]
        return outcome, network

    def _network(self, run: Run, dataset: Dataset, report: Report) -> keras.Model | None:
        """The layer's network: of random weights, from its record, or trained now and recorded; None: it diverged."""
        settings: Layer = run.settings
        if settings.condition == "random-weights":
            set_seed(run.seed)  # as training does before it draws the initial weights
            return cnn_models.build(settings.model, dataset.shape, dataset.classes)
        (needed,) = run.needs
        if needed.key not in self._networks:
            with self.records.lock(needed):  # another worker may be at it
                record = self.records.find(needed) or self._trained(needed, report)
            if record.status != "finished":
                return None
            file = self.records.attachment(record, "network")
            self._networks[needed.key] = cnn_models.open_model(str(file))
        return self._networks[needed.key]

    def _trained(self, run: Run, report: Report) -> Record:
        outcome, network = self._train(run, report)
        outcome["environment"] = environment.describe() | outcome["environment"]
        return self.records.save(run, outcome, network)


def pictures(layer: Reader, name: str, reading: Reading, dataset: Dataset) -> dict[str, np.ndarray]:
    """What the figure shows of a layer.

    Returns:
        Of the size of the receptive field, grey where it leaves the picture: `maximised`, what each channel
        answers to most by gradient ascent, uint8 `(channels, height, width, colours)`; `naive`, the same
        without regularisation, of some channels of `NAIVE_LAYERS`; `patches` of the test pictures that
        excite a channel most, `(channels, SHOWN_PATCHES, height, width, colours)`. And the `kernels` of a
        first layer.
    """
    top = strongest(reading, SHOWN_PATCHES)
    arrays = {
        "maximised": _framed(layer, maximise(layer.model, name)),
        "patches": np.stack(
            [
                patches(dataset.test.images[best], [layer.box(*reading.at[one, channel]) for one in best])
                for channel, best in enumerate(top)
            ]
        ),
    }
    if name in NAIVE_LAYERS:
        arrays["naive"] = _framed(layer, maximise(layer.model, name, NAIVE, channels=range(NAIVE_CHANNELS)))
    first = next(each for each in layer.model.layers if isinstance(each, keras.layers.Conv2D))
    if layer.field.size == tuple(first.kernel_size):
        arrays["kernels"] = np.moveaxis(np.asarray(first.kernel), -1, 0)
    return arrays


def _framed(layer: Reader, found: Maximised) -> np.ndarray:
    """From -1 black … 1 white to brightnesses 0…255, in the whole receptive field of the middle unit."""
    (top, bottom), (left, right) = layer.box(*(layer.place or (0, 0)))
    levels = brightnesses(found.pictures)
    inside = [
        (own[0] - first, last - own[1])
        for own, first, last in zip(found.box, (top, left), (bottom, right), strict=True)
    ]
    return np.pad(levels, ((0, 0), *inside, (0, 0)), constant_values=GREY)
