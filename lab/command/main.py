"""The command line: what is asked is checked whole before anything starts.

Heavy libraries are imported where they are used, so that `--help` and `list` answer at once.
Exit codes: 0 done, 1 some runs failed or lack their data, 2 the call cannot be done, 130 and 143 interrupted.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lab.command import options
from lab.command.interrupts import between_imports
from lab.declare import catalogue, fits, machine
from lab.declare.experiment import Experiment
from lab.declare.recipe import PRECISIONS, Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute import placement
from lab.learn import startup
from lab.search import search
from lab.search.search import TUNERS

if TYPE_CHECKING:
    import keras
    import numpy as np

    from lab.execute.fanout import Engine, Listener
    from lab.store.records import Record, Records

# Far beyond what anyone has the time for, and near enough that all is planned, and refused, within seconds.
MOST_RUNS = 1_000_000  # of an experiment; docs/million-runs.md says what becomes of so many
MOST_EPOCHS = 100_000  # Hyperband plans about as many trials
MOST_TRIALS, MOST_TRIAL_SEEDS = 100_000, 1_000
MOST_RETRIES, MOST_REPEATS = 1_000, 1_000
MOST_WORKERS = 10_000  # on a cluster
WORKERS_A_CORE = 16  # on one machine, where each is a process with a TensorFlow of its own, about half a gigabyte


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments say and returns the exit code."""
    do, kept = None, "Nothing was begun."
    try:
        asked = _asked(arguments)
        do = asked.do
        kept = "Finished runs are kept; the same call goes on from here." if do is _run else "Whole files are kept."
        signal.signal(signal.SIGTERM, between_imports(functools.partial(_terminated, kept)))
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # by a shell, for what it starts in its background
            signal.signal(signal.SIGINT, between_imports(signal.default_int_handler))
        code = int(do(asked) or 0)
        sys.stdout.flush()  # here, where what cannot be printed is still told
        return code
    except KeyboardInterrupt:
        print(f"\nInterrupted. {kept}", file=sys.stderr)
        return 130
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return _unread(do, kept)
        print(
            f"error: {options.reason(error)}. What was recorded is intact; mend this and call again.", file=sys.stderr
        )
        return 2


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        asked, rest = parser().parse_known_args(arguments)
    except SystemExit:  # after the help
        sys.stdout.flush()
        raise
    if rest:
        asked.parser.refuse(rest)
    return asked


def _nobody_reads() -> bool:
    """Whether what reads the output has ended, as `| head` does; what is left then goes nowhere."""
    try:
        print(flush=True)  # a line more is no harm; what could not be written may have been dropped
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _unread(do: object, kept: str) -> int:
    """The exit code where nobody reads on: 0 where all that was left to do was to print."""
    if do not in (_run, _tables, _bench):
        return 0
    with contextlib.suppress(OSError):  # `2>&1 | head`
        print(f"Stopped: nobody reads the output any more. {kept}", file=sys.stderr)
    return 128 + signal.SIGPIPE


