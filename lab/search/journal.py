"""The decisions of a search, in one file that is there whole or not at all."""

from pathlib import Path
from typing import Any

from lab.declare.search import Search
from lab.store import records
from lab.store.records import Records


class Journal:
    """What a search has decided so far, in one file that is there whole or not at all.

    Records alone would do to repeat no finished run; with the journal a search that was interrupted also
    makes the same decisions again, whatever its workers' speed was. One that was damaged is set aside, as a
    damaged record is, and the search decides anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[list[Any]] = records.read(path) or []

    def append(self, *event: Any) -> None:
        """Writes one more decision to the disk."""
        self.events.append(list(event))
        records.write(self.path, self.events)

    def clear(self) -> None:
        """Forgets everything."""
        self.events = []
        records.write(self.path, self.events)


def journal(search: Search, kept: Records) -> Journal:
    """The journal of a search among these records."""
    folder = kept.folder(search.experiment) / ".searches"
    folder.mkdir(parents=True, exist_ok=True)
    return Journal(folder / f"{search.name}.json")
