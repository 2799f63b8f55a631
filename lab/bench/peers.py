"""Runs other tools that inspect networks beside ours: `python -m lab.bench.peers` writes results/reference/peers.csv.

The tools are installed into an environment of their own in the cache, which also sees this one's packages.
"""

import json
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from lab.bench.rivals import peer_tools
from lab.report.table import csv_files
from lab.store.records import REFERENCE

PACKAGES = ("torch==2.13.0", "torchvision", "torchinfo==1.8.0", "ptflops==0.7.5", "fvcore", "torchscan==0.2.0")
WITH_KERAS = ("keras-flops==0.1.2",)  # it would bring a TensorFlow of its own
OURS = "cnn_models"
COLUMNS = ("network", "tool", "parameters", "macs", "field", "seconds", "error")


def write(folder: Path, results: Path = REFERENCE) -> pd.DataFrame:
    """Asks each tool about each network, and writes `peers.csv`.

    Args:
        folder: of the environment with the tools; it is made where it is not there.
        results: where the table goes.
    """
    python = _environment(folder)
    rows = [row for network in peer_tools.TORCH for row in _rows(python, network)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(("parameters", "macs", "field"), "Int64"))
    csv_files.write(frame, results / "peers.csv")
    return frame


def _rows(python: Path, network: str) -> Iterator[dict[str, Any]]:
    yield {"network": network, "tool": OURS} | _ours(network)
    for tool in peer_tools.TOOLS:
        if tool != "keras-flops" or "/" not in network:  # Keras has no such network
            call = (python, peer_tools.__file__, tool, network)
            done = subprocess.run(call, capture_output=True, text=True, check=True)
            yield {"network": network, "tool": tool} | json.loads(done.stdout.splitlines()[-1])


def _ours(network: str) -> dict[str, Any]:
    """What this suite says of Keras's network of that name."""
    import keras

    from cnn_models import layer_table

    build = getattr(keras.applications, network, None)
    if build is None:
        return {"error": "Keras has no such network"}
    model = build(weights=None)
    began = time.perf_counter()
    table = layer_table(model)
    seconds = time.perf_counter() - began
    field = table.largest_field
    return {
        "parameters": table.total("parameters"),
        "macs": sum(row.macs or 0 for row in table),
        "field": field[0] if field else None,
        "seconds": seconds,
    }


def _environment(folder: Path) -> Path:
    """The Python of an environment with the tools, which sees the packages of this one too."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = (python, "-m", "pip", "install", "--quiet")
        subprocess.run([*install, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", *WITH_KERAS], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "suite.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


if __name__ == "__main__":
    from lab.data.download import cache_folder

    print(write(cache_folder() / "peers").to_string())
