"""Work that trains nothing: a variant is computed once, and what comes out are exact facts."""

from typing import Any

import numpy as np

from lab.declare.run import Run
from lab.declare.work import Attachment, Report, RunOutcome
from lab.learn.devices import one_thread
from lab.store.records import Records

Facts = dict[str, float | int | str]
Arrays = dict[str, np.ndarray]


class FactsWork:
    """The work of an experiment that measures without training; a subclass says what is measured."""

    def __init__(self, records: Records) -> None:
        one_thread()

    def execute(self, run: Run, report: Report) -> tuple[RunOutcome, Attachment | None]:
        """Measures one variant; see `lab.declare.work.Work`. The seed is of no account."""
        facts, arrays = self.measure(run.settings)
        attachment = Attachment(".npz", lambda path: np.savez_compressed(path, allow_pickle=False, **arrays))
        return {"status": "finished", "facts": facts, "metrics": {}}, attachment if arrays else None

    def measure(self, settings: Any) -> tuple[Facts, Arrays]:
        """What is so, by column, and the arrays that the figure needs (none: no file)."""
        raise NotImplementedError


def deviation(found: Any, expected: Any) -> float:
    """The largest absolute difference of any two elements, in float64."""
    return float(np.max(np.abs(np.asarray(found, "float64") - np.asarray(expected, "float64"))))
