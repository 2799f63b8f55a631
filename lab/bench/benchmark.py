"""Measures speed side by side; `make bench` writes results/benchmark.csv and its figure.

A contest compares several ways to do the same work. Each way runs in its own process, with oneDNN and the number of
threads that its name gives. The ways of a contest take turns, and ratios are taken within each turn. So a machine
whose speed drifts slows down all ways alike.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lab.errors import UsageError
from lab.report import csv_files
from lab.store import environment

REPEATS = 5
ROOT = Path(__file__).parent.parent.parent
# The smallest number of epochs after which lenet5-relu reaches 99.0 % on MNIST's validation split: the mean of five
# seeds is 98.94 % after 3 epochs and 99.00 % after 4.
STUDY_EPOCHS = 4
TINY_RUNS = 100
# Table and column of an accuracy: of a study on the test pictures, of a search on the validation pictures.
LENET, TUNE = ("lenet", "test_accuracy_mean"), ("tune", "validation_accuracy_mean")
MACS, C1_MACS, PICTURES = 416_520, 28 * 28 * 6 * 25, 429 * 128  # of lenet5-relu, of its first layer, and per epoch
# Forward pass, gradients of the weights, gradients of the inputs (not of the picture); a MAC is two operations.
FLOP = 2 * (3 * MACS - C1_MACS) * PICTURES

# A step by the suite's own operations is to take at most so much of one by Keras's.
STEPS = {"lenet5-relu": 0.75, "lenet5": 0.85, "fc-relu": 0.75} | dict.fromkeys(
    (
        *("lenet1", "lenet4", "lenet5-1998", "conv-flatten", "conv-global-max", "ladder-convolution"),
        *("reduce-max", "reduce-average", "reduce-strided", "reduce-conv-pool", "reduce-all-conv", "reduce-blur-max"),
        *("deep-plain-4", "deep-plain-16", "deep-residual-8", "deep-stride-8", "deep-pooling-8"),
        *("deep-unnormalised-8", "wide-4", "bn-6", "vgg-6"),
    ),
    1.0,
)

Words = Sequence[str]


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to do the work of a contest.

    Attributes:
        name: name of the way, for tables and figures.
        command: returns the command line for a scratch folder and the number of the turn.
        prints: True: the command prints `{"values": […]}`, and their median counts. False: the seconds from its start
            to its exit count.
        convert: turns that number into the value that is compared.
        table: experiment and column whose best row is the accuracy; None: the command prints it, or has none.
        least: the smallest accuracy at which the time counts.
        wanted: goal: this suite's value divided by this way's is at most so much; None: no goal.
        needs: a package; without it this way is left out.
    """

    name: str
    command: Callable[[str, int], Words]
    prints: bool = False
    convert: Callable[[float], float] = lambda value: value
    table: tuple[str, str] | None = None
    least: float = 0.0
    wanted: float | None = None
    needs: str | None = None


@dataclasses.dataclass(frozen=True)
class Contest:
    """A comparison of several ways to do the same work. The first way is this suite's own.

    Attributes:
        word: the name on the command line; several contests may share it.
        about: what is measured.
        unit: unit of the values.
        ways: the ways that are compared.
        most: goal: this suite's value is at most so much; None: no goal.
        quick: number of turns in a quick call; 0: the contest is left out.
    """

    word: str
    about: str
    unit: str
    ways: tuple[Way, ...]
    most: float | None = None
    quick: int = 1


@dataclasses.dataclass(frozen=True)
class Turn:
    """The result of one process.

    Attributes:
        value: the value that is compared.
        numbers: further numbers by name, as "accuracy" and "megabytes".
    """

    value: float
    numbers: dict[str, float]


# The functions below return the `command` of a `Way`.


def _rival(module: str, *words: str) -> Callable[[str, int], Words]:
    return lambda folder, turn: (sys.executable, "-m", f"lab.bench.rivals.{module}", *words)


def _suite(*words: str) -> Callable[[str, int], Words]:
    return lambda folder, turn: (sys.executable, "-m", "experiments", *words)


