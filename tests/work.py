"""Work for the fan-out's tests: each execution leaves a line in $EXECUTIONS, then does what its variant says."""

import ctypes
import os
import signal
import time
from pathlib import Path

from experiments.lab.spec import Unavailable


class Scripted:
    """The variant's name says how the run goes; see the branches."""

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
            case "exit":
                print("last words")
                os._exit(7)
            case "segfault":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                raise MemoryError
            case "once":  # fails the first time, succeeds the second
                marker = Path(os.environ["EXECUTIONS"] + f".{run.seed}")
                if not marker.exists():
                    marker.touch()
                    os._exit(1)
            case "skip":
                raise Unavailable("make something else first")
            case "sleep":
                time.sleep(float(run.variant.split("-")[1]))
        metrics = {"value": float(run.seed), "process": os.getpid(), "runs_before": self.before - 1}
        return {"status": "finished", "facts": {}, "metrics": metrics}, None
