"""The work of experiments that look into layers: trains what is missing, measures one layer at a time."""

import time

import keras
import numpy as np

import cnn_models
from lab.data import datasets
from lab.data.datasets import Dataset
from lab.declare.layer import Layer, Pixels
from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.learn import devices
from lab.learn.layers.measures import measure, pixels
from lab.learn.layers.pictures import pictures
from lab.learn.layers.reader import LayerReader
from lab.learn.loop import set_seed
from lab.learn.training import TrainingWork
from lab.store import environment
from lab.store.record import Record
from lab.store.records import Records


class LayersWork:
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
        measured_on = {"dataset_sha256": dataset.checksum, "devices": devices.in_use()}
        if isinstance(run.settings, Pixels):
            metrics = pixels(dataset)
            return {"status": "finished", "facts": {}, "metrics": metrics, "environment": measured_on}, None
        model = self._network(run, dataset, report)
        if model is None:  # the network diverged, and there is nothing to look into
            return {"status": "diverged", "facts": {"network": run.settings.model}, "metrics": {}}, None
        began = time.perf_counter()
        layer = LayerReader(model, run.settings.layer)
        metrics, reading = measure(layer, dataset)
        metrics["layer_seconds"] = time.perf_counter() - began
        arrays: dict[str, np.ndarray] = {}
        if run.seed == 0 and run.settings.condition == "trained":
            began = time.perf_counter()
            arrays = pictures(layer, run.settings, reading, dataset)
            metrics["pictures_seconds"] = time.perf_counter() - began
        facts = {
            "network": run.settings.model,
            "channels": layer.channels,
            "receptive_field_pixels": int(layer.field.size[0] or 0),
        }
        kept = Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))
        outcome = {"status": "finished", "facts": facts, "metrics": metrics, "environment": measured_on}
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
