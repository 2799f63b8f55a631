"""The input of an engine: the job that all runs share, and the source that gives one task after another."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from lab.declare.machine import Devices
from lab.declare.run import Run
from lab.store.record import Record
from lab.store.records import Records


@dataclasses.dataclass(frozen=True)
class Job:
    """What all runs of a call share.

    Attributes:
        work: `module.Class` of the `lab.declare.work.Work` that executes a run.
        records: where records are written.
        environment: versions, commit and processor; they are copied into every record.
        devices: the devices of each run.
        retries: how often a failed run is tried again.
        lost_retries: how often a run whose worker process died is tried again, if this is more than `retries`.
        force: execute runs again that already have a record.
    """

    work: str
    records: Records
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    devices: Devices = dataclasses.field(default_factory=Devices)
    retries: int = 0
    lost_retries: int = 0
    force: bool = False


@dataclasses.dataclass(frozen=True)
class Task:
    """One run to execute.

    Attributes:
        run: the run.
        facts: entries for the record's `facts` that the work does not know, as the number of a trial.
    """

    run: Run
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


class Source(Protocol):
    """Gives an engine its tasks: a list of runs, or a search that chooses the next run when others have ended."""

    def next(self) -> Task | None:
        """The next task; None if there is none at present. `finished` says whether more will come."""

    def ended(self, task: Task, record: Record | None) -> None:
        """Tells the source that a task ended with this record; None: it failed or was skipped."""

    def finished(self) -> bool:
        """Whether no further task will come unless one that is in progress ends."""


class RunList:
    """A source that gives a list of runs in order. A run waits until the runs of the list that it needs have ended."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._waiting = collections.deque(runs)
        needed = {need.key for run in runs for need in run.needs}
        self._unmet = {run.key for run in runs if run.key in needed} if needed else set()

    def next(self) -> Task | None:
        """The first run whose needed runs have all ended. An earlier start could read an outdated network."""
        for place, run in enumerate(self._waiting):
            if not self._unmet or self._unmet.isdisjoint(need.key for need in run.needs):
                del self._waiting[place]
                return Task(run)
        return None

    def ended(self, task: Task, record: Record | None) -> None:
        """Releases the runs that need this one."""
        self._unmet.discard(task.run.key)

    def finished(self) -> bool:
        """Whether all runs have been given."""
        return not self._waiting