def _study(runs: int, epochs: int, workers: int) -> Callable[[str, int], Words]:
    words = f"run lenet --variants lenet5-relu --seeds {runs} --epochs {epochs} --workers {workers}".split()
    return lambda folder, turn: (sys.executable, "-m", "experiments", *words, "--results", folder)


def _tiny(folder: str, turn: int) -> Words:
    words = f"run lenet --dataset digits --variants lenet1 --epochs 1 --seeds {TINY_RUNS}".split()
    return (sys.executable, "-m", "experiments", *words, "--workers", "2", "--results", folder)


def _search(workers: int) -> Callable[[str, int], Words]:
    """A random search, which makes the same trials with any number of workers, and two runs of the baseline."""
    sought = "run tune --tuner random --trials 12 --epochs 1"
    words = f"{sought} --variants default --seeds 2 --workers {workers}".split()
    return lambda folder, turn: (sys.executable, "-m", "experiments", *words, "--results", folder)


def _example(folder: str, turn: int) -> Words:
    return (sys.executable, "-m", "lab.bench.rivals.mnist_convnet", str(turn))


CONTESTS = (
    Contest(
        "epoch",
        "an epoch of LeNet-5 on MNIST: batch 128, float32, two threads",
        "seconds",
        (
            Way("this suite", _rival("suite"), prints=True),
            Way("Keras fit(x, y)", _rival("keras_fit", "arrays"), prints=True, wanted=0.60),
            Way("Keras fit(x, y), without XLA", _rival("keras_fit", "arrays", "plain"), prints=True, wanted=0.60),
            Way(
                "Keras fit, tf.data, 100 steps per execution, without XLA",
                _rival("keras_fit", "dataset", "plain"),
                prints=True,
            ),
            Way("PyTorch", _rival("torch_loop", "eager"), prints=True, wanted=0.85, needs="torch"),
            Way("PyTorch, compiled", _rival("torch_loop", "compiled"), prints=True, needs="torch"),
        ),
        quick=3,
    ),
    Contest(
        "study",
        "five seeds to 99.0 % on MNIST",
        "seconds",
        (
            Way(
                f"this suite: lenet5-relu, {STUDY_EPOCHS} epochs, two workers of one thread",
                _study(5, STUDY_EPOCHS, 2),
                table=LENET,
                least=0.99,
            ),
            Way(
                "Keras's example mnist_convnet, two threads: five times one training, start-up aside",
                _example,
                prints=True,
                convert=lambda seconds: 5 * seconds,
                wanted=0.1,
            ),
        ),
    ),
    *(
        Contest("start", f"start-up: {about}", "seconds", (Way("this suite", command),), most, quick=3)
        for about, command, most in (
            ("python -m experiments --help", _suite("--help"), 0.5),
            ("python -m experiments list", _suite("list"), 1.0),
            ("python -m experiments run --help", _suite("run", "--help"), 0.5),
            ("make help", lambda folder, turn: ("make", "--no-print-directory", "help"), None),
            ("all tables and figures of our own records", lambda folder, turn: _tables(folder), None),
            ("report", lambda folder, turn: _report(folder), None),
            (
                "inspect lenet5",
                lambda folder, turn: (*_suite("inspect", "lenet5")(folder, turn), "--results", folder),
                None,
            ),
        )
    ),
    *(
        Contest(
            "batch",
            f"an epoch of LeNet-5 in batches of {batch}, one thread",
            "seconds",
            (Way("this suite", _rival("suite", "1", str(batch)), prints=True),),
            quick=int(batch in (32, 128, 512)),
        )
        for batch in (32, 64, 128, 256, 512, 1024)
    ),
    *(
        Contest(
            "step",
            f"a step of {network}: batch 128, float32, one thread",
            "milliseconds",
            (
                Way("this suite", _rival("step", network, "fast"), prints=True),
                Way("this suite, PLAIN=1", _rival("step", network, "plain"), prints=True, wanted=wanted),
            ),
            quick=int(network == "lenet5-relu"),
        )
        for network, wanted in STEPS.items()
    ),
    *(
        Contest(
            "precision",
            f"an epoch of LeNet-5 in {precision}, one thread",
            "seconds",
            (Way("this suite", _rival("suite", "1", "128", precision), prints=True),),
        )
        for precision in ("float32", "mixed_bfloat16", "mixed_float16")
    ),
    *(
        Contest(
            "workers",
            f"{runs} runs of LeNet-5, {epochs} epochs each",
            "seconds",
            (
                Way("this suite, WORKERS=2", _study(runs, epochs, 2), table=LENET),
                Way("this suite, WORKERS=1", _study(runs, epochs, 1), table=LENET),
                Way(
                    "one process of two threads",
                    _rival("one_process", str(runs), str(epochs)),
                    wanted=1 / 1.4 if epochs > 1 else None,  # short runs consist mostly of start-up
                ),
            ),
            quick=int(runs == 4),
        )
        for runs, epochs in ((1, 1), (2, 1), (4, 1), (8, 1), (6, 5))
    ),
    Contest(
        "tiny",
        f"{TINY_RUNS} tiny runs, for each: nine steps of LeNet-1, start-up and table included",
        "seconds",
        (Way("this suite, WORKERS=2", _tiny, convert=lambda seconds: seconds / TINY_RUNS),),
        most=0.5,
    ),
    Contest(
        "search",
        "a random search of 12 recipes of LeNet-5, an epoch each",
        "seconds",
        (
            Way("this suite, WORKERS=2", _search(2), table=TUNE),
            Way("this suite, WORKERS=1", _search(1), table=TUNE, wanted=0.70),
        ),
    ),
    Contest(
        "flops",
        "float32 operations in a second, two threads",
        "FLOP/s",
        (
            Way("this suite, training LeNet-5", _rival("suite"), prints=True, convert=lambda seconds: FLOP / seconds),
            Way("a product of 2048×2048 matrices", _rival("matrix_product"), prints=True),
        ),
    ),
    *(
        Contest(
            "records",
            f"the table of {count:,} records",
            "seconds",
            (
                Way(
                    "this suite",
                    lambda folder, turn, count=count: _rival("many_records", folder, str(count))(folder, turn),  # type: ignore[misc]
                    prints=True,
                ),
            ),
            quick=int(count < 100_000),
        )
        for count in (1_000, 10_000, 100_000)
    ),
)


