"""The environment of a result: versions, commit, processor."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("tensorflow", "keras", "numpy")


def describe() -> dict[str, Any]:
    """The environment for the records: `machine()`, and the commit of this checkout."""
    return machine() | {"commit": _commit()}


def machine() -> dict[str, Any]:
    """Versions of Python and of the numerical packages, processor, and threads per run.

    Without the commit: a node of a cluster has a copy of the code without its git history.
    """
    versions = {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"versions": versions, "processor": _processor(), "threads": 1}


def _commit() -> str:
    """The commit of this checkout, followed by `+changes` if files differ from it; "unknown" without git."""
    here = Path(__file__).parent
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+changes", "--abbrev=40", "--exclude=*"],
            cwd=here,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
