"""The arguments of `python -m experiments`: a row for each command, and a row for each of its options.

The Makefile declares the same options as variables, with the same help texts; a test compares them.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.command import options
from lab.command.plan import MOST_RUNS
from lab.declare.recipe import PRECISIONS
from lab.declare.search import TUNERS

# Upper bounds: larger than any real study, small enough that a call is planned or refused within seconds.
MOST_EPOCHS = 100_000  # Hyperband plans about as many trials as a trial may have epochs
MOST_TRIALS, MOST_TRIAL_SEEDS = 100_000, 1_000
MOST_RETRIES, MOST_REPEATS = 1_000, 1_000
MOST_WORKERS = 10_000  # on a cluster


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a command, or one positional argument.

    Attributes:
        name: what the user types, as "--seeds"; a positional argument has no dashes.
        help: one line of `--help`.
        settings: the other arguments of `argparse.ArgumentParser.add_argument`.
    """

    name: str
    help: str
    settings: Mapping[str, Any]

    def add_to(self, parser: options.Parser) -> None:
        """Adds this option to a parser."""
        parser.add_argument(self.name, help=self.help, **self.settings)


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: what the user types.
        help: one line in the list of commands.
        options: its options, in the order of `--help`.
        description: the text at the top of its own `--help`.
    """

    name: str
    help: str
    options: tuple[Option, ...] = ()
    description: str | None = None


def _option(name: str, metavar: str | None, help: str, **settings: Any) -> Option:
    return Option(name, help, {"metavar": metavar, **settings} if metavar else settings)


NAMES = _option("names", "NAME", "an experiment, as `list` names it", nargs="+")
MODEL = _option("model", None, "a network of the zoo, keras.applications.NAME, or a .keras file", type=options.model)
RESULTS = _option(
    "--results",
    "FOLDER",
    "folder of records, tables and figures (default: results)",
    type=options.path,
    default=Path("results"),
)

RUN = (
    NAMES,
    _option(
        "--seeds",
        "N",
        "number of runs of each variant, with the seeds 0, 1, 2, …",
        type=options.whole_number(1, MOST_RUNS),
    ),
    _option(
        "--epochs",
        "N",
        "passes over the training pictures, for all variants",
        type=options.whole_number(1, MOST_EPOCHS),
    ),
    _option("--variants", "A,B", "run only these variants", type=options.names),
    _option(
        "--dataset",
        "NAME",
        "run only on mnist, fashion-mnist, cifar-10, or, without a download, quickdraw, digits or cifar-10-sample",
        type=options.text,
    ),
    _option(
        "--classes",
        "A,B",
        "for quickdraw: download the official drawings of these classes, or of all 345 with `all`",
        type=options.names_as_text,
    ),
    _option(
        "--workers",
        "N",
        "number of worker processes (default: one per core)",
        type=options.whole_number(1, MOST_WORKERS),
    ),
    _option(
        "--devices",
        "KIND:N",
        "devices of each run: cpu, gpu, or with their number, as cpu:2 (default: one GPU if there are any)",
        type=options.text,
    ),
    _option(
        "--plain",
        None,
        "train by Keras's own operations, also where there are faster ones",
        action="store_true",
    ),
    _option(
        "--precision",
        None,
        "number format of the layers: float32, float64, mixed_bfloat16 or mixed_float16",
        choices=PRECISIONS,
    ),
    _option(
        "--cluster",
        "ADDRESS",
        "run on a Ray cluster: `ray` for this machine's own, or host:port of the head node",
        type=options.text,
    ),
    _option(
        "--tuner",
        None,
        "for tune: the search method, hyperband, random or bayesian (default: hyperband)",
        choices=TUNERS,
    ),
    _option(
        "--trials",
        "N",
        "for tune: number of recipes to try (default: 23 by hyperband, 20 by the others)",
        type=options.whole_number(1, MOST_TRIALS),
    ),
    _option(
        "--trial-seeds",
        "N",
        "for tune: number of runs of each trial, with the seeds 100, 101, …",
        type=options.whole_number(1, MOST_TRIAL_SEEDS),
    ),
    _option("--variant", "NAME", "for tune: the network whose recipe is searched", type=options.text),
    _option(
        "--retries",
        "N",
        "how often a failed run is tried again",
        type=options.whole_number(0, MOST_RETRIES),
        default=0,
    ),
    _option("--force", None, "run again what already has a record", action="store_true"),
    _option(
        "--rates",
        None,
        "run no row, but choose each row's learning rate by the experiment's grid, on validation pictures",
        action="store_true",
    ),
    RESULTS,
)

INSPECT = (
    MODEL,
    _option(
        "--source",
        "NAME",
        "for a model with several inputs: the input that receptive fields refer to",
        type=options.text,
    ),
    RESULTS,
)

FEATURES = (
    MODEL,
    _option(
        "--layer",
        "NAME",
        "a layer whose output is maps or units (inside a nested model: A/B)",
        type=options.text,
        required=True,
    ),
    _option("--call", "N", "for a shared layer: which of its calls, from 0", type=options.whole_number(0)),
    _option("--channels", "N", "draw the first N channels (default: 64)", type=options.whole_number(1), default=64),
    _option("--seed", "N", "seed of the initial noise (default: 0)", type=options.whole_number(0), default=0),
    _option(
        "--low",
        "X",
        "the input value of black (default: -0.5, or 0 for a model of integer inputs)",
        type=options.number,
    ),
    _option(
        "--high",
        "X",
        "the input value of white (default: 0.5, or 255 for a model of integer inputs)",
        type=options.number,
    ),
    _option("--output", "FILE", "the SVG file to write (default: RESULTS/features-MODEL-LAYER.svg)", type=options.path),
    RESULTS,
)

BENCH = (
    _option("--only", "A,B", "only these measurements; an unknown name lists all", type=options.names),
    _option(
        "--repeats",
        "N",
        "how often each is measured (default: 5, fewer if quick)",
        type=options.whole_number(1, MOST_REPEATS),
    ),
    _option("--quick", None, "only the most telling measurements, fewer times", action="store_true"),
    RESULTS,
)

LANGUAGE = _option(
    "--language", "CODE", "language of the report, en or ru: report.html or report-ru.html (default: en)"
)

COMMANDS = (
    Command("list", "list the experiments with their questions and variants"),
    Command("run", "run experiments and write their tables and figures", RUN),
    Command("keep", "copy a study to results/reference, and renew the pages made of it", (NAMES, RESULTS)),
    Command("report", "write report.html and claims.csv from the tables", (LANGUAGE, RESULTS)),
    Command("summary", "write and print parameters, receptive fields and test errors side by side", (RESULTS,)),
    Command("inspect", "receptive field and cost of each layer of a model, without training it", INSPECT),
    Command(
        "features",
        "draw the picture that each channel of a layer responds to most, for any Keras image model",
        FEATURES,
        "Finds, by gradient ascent from noise, the picture that each channel of a layer responds to most, at the size "
        "of its receptive field. The experiment of this name is `run features`.",
    ),
    Command("bench", "measure speed side by side; leave the machine idle meanwhile", BENCH),
    Command("tables", "write all tables again from the records, and the figures of those that changed", (RESULTS,)),
)


def parser() -> options.Parser:
    """The argument parser of all commands."""
    top = options.Parser(
        prog="python -m experiments",
        description="Turns the claims of a lecture on convolutional networks into experiments anyone can run.",
        epilog="exit codes: 0 done, 1 some runs failed or their data is missing, 2 bad call, 130/143 interrupted",
    )
    commands = top.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(command.name, help=command.help, description=command.description)
        one.set_defaults(parser=one)
        for option in command.options:
            option.add_to(one)
    return top
