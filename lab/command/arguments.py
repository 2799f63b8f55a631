"""The arguments of `python -m experiments`, each declared once, with its help and its bounds."""

from pathlib import Path

from lab.command import options
from lab.declare.recipe import PRECISIONS
from lab.declare.search import TUNERS
from lab.execute.plan import MOST_RUNS

# Far beyond what anyone has the time for, and near enough that all is planned, and refused, within seconds.


MOST_EPOCHS = 100_000  # Hyperband plans about as many trials


MOST_TRIALS, MOST_TRIAL_SEEDS = 100_000, 1_000


MOST_RETRIES, MOST_REPEATS = 1_000, 1_000


MOST_WORKERS = 10_000  # on a cluster


def parser() -> options.Parser:
    """The arguments, with their help."""
    top = options.Parser(
        prog="python -m experiments",
        description="Turns the claims of a lecture on convolutional networks into experiments anyone can run.",
        epilog="exit codes: 0 done, 1 some runs failed or lack their data, 2 bad call, 130/143 interrupted",
    )
    commands = top.add_subparsers(required=True, dest="command", metavar="COMMAND")

    listing = commands.add_parser("list", help="the experiments, with their questions and variants")

    run = commands.add_parser("run", help="run experiments and write their tables and figures")
    run.add_argument("names", nargs="+", metavar="NAME", help="an experiment, as `list` names it")
    run.add_argument("--seeds", type=options.whole(1, MOST_RUNS), metavar="N", help="runs a variant (seeds 0 to N-1)")
    run.add_argument(
        "--epochs",
        type=options.whole(1, MOST_EPOCHS),
        metavar="N",
        help="passes over the training pictures, for all variants",
    )
    run.add_argument("--variants", type=options.names, metavar="A,B", help="only these variants")
    run.add_argument(
        "--dataset",
        type=options.word,
        metavar="NAME",
        help="mnist, fashion-mnist, cifar-10, or quickdraw or digits, which need no network",
    )
    run.add_argument(
        "--classes",
        type=options.listed,
        metavar="A,B",
        help="of Quick, Draw!: fetch the official drawings of these classes (all: of 345)",
    )
    run.add_argument(
        "--workers",
        type=options.whole(1, MOST_WORKERS),
        metavar="N",
        help="worker processes (default: the number of cores)",
    )
    run.add_argument(
        "--devices",
        type=options.word,
        metavar="KIND:N",
        help="cpu, gpu, or with a number for each run: cpu:2 (virtual CPUs)",
    )
    run.add_argument("--precision", choices=PRECISIONS, help="what layers compute in, for all variants")
    run.add_argument(
        "--cluster", type=options.word, metavar="ADDRESS", help="run on a Ray cluster: host:port of its head, or ray"
    )
    run.add_argument("--tuner", choices=TUNERS, help="of an experiment that searches (tune): how (default: hyperband)")
    run.add_argument(
        "--trials", type=options.whole(1, MOST_TRIALS), metavar="N", help="of a search: how many recipes are tried"
    )
    run.add_argument(
        "--trial-seeds",
        type=options.whole(1, MOST_TRIAL_SEEDS),
        metavar="N",
        help="of a search: runs a trial (seeds 100 to 99+N)",
    )
    run.add_argument(
        "--variant",
        type=options.word,
        metavar="NAME",
        help="of a search: the network of the zoo whose recipe is searched",
    )
    run.add_argument(
        "--retries", type=options.whole(0, MOST_RETRIES), default=0, metavar="N", help="tries more for a run that fails"
    )
    run.add_argument("--force", action="store_true", help="run again what has a record")

    keep = commands.add_parser(
        "keep", help="keep a study in results/reference, with its page and the ledger of README.md"
    )
    keep.add_argument("names", nargs="+", metavar="NAME", help="an experiment, as `list` names it")

    report = commands.add_parser("report", help="write report.html and claims.csv from the tables")

    inspect = commands.add_parser("inspect", help="what a model sees and costs, layer by layer, without training it")
    inspect.add_argument(
        "model", type=options.model, help="a network of the zoo, keras.applications.NAME, or a .keras file"
    )
    inspect.add_argument(
        "--source",
        type=options.word,
        metavar="NAME",
        help="of a model with several inputs: the one whose pixels fields are counted in",
    )

    features = commands.add_parser(
        "features",
        help="pictures of what each channel of a layer answers to, of any Keras model that takes a picture",
        description="Pictures of what each channel of a layer answers to most, found by gradient ascent from noise, "
        "each at the size of its receptive field. The study of this name is `run features`.",
    )
    features.add_argument(
        "model", type=options.model, help="a .keras file, keras.applications.NAME, or a network of the zoo"
    )
    features.add_argument(
        "--layer",
        type=options.word,
        required=True,
        metavar="NAME",
        help="a layer whose output is maps or units (in a nested model A/B)",
    )
    features.add_argument(
        "--call", type=options.whole(0), metavar="N", help="of a layer that is shared: which call, from 0"
    )
    features.add_argument(
        "--channels", type=options.whole(1), default=64, metavar="N", help="the first N (default: 64)"
    )
    features.add_argument(
        "--seed", type=options.whole(0), default=0, metavar="N", help="decides the noise (default: 0)"
    )
    features.add_argument(
        "--low",
        type=options.number,
        metavar="X",
        help="the model's black (default: -0.5, or 0 where it takes whole numbers)",
    )
    features.add_argument("--high", type=options.number, metavar="X", help="the model's white (default: 0.5, or 255)")
    features.add_argument(
        "--output",
        type=options.path,
        metavar="FILE",
        help="the figure, SVG (default: RESULTS/features-MODEL-LAYER.svg)",
    )

    bench = commands.add_parser("bench", help="measure speed side by side; leave the machine alone meanwhile")
    bench.add_argument(
        "--only", type=options.names, metavar="A,B", help="only these measurements (an unknown one lists all)"
    )
    bench.add_argument(
        "--repeats",
        type=options.whole(1, MOST_REPEATS),
        metavar="N",
        help="turns of each (default: 5, or fewer if quick)",
    )
    bench.add_argument("--quick", action="store_true", help="what says most, in fewer turns")

    tables = commands.add_parser("tables", help="make all tables and figures anew from the records")

    for command in (listing, run, keep, report, inspect, features, bench, tables):
        command.set_defaults(parser=command)
    for command in (run, keep, report, inspect, features, bench, tables):
        command.add_argument(
            "--results", type=options.path, default=Path("results"), metavar="FOLDER", help="default: results"
        )
    return top