def parser() -> options.Parser:
    """The arguments, with their help."""
    top = options.Parser(
        prog="python -m experiments",
        description="Turns the claims of a lecture on convolutional networks into experiments anyone can run.",
        epilog="exit codes: 0 done, 1 some runs failed or lack their data, 2 bad call, 130/143 interrupted",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the experiments, with their questions and variants")
    listing.set_defaults(do=_list)

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
    run.set_defaults(do=_run)

    keep = commands.add_parser(
        "keep", help="keep a study in results/reference, with its page and the ledger of README.md"
    )
    keep.add_argument("names", nargs="+", metavar="NAME", help="an experiment, as `list` names it")
    keep.set_defaults(do=_keep)

    report = commands.add_parser("report", help="write report.html and claims.csv from the tables")
    report.set_defaults(do=_report)

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
    inspect.set_defaults(do=_inspect)

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
    features.set_defaults(do=_features)

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
    bench.set_defaults(do=_bench)

    tables = commands.add_parser("tables", help="make all tables and figures anew from the records")
    tables.set_defaults(do=_tables)

    for command in (listing, run, keep, report, inspect, features, bench, tables):
        command.set_defaults(parser=command)
    for command in (run, keep, report, inspect, features, bench, tables):
        command.add_argument(
            "--results", type=options.path, default=Path("results"), metavar="FOLDER", help="default: results"
        )
    return top


def plan(experiment: Experiment, asked: argparse.Namespace) -> list[Run]:
    """The runs a call asks for, checked against what is known of the data.

    Raises:
        UsageError: more runs than a call takes, an unknown variant, data set or class, a row that cannot be on its
            data set (see `lab.declare.fits`), or a batch larger than the training split.
    """
    from lab.data import datasets, pairs

    trains = experiment.dataset in datasets.DATASETS
    if not trains:
        _refuse_for_fixed(experiment, asked)
    runs: list[Run] = []
    for declared in [asked.dataset] if asked.dataset else experiment.datasets:
        name = datasets.by_class(declared, asked.classes) if asked.classes else declared
        of_pairs = experiment.takes_pairs and name.startswith(pairs.PREFIX)
        outline = datasets.outline(name) if trains and not of_pairs else None
        chosen = [
            variant
            for variant in experiment.select(asked.variants)
            if asked.dataset or declared in experiment.datasets_of(variant.name)
        ]
        if outline:
            fits.refuse(experiment, {variant.name: variant.settings for variant in chosen}, outline)
        seeds = range(asked.seeds or experiment.seeds)
        if len(runs) + len(chosen) * len(seeds) > MOST_RUNS:
            raise UsageError(
                f"{experiment.name}: {len(chosen)} variants with {len(seeds):,} seeds each are more runs than a call "
                f"takes, {MOST_RUNS:,}; ask for fewer SEEDS, or for some VARIANTS."
            )
        for variant in chosen:
            settings = variant.settings
            if asked.epochs and hasattr(settings, "epochs") and not experiment.search:  # which has used it already
                settings = dataclasses.replace(settings, epochs=asked.epochs)
            if asked.precision and hasattr(settings, "precision"):
                settings = dataclasses.replace(settings, precision=asked.precision)
            if outline and outline.size is not None and getattr(settings, "batch_size", 0) > outline.size:
                raise UsageError(
                    f"{variant.name}: a batch of {settings.batch_size} is larger than {name}'s {outline.size} pictures."
                )
            runs += [Run(experiment.name, variant.name, name, settings, seed) for seed in seeds]
    return _with_needed(runs) if asked.force else runs


def _with_needed(runs: list[Run]) -> list[Run]:
    """Before the runs, those of the same experiment whose networks they read: what is done again starts there."""
    needed = [need for run in runs for need in run.needs if need.experiment == run.experiment]
    return list({run.key: run for run in (*needed, *runs)}.values()) if needed else runs


def _refuse_for_fixed(experiment: Experiment, asked: argparse.Namespace) -> None:
    for word in ("dataset", "epochs", "classes", "precision", "devices"):
        if getattr(asked, word):
            raise UsageError(f"{experiment.name} trains nothing, so it takes no --{word}.")


def _list(asked: argparse.Namespace) -> int:
    for experiment in catalogue.whole():
        print(f"{experiment.name}\n    {experiment.question}")
        print(f"    variants: {', '.join(variant.name for variant in experiment.variants)}")
    return _say_broken()


def _say_broken() -> int:
    """Says which files of experiments cannot be read, after all that was done for the others; 1 if there are any."""
    lines = catalogue.broken()
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return int(bool(lines))


def lay_out(experiment: Experiment, runs: Sequence[Run], asked: argparse.Namespace) -> machine.Layout:
    """On which devices the runs go.

    Raises:
        UsageError: there are no such devices, they do not divide a batch, or the experiment's loop cannot use them.
    """
    from lab.data import datasets

    cores = os.cpu_count() or 1
    if asked.workers and not asked.cluster and asked.workers > WORKERS_A_CORE * cores:
        raise UsageError(
            f"WORKERS={asked.workers} are too many for {cores} cores: each is a process with a TensorFlow of its own. "
            f"Take at most {WORKERS_A_CORE * cores}."
        )
    if experiment.dataset not in datasets.DATASETS:  # trains nothing
        return placement.layout("cpu", asked.workers, (), 0, cores)
    if runs and not any(isinstance(run.settings, Training) for run in runs):
        _refuse_for_own_loop(runs[0].experiment, asked)
    if asked.cluster and _hosts():
        raise UsageError("TF_CONFIG trains each run on all hosts, --cluster each on one: not both at once.")
    recipes = [run.settings for run in runs if hasattr(run.settings, "batch_size")]  # some rows need no learning
    batches = [min(recipe.batch_size, recipe.examples or recipe.batch_size) for recipe in recipes]
    hosts, gpus = _hosts(), len(machine.visible_gpus())
    if hosts:
        if asked.workers or asked.retries:
            raise UsageError("TF_CONFIG trains one run at a time on all hosts: leave out --workers and --retries.")
        return placement.together(asked.devices, hosts, batches, gpus)
    if asked.cluster:
        return placement.on_cluster(asked.devices, asked.workers, batches)
    return placement.layout(asked.devices, asked.workers, batches, gpus, cores)


def _refuse_for_others_runs(experiment: Experiment, asked: argparse.Namespace) -> None:
    if experiment.reads_runs and (asked.cluster or _hosts()):
        raise UsageError(
            f"{experiment.name} reads networks that other runs left on this machine: leave out --cluster and TF_CONFIG."
        )


def _refuse_for_own_loop(experiment: str, asked: argparse.Namespace) -> None:
    """What only `lab.learn.training.Trainer` knows."""
    if asked.precision or (asked.devices and asked.devices not in ("cpu", "gpu", "cpu:1", "gpu:1")) or _hosts():
        raise UsageError(f"{experiment} has its own training loop: one device, float32, one host for each run.")


def _hosts() -> machine.Hosts | None:
    return machine.configured(os.environ.get("TF_CONFIG"))


def _run(asked: argparse.Namespace) -> int:
    planned = []
    for name in asked.names:
        _refuse_without_search(experiment := catalogue.find(name), asked)
        runs = plan(experiment, asked)
        _refuse_for_others_runs(experiment, asked)
        planned.append((experiment, runs, lay_out(experiment, runs, asked)))
    options.writable(asked.results)
    failed = []
    for experiment, runs, layout in planned:
        lost, found = _search(experiment, asked) if experiment.search else (False, runs)
        failed.append(_one(experiment, found, layout, asked) or lost if found else lost)
    return int(any(failed))


def _refuse_without_search(experiment: Experiment, asked: argparse.Namespace) -> None:
    from lab.data import datasets

    for word in ("tuner", "trials", "trial_seeds", "variant"):
        if getattr(asked, word) and not experiment.search:
            meant = " Did you mean --variants?" if word == "variant" else ""
            raise UsageError(
                f"{experiment.name} searches for nothing, so it takes no --{word.replace('_', '-')}.{meant}"
            )
    if experiment.search and (asked.cluster or _hosts()):
        raise UsageError(f"{experiment.name} goes over several hosts by KERASTUNER_… alone, see README.md.")
    if experiment.search and asked.classes:
        raise UsageError(f"{experiment.name} searches on whole data sets, so it takes no --classes.")
    if experiment.search:
        search.configured()
        sought = search.asked_for(experiment, asked)
        fits.refuse(experiment, {sought.start.model: sought.start}, datasets.outline(sought.dataset))


def _search(experiment: Experiment, asked: argparse.Namespace) -> tuple[bool, list[Run]]:
    """Searches; whether a run of it failed, and the runs of what it found, of which a helping host has none."""
    from lab.execute import fanout, progress
    from lab.search import chief, crew
    from lab.store import environment
    from lab.store.records import Records

    sought, address = search.asked_for(experiment, asked), search.configured()
    gpus, cores = len(machine.visible_gpus()), os.cpu_count() or 1
    layout = placement.layout(asked.devices, asked.workers, sought.batches, gpus, cores)
    terms = crew.Terms(
        experiment.work, sought, Records(asked.results), environment.describe(), layout, asked.retries, asked.force
    )
    with progress.watch(progress.screen(), f"{experiment.name}: search", 0) as display:
        try:
            if address and not address.chief:
                return bool(crew.assist(terms, display, address)), []
            leader = chief.Chief(terms, display, address)
            trials = leader.lead(lambda: _fetch_one(sought.dataset, display.fetched))
        except fanout.WorkersLost as error:
            raise UsageError(str(error)) from error
    for key, reason in leader.failed.items():
        print(f"failed: {key}: {reason}", file=sys.stderr)
    found = search.finals(experiment, sought, asked.epochs, trials)
    return bool(leader.failed), plan(found, asked)


def _one(experiment: Experiment, runs: list[Run], layout: machine.Layout, asked: argparse.Namespace) -> bool:
    """Runs one experiment, writes and shows its table; True where a run failed."""
    from lab.data import datasets
    from lab.execute import fanout, progress
    from lab.report import printing
    from lab.store import environment
    from lab.store.records import Records

    screen = progress.screen()
    hosts = _hosts() if experiment.dataset in datasets.DATASETS else None
    if layout.devices != machine.Devices() or hosts:
        print(f"devices: {hosts or layout}", flush=True)
    records = Records(asked.results)
    asked.results.mkdir(parents=True, exist_ok=True)
    with progress.watch(screen, experiment.name, len(runs)) as display:
        several = len(_datasets(runs)) > 1 and not hosts  # which have to do the same runs
        left_out = _without_data(runs, records, asked.force, display.fetched) if several else []
        without = {run.key for run in left_out}
        runs = [run for run in runs if run.key not in without]
        display.expect(len(runs))
        engine = _engine(experiment, layout, hosts, asked, (records, environment.describe(), display))
        try:
            outcome = engine.execute(runs, lambda: None if several else _fetch(runs, display.fetched))
        except fanout.WorkersLost as error:
            raise UsageError(str(error)) from error
    for key, reason in outcome.failed.items():
        print(f"failed: {key}: {reason}", file=sys.stderr)
    if hosts and not hosts.chief:
        return bool(outcome.failed)
    print(display.summary())
    from lab.report import figures, notes  # heavy, and of no use before there are records

    frame, figure = figures.write(experiment, records)
    note = " ".join(notes.notes(experiment, frame))
    printing.show(screen, frame, notes.columns(experiment, frame), experiment.question, experiment, note)
    print(f"table: {asked.results / experiment.name}.csv" + (f"\nfigure: {figure}" if figure else ""))
    for dataset, count in collections.Counter(run.dataset for run in left_out).items():
        print(f"not run: {_counted(count)} on {dataset}, which could not be had (see above).", file=sys.stderr)
    return bool(outcome.failed or left_out)


def _engine(
    experiment: Experiment,
    layout: machine.Layout,
    hosts: machine.Hosts | None,
    asked: argparse.Namespace,
    desk: "tuple[Records, Record, Listener]",
) -> "Engine":
    """What executes the runs: worker processes here, all hosts of TF_CONFIG together, or a cluster."""
    if hosts:
        from lab.execute.hosts import Together

        return Together(hosts, experiment.work, *desk, asked.force, layout.devices)
    if asked.cluster:
        from lab.execute.cluster import Cluster

        workers = layout.workers or None
        return Cluster(asked.cluster, experiment.work, *desk, workers, asked.retries, asked.force, layout.devices)
    from lab.execute.fanout import FanOut

    return FanOut(
        experiment.work, *desk, layout.workers, asked.retries, asked.force, layout.devices, spare=_load_tables
    )


def _load_tables() -> None:
    from lab.report import figures  # noqa: F401 (the table and the figure come next)


def _keep(asked: argparse.Namespace) -> None:
    from lab.report import reference

    options.existing(asked.results)
    if lines := catalogue.broken():  # whose tables would be gone from the page of all that is kept
        raise UsageError(lines[0])
    for name in asked.names:
        reference.keep(catalogue.find(name), asked.results)


def _report(asked: argparse.Namespace) -> int:
    from lab.report import page

    if not any((options.existing(asked.results) / f"{name}.csv").exists() for name in catalogue.names()):
        raise UsageError(f"{asked.results} holds no table of an experiment: run one first, as make lenet.")
    options.writable(asked.results)
    print(f"report: {page.write(asked.results)}")
    return _say_broken()


def _inspect(asked: argparse.Namespace) -> None:
    options.writable(asked.results)
    model = _open(asked.model)
    import cnn_models
    from lab.report import tables

    try:
        table = cnn_models.layer_table(model, source=asked.source)
    except (TypeError, ValueError) as error:
        raise UsageError(_first_line(error)) from error
    path = asked.results / f"inspect-{_model_name(asked.model)}.csv"
    tables.write_csv(table.frame(), path)
    print(f"{table}\ntable: {path}")


def _features(asked: argparse.Namespace) -> None:
    if None not in (asked.low, asked.high) and not asked.low < asked.high:
        raise UsageError(f"--low must be less than --high, got {asked.low:g} and {asked.high:g}.")
    name = f"features-{_model_name(asked.model)}-{asked.layer.replace('/', '-')}.svg"
    path = asked.output or asked.results / name
    if path.suffix != ".svg":
        raise UsageError(f"--output is an SVG file, its name ends in .svg; got {path}.")
    if path.is_dir():
        raise UsageError(f"--output is an SVG file, and {path} is a folder.")
    options.writable(path.parent)
    model = _open(asked.model)
    from cnn_models.gradients import maximisation
    from lab.report import channels

    try:
        channels.check_colours(maximisation.picture_shape(model)[-1])
        found = maximisation.maximise(
            model,
            asked.layer,
            call=asked.call,
            most=asked.channels,
            seed=asked.seed,
            low=asked.low,
            high=asked.high,
        )
        if (found.dead | found.broken).all():
            raise ValueError(
                f"No channel of layer '{asked.layer}' has a picture: their answers are not finite, or no step of the "
                "ascent changes them, as where all weights are 0."
            )
        title = f"{_model_name(asked.model)}, {asked.layer}: channel, and its answer to this picture"
        without = dict.fromkeys(_numbers(found.dead), "dead") | dict.fromkeys(_numbers(found.broken), "not finite")
        channels.write_sheet(path, title, found.pictures, found.after, without)
    except (TypeError, ValueError) as error:
        raise UsageError(_first_line(error)) from error
    count, height, width = found.pictures.shape[:3]
    print(f"{count} channels of {asked.layer}, {height}×{width} pixels each")
    for which, remark in (
        (found.dead, "dead, no picture changes their answer"),
        (found.broken, "without a finite answer, as their values overflow"),
        (found.silent, "silent, rectified to 0 even on their own picture"),
    ):
        if which.any():
            print(f"channels {', '.join(map(str, _numbers(which)))}: {remark}")
    print(f"figure: {path}")


def _numbers(which: "np.ndarray") -> list[int]:
    return which.nonzero()[0].tolist()


def _open(name: str) -> "keras.Model":
    """A model that a user names; what its name or file alone shows is refused before TensorFlow is loaded."""
    from cnn_models import loading

    try:
        loading.check(name)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        startup.start_tensorflow()
        return loading.open_model(name)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _first_line(error: Exception) -> str:
    """What is wrong; further lines show what to write in Python."""
    first, *more = str(error).splitlines() or [type(error).__name__]
    return f"{first} In Python it can be given one, see cnn_models/analysis/rules.py." if more else first


def _model_name(model: str) -> str:
    return Path(model).stem if model.endswith(".keras") else model


def _bench(asked: argparse.Namespace) -> None:
    from lab.bench import benchmark

    options.writable(asked.results)
    frame = benchmark.write(asked.results, asked.only, asked.repeats, asked.quick)
    columns = ["measure", "way", "unit", "median", "lowest", "highest", "suite_by_this_median", "wanted_at_most"]
    print(frame[columns].to_string(index=False))
    print(f"table: {asked.results}/benchmark.csv\nfigure: {asked.results}/benchmark.svg")


def _datasets(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.dataset for run in runs))


