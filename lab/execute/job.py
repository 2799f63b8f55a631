"""What an engine is given: which work to do, where records go, on what devices, and how often to try."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

from lab.declare.machine import Devices
from lab.declare.run import Run
from lab.store.records import Record, Records


@dataclasses.dataclass(frozen=True)
class Job:
    """What all runs of a call share.

    Attributes:
        work: `module.Class` of the `lab.declare.work.Work` that does a run.
        records: where records go.
        environment: versions, commit and processor, copied into every record.
        devices: what each run computes on.
        retries: how often a run that fails is tried again.
        lost_retries: how often a run whose worker process died is tried again, where that is more.
        force: run even what has a record.
    """

    work: str
    records: Records
    environment: Record = dataclasses.field(default_factory=dict)
    devices: Devices = dataclasses.field(default_factory=Devices)
    retries: int = 0
    lost_retries: int = 0
    force: bool = False


@dataclasses.dataclass(frozen=True)
class Task:
    """One run to do.

    Attributes:
        run: what to run.
        facts: what its record says beside what the work finds, such as the number of a trial.
    """

    run: Run
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


class Source(Protocol):
    """Where an engine gets its runs: a list, or a search that decides on the next run when others have ended."""

    def next(self) -> Task | None:
        """The next run; None where there is none, now or for ever (`finished` tells)."""

    def ended(self, task: Task, record: Record | None) -> None:
        """A run has ended, with this record; None where it failed or was skipped."""

    def finished(self) -> bool:
        """Whether no run will ever come, given what has ended so far."""


class RunList:
    """A source that gives these runs in this order, but none before the runs of the list that it needs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._waiting = collections.deque(runs)
        needed = {need.key for run in runs for need in run.needs}
        self._unmet = {run.key for run in runs if run.key in needed} if needed else set()

    def next(self) -> Task | None:
        """The first run whose needs are met; another would read a network that is about to be replaced."""
        for place, run in enumerate(self._waiting):
            if not self._unmet or self._unmet.isdisjoint(need.key for need in run.needs):
                del self._waiting[place]
                return Task(run)
        return None

    def ended(self, task: Task, record: Record | None) -> None:
        """What needs this run may be given now."""
        self._unmet.discard(task.run.key)

    def finished(self) -> bool:
        """Whether all have been given."""
        return not self._waiting
