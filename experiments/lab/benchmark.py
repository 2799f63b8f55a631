"""Speed, measured side by side and interleaved; `make bench` writes results/benchmark.csv.

Times are of whole processes, from start to exit. A ratio is taken pair by pair, so that it holds
when the machine's speed drifts.
"""

import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from experiments.lab import environment, tables

PAIRS = 5
RUNS = 6  # of lenet5-relu on MNIST, in every study here

ONE_PROCESS = """
import sys
from experiments.lab import data, training
from experiments.lab.spec import Training
trainer = training.Trainer(Training("lenet5-relu", epochs=int(sys.argv[2])), data.load("mnist"))
for seed in range(int(sys.argv[3])):
    trainer.run(seed)
    trainer.model.save(f"{sys.argv[1]}/{seed}.keras")
"""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two ways to do the same work.

    Attributes:
        name: what is compared.
        first, second: what each way is, and its command for a scratch folder.
    """

    name: str
    first: tuple[str, Callable[[str], list[str]]]
    second: tuple[str, Callable[[str], list[str]]]


def _one_process(epochs: int) -> Callable[[str], list[str]]:
    return lambda folder: [sys.executable, "-c", ONE_PROCESS, folder, str(epochs), str(RUNS)]


def _study(workers: int, epochs: int) -> Callable[[str], list[str]]:
    words = f"run lenet --variants lenet5-relu --seeds {RUNS} --epochs {epochs} --workers {workers}".split()
    return lambda folder: [sys.executable, "-m", "experiments", *words, "--results", folder]


COMPARISONS = (
    Comparison(
        f"{RUNS} runs of lenet5-relu, five epochs each",
        ("one process with TensorFlow's own threads", _one_process(5)),
        ("this suite, WORKERS=2", _study(2, 5)),
    ),
    Comparison(
        f"{RUNS} runs of lenet5-relu, one epoch each",
        ("one process with TensorFlow's own threads", _one_process(1)),
        ("this suite, WORKERS=2", _study(2, 1)),
    ),
    Comparison(
        f"{RUNS} runs of lenet5-relu, one epoch each",
        ("this suite, WORKERS=1", _study(1, 1)),
        ("this suite, WORKERS=2", _study(2, 1)),
    ),
)


def write(results: Path, pairs: int = PAIRS) -> pd.DataFrame:
    """Measures every comparison, `pairs` times in turn, and writes `results/benchmark.csv`.

    Columns: medians in seconds, the median of first/second with its smallest and largest, and the
    number of pairs.
    """
    frame = pd.DataFrame([_measure(comparison, pairs) for comparison in COMPARISONS])
    tables.write_csv(frame, results / "benchmark.csv")
    return frame


def _measure(comparison: Comparison, pairs: int) -> dict[str, str | float]:
    times = [(_seconds(comparison.first[1]), _seconds(comparison.second[1])) for _ in range(pairs)]
    ratios = [first / second for first, second in times]
    return {
        "measure": comparison.name,
        "first": comparison.first[0],
        "second": comparison.second[0],
        "first_seconds_median": statistics.median(first for first, _ in times),
        "second_seconds_median": statistics.median(second for _, second in times),
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "pairs": pairs,
        "processor": environment.describe()["processor"],
    }


def _seconds(command: Callable[[str], list[str]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(command(folder), check=True, capture_output=True)
        return time.perf_counter() - began