def _without_data(
    runs: Sequence[Run], records: "Records", force: bool, told: Callable[[str, int, int], None]
) -> list[Run]:
    """Fetches and verifies several data sets as far as runs need them; the runs whose data cannot be had.

    Raises:
        UsageError: that are all of them.
    """
    waiting = [run for run in runs if force or not records.find(run)]
    left_out: list[Run] = []
    for dataset in _datasets(waiting):
        try:
            _fetch_one(dataset, told)
        except UsageError as error:
            without = [run for run in waiting if run.dataset == dataset]
            left_out += without
            if len(left_out) == len(runs):
                raise
            print(f"{error}\nMeanwhile {_counted(len(without))} on {dataset} will be left out.", file=sys.stderr)
    return left_out


def _counted(runs: int) -> str:
    return f"{runs} run{'s' if runs != 1 else ''}"


def _fetch(runs: Sequence[Run], told: Callable[[str, int, int], None]) -> None:
    """Fetches and verifies the data before any run starts, or refuses in one message."""
    for dataset in _datasets(runs):
        _fetch_one(dataset, told)


def _fetch_one(dataset: str, told: Callable[[str, int, int], None]) -> None:
    from lab.data import datasets, pairs

    if dataset.startswith(pairs.PREFIX):
        pairs.load(dataset)
    elif dataset.partition(":")[0] in datasets.DATASETS:
        datasets.load(dataset, told)


def _tables(asked: argparse.Namespace) -> int:
    from lab.report import figures
    from lab.store.records import Records

    records = Records(options.existing(asked.results))
    if not records.experiments():
        raise UsageError(f"{asked.results} holds no records: run an experiment first, as make lenet.")
    options.writable(asked.results)
    lost = False
    for path, made in figures.write_all(records):
        if isinstance(made, str):
            print(f"{path}: {made}", file=sys.stderr)
            lost = True
        else:
            print(f"{path}: {len(made)} rows")
    return _say_broken() or int(lost)


def _terminated(kept: str, number: int, frame: object) -> NoReturn:
    print(f"\nTerminated. {kept}", file=sys.stderr)
    sys.exit(128 + number)
