"""The journal of a search on disk."""

from pathlib import Path
from typing import Any

from lab.declare.search import Search
from lab.store import checked
from lab.store.records import Records


class Journal:
    """The decisions of a search in their order, in one file that is written atomically.

    Records alone ensure that no finished run is repeated. With the journal, an interrupted search also makes the
    same decisions again, although they depend on which worker was faster. A damaged journal is set aside like a
    damaged record, and the search starts its decisions again.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[list[Any]] = checked.read(path) or []

    def append(self, *event: Any) -> None:
        """Adds a decision, and writes the journal to disk."""
        self.events.append(list(event))
        checked.write(self.path, self.events)

    def clear(self) -> None:
        """Deletes all decisions, also on disk."""
        self.events = []
        checked.write(self.path, self.events)


def journal(search: Search, records: Records) -> Journal:
    """Opens the journal of a search. It lies in the folder of the experiment's records."""
    folder = records.folder(search.experiment) / ".searches"
    folder.mkdir(parents=True, exist_ok=True)
    return Journal(folder / f"{search.name}.json")
