"""Work: what a worker process does with a run."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from lab.declare.run import Run

Report = Callable[[dict[str, Any]], None]
RunOutcome = dict[str, Any]  # what a work found: `status`, `facts`, `metrics`, and what else its record should hold


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A file beside a record: a trained network (`.keras`) or arrays that a figure needs (`.npz`).

    Attributes:
        ending: the suffix of the file, one of `lab.store.record.KINDS`.
        save: called with a path; writes the content there.
    """

    ending: str
    save: Callable[[Path], object]


class Work(Protocol):
    """What a worker does with a run. One object, made with the records, serves all runs of a worker."""

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment | tuple[Attachment, ...] | None]:
        """Does one run.

        Args:
            run: what to do.
            report: called as it goes on, with `done` and `total` (of whatever the work counts) and
                `note`, a few words for the display.

        Returns:
            `status` ("finished" or "diverged"), `facts` (equal for all seeds), `metrics` (numbers of
            this seed) and whatever else the record should hold; and files to keep beside it.
        """