def words() -> list[str]:
    """The names of contests on the command line."""
    return list(dict.fromkeys(contest.word for contest in CONTESTS))


def write(
    results: Path, only: Iterable[str] | None = None, repeats: int | None = None, quick: bool = False
) -> pd.DataFrame:
    """Measures contests, and writes `benchmark.csv` and `benchmark.svg` again after each.

    Args:
        results: folder of the two files.
        only: names of contests, see `words`; rows of other contests stay in the table. None: all contests, in a new
            table.
        repeats: turns of each contest; None: `REPEATS`, or `Contest.quick` in a quick call.
        quick: leave out the less important contests, and measure fewer times.

    Returns:
        The table, one row per contest and way.

    Raises:
        UsageError: no contest has such a name, or `benchmark.csv` exists and is not a table of this function.
    """
    from cnn_models.names import unknown
    from lab.bench import speed_figure

    for word in only or ():
        if word not in words():
            raise UsageError(unknown("measurement", word, dict.fromkeys(words())))
    path = results / "benchmark.csv"
    kept = csv_files.read(path) if only and path.exists() else pd.DataFrame({"contest": []})
    if "contest" not in kept:
        raise UsageError(f"{path} was not written by this command: move it away, or leave out --only.")
    rows: list[Any] = kept[~kept["contest"].isin(list(only or ()))].to_dict("records")
    for contest in CONTESTS:
        turns = repeats or (contest.quick if quick else REPEATS)
        if (only and contest.word not in only) or (quick and not contest.quick):
            continue
        rows += _measure(contest, turns)
        frame = pd.DataFrame(rows).sort_values("contest", key=lambda column: column.map(words().index), kind="stable")
        csv_files.write(frame, path)
        speed_figure.draw(frame, results / "benchmark.svg")
    return frame


