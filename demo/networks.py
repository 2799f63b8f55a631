"""The networks that the page can open: those trained here, and a few that are kept with the suite.

A network is opened only beside its record, whose checksum it must have, and only in Keras's safe mode.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from pathlib import Path

import cnn_models
from demo.inside import Network
from lab.store.record import Record
from lab.store.records import Records

KEPT = Path(__file__).parents[1] / "results" / "reference" / "networks"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What networks are for.

    Attributes:
        dataset: name of what they learned from.
        setting: one that only their recipe has.
        measure: in per cent, of the test set.
        words: what it says.
        higher: whether more of it is better.
    """

    dataset: str
    setting: str
    measure: str
    words: str
    higher: bool = False

    def has(self, record: Record) -> bool:
        """Whether a record's network is of this kind, and shows what it learned as it was."""
        changed = record.settings.get("shuffled_pixels") or record.settings.get("random_labels")
        return record.dataset == self.dataset and self.setting in record.settings and not changed

    def error(self, record: Record) -> float:
        """How bad it is: the lower the better."""
        value = record.metrics.get(self.measure)
        return math.inf if value is None else -value if self.higher else value

    def label(self, record: Record) -> str:
        """What to call it."""
        value = record.metrics.get(self.measure)
        measured = "" if value is None else f"; {self.words.format(value)}"
        return f"{record.variant}, seed {record.seed} ({record.experiment}{measured})"


MISREADS = ("model", "test_error_percent", "misreads {:.2f} % of the test set")
DIGITS = Kind("mnist", *MISREADS)
DOODLES = Kind("quickdraw", *MISREADS)
EDGES = Kind("mnist", "l1_weight", "read_percent", "{:.1f} % of its pictures are read correctly", higher=True)


class Shelf:
    """Folders of results, in which trained networks lie beside their records.

    Args:
        folders: of several networks of one name, that in the first folder is taken.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self._found: dict[str, tuple[Records, Record]] = {}

    def listed(self, kind: Kind) -> dict[str, str]:
        """The networks of a kind: names, and what to call them; best first."""
        self._found = self._find()
        runs = {name: record for name, (_, record) in self._found.items() if kind.has(record)}
        return {name: kind.label(runs[name]) for name in sorted(runs, key=lambda name: kind.error(runs[name]))}

    def open(self, name: str) -> Network:
        """A listed network.

        Raises:
            ValueError: there is none of this name, or it cannot be opened safely.
        """
        if name not in self._found:
            self._found = self._find()
        if name not in self._found:
            raise ValueError("There is no such network (any more): load the page anew.")
        records, record = self._found[name]
        try:
            return _opened(records.attachment(record, "network"), record.attached["network"].sha256)
        except (FileNotFoundError, TypeError) as error:
            raise ValueError(f"{name} cannot be opened: {error}") from error

    def _find(self) -> dict[str, tuple[Records, Record]]:
        """Every finished run whose network is there, by name."""
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
