"""Asks other tools that count and inspect about the same networks: `python -m lab.bench.peers FOLDER`.

The tools are installed into an environment of their own, which also sees the packages of this one. What they answer is
in results/reference/peers.csv.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pandas as pd

from lab.bench.rivals import peer_tools
from lab.report.table import csv_files
from lab.store.records import REFERENCE

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("torch==2.13.0", "torchvision==0.28.0", "keras-hub==0.32.0"),
    *("torchinfo==1.8.0", "ptflops==0.7.5", "fvcore==0.1.5.post20221221", "torchscan==0.2.0"),
)
ALONE = ("keras-flops==0.1.2",)  # it would bring a TensorFlow of its own
PUBLISHED = "from lab.bench.rivals.peer_tools import published; print(published({network!r}))"
COLUMNS = ("network", "tool", "parameters", "macs", "published_macs", "field", "seconds", "error")
WHOLE_NUMBERS = ("parameters", "macs", "published_macs", "field")


def write(folder: Path, results: Path = REFERENCE) -> pd.DataFrame:
    """Asks each tool about each network, and writes `peers.csv`.

    Args:
        folder: of the environment with the tools; it is made where it is not there.
        results: where the table goes.
    """
    python = _environment(folder)
    rows = []
    for network in peer_tools.NETWORKS:
        published = round(1e9 * float(_said(python, "-c", PUBLISHED.format(network=network))))
        for tool in peer_tools.TOOLS:
            answer = json.loads(_said(python, peer_tools.__file__, tool, network))
            rows.append({"network": network, "tool": tool, "published_macs": published} | answer)
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(WHOLE_NUMBERS, "Int64"))
    csv_files.write(frame, results / "peers.csv")
    return frame


def _said(python: Path, *words: str) -> str:
    """The last line that a call prints."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run((python, *words), capture_output=True, text=True, check=True, env=surroundings)
    return done.stdout.splitlines()[-1]


def _environment(folder: Path) -> Path:
    """The Python of an environment with the tools, which sees the packages of this one too."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = (python, "-m", "pip", "install", "--quiet")
        subprocess.run([*install, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", *ALONE], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "suite.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


if __name__ == "__main__":
    print(write(Path(sys.argv[1])).to_string())
