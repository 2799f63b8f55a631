"""Runs over a Ray cluster of many machines.

Ray schedules, starts again what a lost process or node was at, and ships this checkout's code. This module keeps few
tasks waiting (Ray's pattern against too many pending tasks), holds each run's lock here while it is under way, and
writes its record here when its result is back: so a run counts once, however often Ray had to start it.
"""

import functools
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import filelock

from lab.declare.machine import Devices
from lab.declare.run import Run
from lab.declare.work import Work
from lab.errors import Unavailable, UsageError
from lab.execute import recorded
from lab.execute.attempts import Attempts, Listener, Outcome
from lab.execute.in_process import HELD_POLL_SECONDS
from lab.execute.job import Job, Source, Task
from lab.learn.devices import claim
from lab.learn.surroundings import surroundings
from lab.store.records import Attachment, Record, Records

ROOT = Path(__file__).parents[2]
NOT_CODE = [".git", ".venv", "/results", "**/__pycache__", ".*_cache", ".hypothesis"]
LOST_RETRIES = 3  # how often Ray starts a run again whose process or node was lost
KNOCK_SECONDS = 20.0
WAITING = 2  # tasks given to Ray for each that can run: enough that no processor waits for the next
Submitted = tuple[Task, filelock.BaseFileLock]
Returned = tuple[str, Any]


class RayCluster:
    """The engine that does each run on one machine of a Ray cluster.

    Args:
        job: what all runs share.
        listener: hears of progress.
        address: of the cluster's head, host:port; "ray" for the one that runs on this machine (or that
            `RAY_ADDRESS` names), or else one that is started here for this call.
        workers: largest number of runs at a time; None: as many as the cluster has room for.
    """

    def __init__(self, job: Job, listener: Listener, address: str, workers: int | None = None) -> None:
        self.job, self.listener, self.address, self.workers = job, listener, address, workers
        self._attempts: Attempts
        self._submitted: dict[Any, Submitted] = {}

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Does all runs of a source that have no record yet, and waits for those that another call is at.

        Args:
            source: gives the runs.
            prepare: done before any run; what it raises ends the call.

        Raises:
            UsageError: Ray is not installed, there is no such cluster, or it has no such devices.
            OSError: records cannot be written.
        """
        prepare()
        self._attempts = attempts = Attempts(self.job, source, self.listener)
        ray = _connect(self.address)
        try:
            devices = self.job.devices
            needed = {"GPU" if devices.kind == "gpu" else "CPU": devices.replicas}
            perform = ray.remote(perform_run).options(
                num_cpus=needed.get("CPU", 1), num_gpus=needed.get("GPU", 0), max_retries=LOST_RETRIES
            )
            while self._submitted or not attempts.finished():
                self._submit(perform, _room(ray, needed, self.workers) - len(self._submitted))
                if not self._submitted:
                    if not attempts.finished():
                        time.sleep(HELD_POLL_SECONDS)  # all that is left is held by another call
                    continue
                timeout = None if attempts.finished() else HELD_POLL_SECONDS  # nodes come and go
                ready, _ = ray.wait(list(self._submitted), timeout=timeout)
                for reference in ready:
                    self._take(ray, reference)
        finally:
            for _, lock in self._submitted.values():
                lock.release()
            self._submitted.clear()
            ray.shutdown()
        return attempts.outcome

    def _submit(self, perform: Any, room: int) -> None:
        """Gives Ray as many runs as there is room for; those that another call holds have their turn later."""
        held = []
        while room > 0 and (task := self._attempts.next()):
            lock = self.job.records.lock(task.run)
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                held.append(task)
                continue
            record = None if self.job.force else self.job.records.find(task.run)
            if record:  # which another call has just written
                lock.release()
                self._attempts.kept(task, record)
                continue
            self._submitted[perform.remote(self.job, task.run)] = (task, lock)
            room -= 1
        for task in held:
            self._attempts.later(task)

    def _take(self, ray: Any, reference: Any) -> None:
        """Records what came of one task; its lock is free afterwards."""
        task, lock = self._submitted.pop(reference)
        try:
            kind, value = ray.get(reference)
        except ray.exceptions.RayError as error:  # the process or the node was lost, again and again
            kind, value = "failed", (f"{type(error).__name__} after {LOST_RETRIES} retries", str(error))
        try:
            match kind:
                case "ended":
                    self._attempts.ended(task, self._record(task, *value))
                case "skipped":
                    self._attempts.skipped(task, value)
                case _:
                    self._attempts.failed(task, *value, locked=True)
        finally:
            lock.release()

    def _record(self, task: Task, outcome: Record, attached: Sequence[tuple[str, bytes]]) -> Record:
        files = tuple(Attachment(ending, functools.partial(_write, content)) for ending, content in attached)
        return self.job.records.save(task.run, recorded.completed(outcome, task, self.job), files)


def perform_run(job: Job, run: Run) -> Returned:
    """Does one run on a node of the cluster, in a process that Ray keeps for the next ones.

    Returns:
        `("ended", (outcome, attached))`, of each attachment its ending and its bytes;
        `("skipped", reason)`; or `("failed", (reason, last lines))`.
    """
    try:
        outcome, attached = _work(job.work, job.records, job.devices).execute(run, lambda event: None)
    except Unavailable as reason:
        return "skipped", str(reason)
    except Exception as error:
        return "failed", recorded.failure(error)
    from lab.store import environment

    outcome["environment"] = environment.machine() | outcome.get("environment", {})
    files = (attached,) if isinstance(attached, Attachment) else attached or ()
    return "ended", (outcome, [(file.ending, _content(file)) for file in files])


@functools.cache
def _work(work: str, records: Records, devices: Devices) -> Work:
    """One work for all runs of a call that this process does."""
    surroundings()
    claim(devices, 0)  # Ray has already hidden the GPUs that are not this run's
    return recorded.begin(Job(work, records, devices=devices)).work


def _content(attachment: Attachment) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"content{attachment.ending}"
        attachment.save(path)
        return path.read_bytes()


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _connect(address: str) -> Any:
    """Ray, connected, with this checkout's code on all nodes."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a study is nobody else's business
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError("CLUSTER needs Ray, which is not installed: make ray") from error
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address != "ray":
            _knock(address)
        ray.init(
            address=None if address == "ray" else address,
            runtime_env={"working_dir": str(ROOT), "excludes": NOT_CODE},
            include_dashboard=False if address == "ray" and "RAY_ADDRESS" not in os.environ else None,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"No Ray cluster answers at {address}: {error}. Start one: ray start --head") from error
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray puts its own there
    return ray


def _knock(address: str) -> None:
    """Raises an OSError or ValueError where nobody listens, which Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def _room(ray: Any, needed: dict[str, int], workers: int | None) -> int:
    """How many tasks Ray may have at once, running and waiting; nodes come and go.

    Raises:
        UsageError: the cluster has no device of the kind that is needed.
    """
    ((kind, each),) = needed.items()
    fit = int(ray.cluster_resources().get(kind, 0)) // each
    if not fit:
        raise UsageError(f"The cluster has not {each} {kind} that a run needs; it has {ray.cluster_resources()}.")
    return min(workers or WAITING * fit, WAITING * fit)
