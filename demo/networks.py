"""The networks that the page can open: those of the results folder, and a few that come with the suite.

A network is opened only if its checksum agrees with that in its record, and only in Keras's safe mode.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import cnn_models
from demo.inside import Network
from lab.store import records as kept
from lab.store.record import Record
from lab.store.records import Records

REFERENCE = kept.REFERENCE / "networks"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of networks: those for one tab of the page.

    Attributes:
        dataset: name of the training data set.
        setting: a setting that only the recipes of this kind have.
        measure: the metric that ranks them, in per cent of the test set.
        words: format of the metric for people.
        higher: whether a higher value is better.
        without: settings that no recipe of this kind has.
    """

    dataset: str
    setting: str
    measure: str
    words: str
    higher: bool = False
    without: tuple[str, ...] = ()

    def has(self, record: Record) -> bool:
        """Whether a record's network is of this kind, and was trained on unchanged pictures and labels."""
        changed = any(record.settings.get(name) for name in ("shuffled_pixels", "random_labels", *self.without))
        return record.dataset == self.dataset and self.setting in record.settings and not changed

    def error(self, record: Record) -> float:
        """The metric of a record as an error: lower is better."""
        value = record.metrics.get(self.measure)
        return math.inf if value is None else -value if self.higher else value

    def label(self, record: Record) -> str:
        """The text for people that names a network."""
        value = record.metrics.get(self.measure)
        measured = "" if value is None else f"; {self.words.format(value)}"
        return f"{record.variant}, seed {record.seed} ({record.experiment}{measured})"


MISREADS = ("model", "test_error_percent", "misreads {:.2f} % of the test set")
DIGITS = Kind("mnist", *MISREADS)
DOODLES = Kind("quickdraw", *MISREADS)
PHOTOGRAPHS = Kind("cifar-10", *MISREADS, without=("canvas", "grey", "alteration"))
EDGES = Kind("mnist", "l1_weight", "read_percent", "{:.1f} % of its pictures are read correctly", higher=True)


class NetworkStore:
    """The trained networks in several results folders.

    Args:
        folders: results folders. Of networks of the same name, the one in the first folder is used.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self._found: dict[str, tuple[Records, Record]] = {}

    def names(self, kind: Kind) -> dict[str, str]:
        """The networks of a kind: a dictionary from names to labels, best first."""
        self._found = self._find()
        runs = {name: record for name, (_, record) in self._found.items() if kind.has(record)}
        return {name: kind.label(runs[name]) for name in sorted(runs, key=lambda name: kind.error(runs[name]))}

    def open(self, name: str) -> Network:
        """Opens a network by name.

        Raises:
            ValueError: there is no such network, or it cannot be opened safely.
        """
        if name not in self._found:
            self._found = self._find()
        if name not in self._found:
            raise ValueError("There is no such network, or it was deleted: reload the page.")
        records, record = self._found[name]
        try:
            return _opened(records.attachment(record, "network"), record.attached["network"].sha256)
        except (FileNotFoundError, TypeError) as error:
            raise ValueError(f"{name} cannot be opened: {error}") from error

    def _find(self) -> dict[str, tuple[Records, Record]]:
        """The records of all finished runs whose network file exists, by name."""
        found = {}
        for records in map(Records, reversed(self.folders)):
            for experiment in records.experiments():
                for record in records.of(experiment):
                    network = record.attached.get("network")
                    if record.status == "finished" and network and (records.folder(experiment) / network.file).exists():
                        found[f"{experiment}/{Path(network.file).stem}"] = (records, record)
        return found


@functools.lru_cache(maxsize=16)
def _opened(path: Path, checksum: str) -> Network:
    return Network(cnn_models.open_model(str(path)))
