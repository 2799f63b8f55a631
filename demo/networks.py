"""The networks that the page can open: those trained here, and a few that are kept with the suite.

A network is opened only beside its record, whose checksum it must have, and only in Keras's safe mode.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import cnn_models
from demo.inside import Network
from experiments.lab.records import Record, Records

KEPT = Path(__file__).parents[1] / "results" / "reference" / "networks"


class Shelf:
    """Folders of results, in which trained networks lie beside their records.

    Args:
        folders: of several networks of one name, that in the first folder is taken.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self._found: dict[str, tuple[Records, Record]] = {}

    def listed(self, dataset: str) -> dict[str, str]:
        """What was trained on a data set, with its pixels in their places: names, and what to call them; best first."""
        self._found = self._find()
        runs = {name: record for name, (_, record) in self._found.items() if _shown(record, dataset)}
        return {name: _label(runs[name]) for name in sorted(runs, key=lambda name: _error(runs[name]))}

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
            return _opened(records.attachment(record, "network"), record["network"]["sha256"])
        except (FileNotFoundError, TypeError) as error:
            raise ValueError(f"{name} cannot be opened: {error}") from error

    def _find(self) -> dict[str, tuple[Records, Record]]:
        """Every finished run whose network is there, by name."""
        found = {}
        for records in map(Records, reversed(self.folders)):
            for experiment in records.experiments():
                for record in records.of(experiment):
                    file = record.get("network", {}).get("file")
                    if record["status"] == "finished" and file and (records.folder(experiment) / file).exists():
                        found[f"{experiment}/{Path(file).stem}"] = (records, record)
        return found


@functools.lru_cache(maxsize=16)
def _opened(path: Path, checksum: str) -> Network:
    return Network(cnn_models.open_model(str(path)))


def _shown(record: Record, dataset: str) -> bool:
    run = record["specification"]
    return run["dataset"] == dataset and not run["settings"].get("shuffled_pixels")


def _error(record: Record) -> float:
    return record["metrics"].get("test_error_percent", 100.0)


def _label(record: Record) -> str:
    run = record["specification"]
    return (
        f"{run['variant']}, seed {run['seed']} ({run['experiment']}; misreads {_error(record):.2f} % of the test set)"
    )
