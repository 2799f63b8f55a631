"""What `make bench` measures: contests between ways to do the same work. Plain data, but for the command lines."""

import dataclasses
import sys
from collections.abc import Callable, Sequence

TINY_RUNS, SPEEDRUNS = 100, 5
# Table and column of an accuracy: of a study on the test pictures, of a search on the validation pictures.
LENET = ("lenet", "test_accuracy_mean")
SPEEDRUN = ("speedrun", "test_accuracy_mean")
TUNE = ("tune", "validation_accuracy_mean")
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
        turns: it takes part in the first so many turns alone, as it takes long; None: in all.
    """

    name: str
    command: Callable[[str, int], Words]
    prints: bool = False
    convert: Callable[[float], float] = lambda value: value
    table: tuple[str, str] | None = None
    least: float = 0.0
    wanted: float | None = None
    needs: str | None = None
    turns: int | None = None


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


def _example(module: str) -> Callable[[str, int], Words]:
    """A rival that trains with the turn's number as its seed."""
    return lambda folder, turn: _rival(module, str(turn))(folder, turn)


def _speedrun(folder: str, turn: int) -> Words:
    words = f"run speedrun --variants two-passes --seeds {SPEEDRUNS} --workers 2".split()
    return (sys.executable, "-m", "experiments", *words, "--results", folder)


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
            Way("Keras fit(x, y), on JAX", _rival("keras_fit", "arrays", "jax"), prints=True, needs="jax"),
            Way("PyTorch", _rival("torch_loop", "eager"), prints=True, wanted=0.85, needs="torch"),
            Way("PyTorch, compiled", _rival("torch_loop", "compiled"), prints=True, needs="torch"),
        ),
        quick=3,
    ),
    Contest(
        "side-by-side",
        "an epoch of a run of LeNet-5, where several are trained: batch 128, two cores",
        "seconds",
        (
            Way("this suite: two runs at once, one thread each", _rival("suite", "pair"), prints=True),
            Way("Keras fit(x, y): two threads", _rival("keras_fit", "arrays"), prints=True, wanted=0.45),
            Way(
                "Keras fit(x, y), without XLA: two threads",
                _rival("keras_fit", "arrays", "plain"),
                prints=True,
                wanted=0.45,
            ),
            Way("PyTorch: two threads", _rival("torch_loop", "eager"), prints=True, wanted=0.45, needs="torch"),
        ),
    ),
    Contest(
        "speedrun",
        f"{SPEEDRUNS} networks that read 99.0 % of MNIST's test digits",
        "seconds",
        (
            Way(
                "this suite: two-passes of speedrun, start-up and table included",
                _speedrun,
                table=SPEEDRUN,
                least=0.99,
            ),
            Way(
                f"Keras's example mnist_convnet, two threads: {SPEEDRUNS} times one training, start-up aside",
                _example("mnist_convnet"),
                prints=True,
                convert=lambda seconds: SPEEDRUNS * seconds,
                wanted=1 / 14,
            ),
            Way(
                f"PyTorch's example mnist, two threads: {SPEEDRUNS} times one training, start-up aside",
                _example("torch_mnist"),
                prints=True,
                convert=lambda seconds: SPEEDRUNS * seconds,
                needs="torch",
                turns=1,
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
    Contest(
        "photographs",
        "an epoch of convnet-16 on CIFAR-10: batch 64, float32, one thread",
        "seconds",
        (
            Way("this suite", _rival("photographs", "suite"), prints=True),
            Way("Keras fit(x, y), without XLA", _rival("photographs", "keras"), prints=True),
            Way("PyTorch", _rival("photographs", "torch"), prints=True, needs="torch"),
        ),
        most=60,
        quick=0,
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
