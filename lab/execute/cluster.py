"""The engine of a Ray cluster of many machines.

Ray schedules the runs, restarts those of a lost process or node, and copies this checkout's code to all nodes. This
process keeps few tasks pending, as Ray recommends. It holds the lock of each run while the run is in progress, and
writes its record when the result arrives. So a run counts once, however often Ray had to start it.
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
from lab.declare.work import Attachment, RunOutcome, Work
from lab.errors import Unavailable, UsageError
from lab.execute import recorded
from lab.execute.attempts import Attempts, Listener, Outcome
from lab.execute.in_process import HELD_POLL_SECONDS
from lab.execute.job import Job, Source, Task
from lab.learn.devices import claim
from lab.learn.surroundings import surroundings
from lab.store.record import Record
from lab.store.records import Records

ROOT = Path(__file__).parents[2]
EXCLUDED = [".git", ".venv", "/results", "**/__pycache__", ".*_cache", ".hypothesis"]
LOST_RETRIES = 3  # how often Ray restarts a run whose process or node was lost
CONNECT_SECONDS = 20.0
PENDING = 2  # tasks submitted for each that can run at once, so that no processor waits for its next task
Submitted = tuple[Task, filelock.BaseFileLock]
Returned = tuple[str, Any]


class RayCluster:
    """The engine that executes each run on one machine of a Ray cluster.

    Args:
        job: what all runs share.
        listener: receives the events of each run.
        address: host:port of the cluster's head node. "ray": the cluster of `RAY_ADDRESS`, or the one on this
            machine, or a new one started for this call.
        workers: largest number of runs at a time; None: as many as the cluster has room for.
    """

    def __init__(self, job: Job, listener: Listener, address: str, workers: int | None = None) -> None:
        self.job, self.listener, self.address, self.workers = job, listener, address, workers
        self._attempts: Attempts
        self._submitted: dict[Any, Submitted] = {}

    def execute(self, source: Source, prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes all runs of a source that have no record yet; waits for runs that another call executes.

        Args:
            source: gives the runs.
            prepare: called before any run; its exceptions end the call.

        Returns:
            The metrics or the reason of failure of each run.

        Raises:
            UsageError: Ray is not installed, no cluster answers, or it has no such devices.
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
                        time.sleep(HELD_POLL_SECONDS)  # another call executes all remaining runs
                    continue
                timeout = None if attempts.finished() else HELD_POLL_SECONDS  # nodes may join or leave
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
        """Submits up to `room` runs to Ray; runs that another call holds are postponed."""
        held = []
        while room > 0 and (task := self._attempts.next()):
            lock = self.job.records.lock(task.run)
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                held.append(task)
                continue
            record = None if self.job.force else self.job.records.find(task.run)
            if record:  # another call has just written it
                lock.release()
                self._attempts.kept(task, record)
                continue
            self._submitted[perform.remote(self.job, task.run)] = (task, lock)
            room -= 1
        for task in held:
            self._attempts.postpone(task)

    def _take(self, ray: Any, reference: Any) -> None:
        """Records the result of one task, and releases its lock."""
        task, lock = self._submitted.pop(reference)
        try:
            kind, value = ray.get(reference)
        except ray.exceptions.RayError as error:  # its process or node was lost after every retry
            kind, value = "failed", (f"{type(error).__name__} after {LOST_RETRIES} retries", str(error))
        try:
            match kind:
                case "ended":
                    self._ended(task, *value)
                case "skipped":
                    self._attempts.skipped(task, value)
                case _:
                    self._attempts.failed(task, *value, locked=True)
        finally:
            lock.release()

    def _ended(self, task: Task, outcome: RunOutcome, attached: Sequence[tuple[str, bytes]]) -> None:
        """Records an outcome; one that makes no record is a failure of its run alone."""
        try:
            record = self._record(task, outcome, attached)
        except ValueError as error:
            self._attempts.failed(task, *recorded.failure(error), locked=True)
        else:
            self._attempts.ended(task, record)

    def _record(self, task: Task, outcome: RunOutcome, attached: Sequence[tuple[str, bytes]]) -> Record:
        files = tuple(Attachment(ending, functools.partial(_write, content)) for ending, content in attached)
        return self.job.records.save(task.run, recorded.completed(outcome, task, self.job), files)


def perform_run(job: Job, run: Run) -> Returned:
    """Executes one run on a node of the cluster, in a process that Ray uses again for later runs.

    Returns:
        `("ended", (outcome, attached))`, where `attached` lists the ending and the bytes of each attachment;
        `("skipped", reason)`; or `("failed", (reason, last_lines))`.
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
    """The work of a call; this process makes it once for all its runs."""
    surroundings()
    claim(devices, 0)  # Ray has already hidden the GPUs of other runs
    return recorded.make_work(Job(work, records, devices=devices)).work


def _content(attachment: Attachment) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"content{attachment.ending}"
        attachment.save(path)
        return path.read_bytes()


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _connect(address: str) -> Any:
    """Connects to the cluster, copies this checkout's code to all nodes, and returns the module `ray`.

    Raises:
        UsageError: Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage data is sent
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError("CLUSTER needs Ray, which is not installed: make ray") from error
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address != "ray":
            _check_listens(address)
        ray.init(
            address=None if address == "ray" else address,
            runtime_env={"working_dir": str(ROOT), "excludes": EXCLUDED},
            include_dashboard=False if address == "ray" and "RAY_ADDRESS" not in os.environ else None,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"No Ray cluster answers at {address}: {error}. Start one: ray start --head") from error
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray has replaced it by its own
    return ray


def _check_listens(address: str) -> None:
    """Raises an OSError or ValueError if nothing listens at an address. Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


def _room(ray: Any, needed: dict[str, int], workers: int | None) -> int:
    """How many tasks Ray may have at once, running and pending. It changes as nodes join or leave.

    Raises:
        UsageError: the cluster lacks the devices of a run.
    """
    ((kind, each),) = needed.items()
    fit = int(ray.cluster_resources().get(kind, 0)) // each
    if not fit:
        raise UsageError(f"Each run needs {each} {kind}; the cluster has only {ray.cluster_resources()}.")
    return min(workers or PENDING * fit, PENDING * fit)
