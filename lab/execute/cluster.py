"""Fan-out over a Ray cluster: the same runs, records and messages as `lab.execute.fanout`, on many machines.

Ray schedules, starts again what a lost process or node was at, and ships this checkout's code. This
module keeps few tasks waiting (Ray's pattern against too many pending tasks), holds each run's lock
here while it is under way, and writes its record here when its result is back: so a run counts once,
however often Ray had to start it.
"""

import collections
import functools
import os
import signal
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import filelock

from lab.declare.machine import Devices
from lab.declare.run import Run
from lab.declare.work import Work
from lab.errors import Unavailable, UsageError
from lab.execute import worker
from lab.execute.fanout import CPU, HELD_POLL_SECONDS, Listener, Outcome
from lab.learn import surroundings
from lab.learn.devices import claim
from lab.store.records import Attachment, Record, Records

ROOT = Path(__file__).parent.parent.parent
NOT_CODE = [".git", ".venv", "/results", "**/__pycache__", ".*_cache", ".hypothesis"]
LOST_RETRIES = 3  # how often Ray starts a run again whose process or node was lost
KNOCK_SECONDS = 20.0
WAITING = 2  # tasks given to Ray for each that can run: enough that no processor waits for the next
Task = tuple[Run, filelock.BaseFileLock]
Returned = tuple[str, Any]


class Cluster:
    """One call's runs over a Ray cluster; see `fanout.FanOut`, whose interface it has.

    Args:
        address: of the cluster's head, host:port; "ray" for the one that runs on this machine (or
            that `RAY_ADDRESS` names), or else one that is started here for this call.
        work: `module.Class` of the `worker.Work` to do.
        records: where records go, on this machine.
        environment: copied into every record.
        listener: told of progress.
        workers: largest number of runs at a time; None: as many as the cluster has room for.
        retries: how often a run that raised is tried again.
        force: run even what has a record.
        devices: what each run computes on.
    """

    def __init__(
        self,
        address: str,
        work: str,
        records: Records,
        environment: Record,
        listener: Listener,
        workers: int | None = None,
        retries: int = 0,
        force: bool = False,
        devices: Devices = CPU,
    ) -> None:
        self.address = address
        self.work = work
        self.records = records
        self.environment = environment
        self.listener = listener
        self.workers = workers
        self.retries = retries
        self.force = force
        self.devices = devices
        self.outcome = Outcome()
        self._tasks: dict[Any, Task] = {}
        self._attempts: collections.Counter[str] = collections.Counter()

    def execute(self, runs: Sequence[Run], prepare: Callable[[], object] = lambda: None) -> Outcome:
        """Executes the runs that have no record yet, and waits for those another call is at.

        Args:
            runs: what to do, in this order.
            prepare: done before any run; what it raises ends the call.

        Raises:
            UsageError: Ray is not installed, there is no such cluster, or it has no such devices.
            OSError: records cannot be written.
        """
        prepare()
        ray = _connect(self.address)
        try:
            needed = {"GPU" if self.devices.kind == "gpu" else "CPU": self.devices.replicas}
            perform = ray.remote(perform_run).options(
                num_cpus=needed.get("CPU", 1), num_gpus=needed.get("GPU", 0), max_retries=LOST_RETRIES
            )
            waiting = collections.deque(runs)
            while waiting or self._tasks:
                room = _room(ray, needed, self.workers) - len(self._tasks)
                self._submit(perform, waiting, room)
                if not self._tasks:
                    time.sleep(HELD_POLL_SECONDS)  # all that is left is held by another call
                    continue
                ready, _ = ray.wait(list(self._tasks), timeout=HELD_POLL_SECONDS if waiting else None)
                for reference in ready:
                    self._take(ray, reference, waiting)
        finally:
            for _, lock in self._tasks.values():
                lock.release()
            self._tasks.clear()
            ray.shutdown()
        return self.outcome

    def _submit(self, perform: Any, waiting: collections.deque[Run], room: int) -> None:
        """Gives Ray as many runs as there is room for; those that another call holds go to the end."""
        for _ in range(len(waiting)):
            if room <= 0:
                return
            run = waiting.popleft()
            lock = self.records.lock(run)
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                waiting.append(run)
                continue
            if not self.force and (ended := self.records.find(run)):
                lock.release()
                self.outcome.ended[run.key] = ended["metrics"]
                self.listener.kept(run, ended)
                continue
            self._tasks[perform.remote(self.work, self.records, run, self.devices)] = (run, lock)
            room -= 1

    def _take(self, ray: Any, reference: Any, waiting: collections.deque[Run]) -> None:
        """Records what came of one task; its lock is free afterwards."""
        run, lock = self._tasks.pop(reference)
        try:
            kind, value = ray.get(reference)
        except ray.exceptions.RayError as error:  # the process or the node was lost, again and again
            kind, value = "failed", (f"{type(error).__name__} after {LOST_RETRIES} retries", str(error))
        try:
            match kind:
                case "ended":
                    self._record(run, *value)
                case "skipped":
                    self.listener.skipped(run, value)
                case _:
                    reason, last_lines = value
                    self._fail(run, reason, last_lines, waiting)
        finally:
            lock.release()

    def _record(self, run: Run, outcome: Record, attached: Sequence[tuple[str, bytes]]) -> None:
        outcome["environment"] = self.environment | outcome["environment"]
        files = tuple(Attachment(ending, functools.partial(_write, content)) for ending, content in attached)
        record = self.records.save(run, outcome, files)
        self.outcome.ended[run.key] = record["metrics"]
        self.listener.ended(run, record)

    def _fail(self, run: Run, reason: str, last_lines: str, waiting: collections.deque[Run]) -> None:
        self._attempts[run.key] += 1
        again = self._attempts[run.key] <= self.retries
        self.listener.failed(run, reason, again)
        if again:
            waiting.append(run)
            return
        self.outcome.failed[run.key] = reason
        self.records.save_failed(run, reason, last_lines)


def perform_run(work: str, records: Records, run: Run, devices: Devices) -> Returned:
    """Does one run on a node of the cluster, in a process that Ray keeps for the next ones.

    Returns:
        `("ended", (outcome, attached))`, of each attachment its ending and its bytes;
        `("skipped", reason)`; or `("failed", (reason, last lines))`.
    """
    try:
        outcome, attached = _work(work, records, devices).execute(run, lambda event: None)
    except Unavailable as reason:
        return "skipped", str(reason)
    except Exception as error:
        lines = traceback.format_exc().strip().splitlines()[-worker.LAST_LINES :]
        return "failed", (f"{type(error).__name__}: {error}", "\n".join(lines))
    from lab.store import environment

    outcome["environment"] = environment.machine() | outcome.get("environment", {})
    files = (attached,) if isinstance(attached, Attachment) else attached or ()
    return "ended", (outcome, [(file.ending, _content(file)) for file in files])


@functools.cache
def _work(work: str, records: Records, devices: Devices) -> Work:
    surroundings.surroundings()
    claim(devices, 0)  # Ray has already hidden the GPUs that are not this run's
    return worker.begin(work, records)


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
