"""Work for tests of the engines: each execution appends a line to $EXECUTIONS, then acts by the variant's name."""

import ctypes
import dataclasses
import io
import json
import os
import signal
import time
from pathlib import Path

import filelock
import PIL.Image

from lab.declare.recipe import Training
from lab.errors import Unavailable
from lab.store.records import Attachment
from tests.support.waiting import until


class Scripted:
    """Work whose runs end as the variant's name says; see the cases."""

    def __init__(self, records):
        self.before = 0

    def execute(self, run, report):
        self.before += 1
        with open(os.environ["EXECUTIONS"], "a") as log:
            log.write(f"{run.variant} {run.seed} {os.getpid()}\n")
        report({"done": 0.5, "total": 1, "note": ""})
        match run.variant.split("-")[0]:
            case "raise":
                raise ValueError("this run raises")
            case "missing":
                raise FileNotFoundError("another run's network")
            case "exit":
                print("last words")
                os._exit(7)
            case "segfault":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "killchief":
                if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0:
                    # Not before the other host executes the run, too: it would fail there as well.
                    until(lambda: Path(os.environ["EXECUTIONS"]).read_text().count(run.variant) == 2)
                    os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                raise MemoryError
            case "connection":
                raise ConnectionResetError(104, "Connection reset by peer")
            case "timeout":
                raise TimeoutError("timed out")
            case "permission":
                raise PermissionError(13, "Permission denied", "picture.png")
            case "picture":
                PIL.Image.open(io.BytesIO(b"no picture"))
            case "lock":  # a lock of another file, not of the run
                raise filelock.Timeout("data.lock")
            case "nan":
                return {"status": "finished", "facts": {}, "metrics": {"value": 1.0, "test_loss": float("nan")}}, None
            case "shapeless":  # an outcome that makes no record
                return {"status": "finished", "facts": {}}, None
            case "full":  # no space left for its network
                full = Attachment(".npz", lambda path: Path("/dev/full").write_bytes(b"arrays"))
                return {"status": "finished", "facts": {}, "metrics": {}}, full
            case "network":  # a small one, kept beside the record
                network = Attachment(".keras", lambda path: path.write_bytes(bytes([run.seed % 256]) * 9_000))
                return {"status": "finished", "facts": {}, "metrics": {"test_error_percent": float(run.seed)}}, network
            case "once":  # fails the first time, then succeeds
                marker = Path(os.environ["EXECUTIONS"] + f".{run.seed}")
                if not marker.exists():
                    marker.touch()
                    os._exit(1)
            case "skip":
                raise Unavailable("make something else first")
            case "hold":  # until the test creates a file
                until(Path(os.environ["EXECUTIONS"] + ".go").exists)
            case "sleep":
                time.sleep(float(run.variant.split("-")[1]))
        metrics = {"value": float(run.seed), "process": os.getpid(), "runs_before": self.before - 1}
        return {"status": "finished", "facts": {}, "metrics": metrics}, None


@dataclasses.dataclass(frozen=True)
class Reading:
    """A recipe that needs another variant's run of the same seed."""

    of: str

    def needs(self, run):
        return (dataclasses.replace(run, variant=self.of, settings=Training("linear")),)


class Scored:
    """Work for tests of searches: the batch size decides how a trial ends."""

    def __init__(self, records):
        pass

    def execute(self, run, report):
        with open(os.environ["EXECUTIONS"], "a") as log:
            log.write(f"{run.key} {os.getpid()}\n")
        report({"done": 0.5, "total": 1, "note": ""})
        if "TOGETHER" in os.environ:  # every trial waits until so many processes have begun one
            until(lambda: len(processes(os.environ["EXECUTIONS"])) >= int(os.environ["TOGETHER"]))
        ways = os.environ.get("WAYS", "")
        if run.settings.batch_size == 32 and "raise" in ways:
            raise ValueError("this trial raises")
        if run.settings.batch_size == 64 and "kill" in ways:
            os.kill(os.getpid(), signal.SIGKILL)
        if run.settings.batch_size == 128 and "diverge" in ways:
            return {"status": "diverged", "facts": {}, "metrics": {"train_seconds": 1.0}}, None
        score = 0.9 + run.settings.learning_rate + run.settings.epochs / 1000
        metrics = {"validation_accuracy": score, "train_seconds": 1.0}
        return {"status": "finished", "facts": {}, "metrics": metrics}, None


def processes(executions):
    """The ids of the processes in the log of executions."""
    return {line.split()[-1] for line in Path(executions).read_text().splitlines()}