def _measure(contest: Contest, repeats: int) -> list[dict[str, str | float | None]]:
    """Measures one contest; returns a row of the table for each way."""
    ways = [way for way in contest.ways if way.needs is None or importlib.util.find_spec(way.needs)]
    for way in set(contest.ways) - set(ways):
        install = ".venv/bin/pip install -r requirements-bench.txt"
        print(f"left out: {way.name}, as {way.needs} is not installed ({install})", flush=True)
    turns: list[list[Turn]] = []
    for number in range(repeats):
        turns.append([_run(way, number) for way in ways])
        shown = ", ".join(f"{way.name} {turn.value:.4g}" for way, turn in zip(ways, turns[-1], strict=True))
        print(f"{contest.about} [{number + 1}/{repeats}], {contest.unit}: {shown}", flush=True)
    return [_row(contest, way, place, turns) for place, way in enumerate(ways)]


def _row(contest: Contest, way: Way, place: int, turns: list[list[Turn]]) -> dict[str, str | float | None]:
    """The row of the table for one way, whose results are `turns[…][place]`."""
    values = [turn[place].value for turn in turns]
    ratios = [turn[0].value / turn[place].value for turn in turns]
    numbers = {name: statistics.mean(turn[place].numbers[name] for turn in turns) for name in turns[0][place].numbers}
    machine = environment.machine()
    versions = dict(machine["versions"]) | ({way.needs: importlib.metadata.version(way.needs)} if way.needs else {})
    return {
        "contest": contest.word,
        "measure": contest.about,
        "way": way.name,
        "unit": contest.unit,
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
        "repeats": len(values),
        "suite_by_this_median": statistics.median(ratios),
        "suite_by_this_lowest": min(ratios),
        "suite_by_this_highest": max(ratios),
        "wanted_at_most": way.wanted if place else contest.most,
        "accuracy_mean": numbers.get("accuracy"),
        "peak_megabytes_mean": numbers.get("megabytes"),
        "processor": machine["processor"],
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _run(way: Way, number: int) -> Turn:
    """Runs the command of a way once.

    Raises:
        RuntimeError: the command failed, or did not reach its accuracy.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(way.command(folder, number), cwd=ROOT, check=False, capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{way.name} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
        if way.prints:
            numbers = json.loads(done.stdout.strip().splitlines()[-1])
            value = statistics.median(numbers.pop("values"))
        else:
            numbers, value = _accuracy(Path(folder), way.table), seconds
    if numbers.get("reached") is False or numbers.get("accuracy", 1.0) < way.least:
        raise RuntimeError(f"{way.name} did not reach the required accuracy, so its time does not count.")
    return Turn(way.convert(value), numbers)


def _accuracy(folder: Path, table: tuple[str, str] | None) -> dict[str, float]:
    if table is None:
        return {}
    name, column = table
    return {"accuracy": float(csv_files.read(folder / f"{name}.csv")[column].max())}


def _tables(folder: str) -> Words:
    """Makes the tables of our own records, in a copy, so that the reference does not change."""
    copy = f"import shutil, sys; shutil.copytree('results/reference/runs', {folder + '/runs'!r})"
    call = "from lab.command.main import main; sys.exit(main(['tables', '--results', sys.argv[1]]))"
    return (sys.executable, "-c", f"{copy}; {call}", folder)


def _report(folder: str) -> Words:
    """Makes the report of our own tables, in a copy."""
    copy = f"import shutil, sys; shutil.copytree('results/reference', {folder + '/r'!r})"
    call = "from lab.command.main import main; sys.exit(main(['report', '--results', sys.argv[1]]))"
    return (sys.executable, "-c", f"{copy}; {call}", f"{folder}/r")
