"""The parts of README.md and docs/ that are written from tables: each stands between two marks that name it.

A page says `<!-- begin: claims -->` and `<!-- end: claims -->`; what lies between is replaced by `renewed`.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from lab.declare import catalogue
from lab.declare.experiment import Experiment
from lab.report import summary
from lab.report.answers.judge import Verdict
from lab.report.table import csv_files, rates, tables
from lab.report.table.row import ONE_CPU

MARKED = re.compile(r"(<!-- begin: ([\w-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
CORES = 2  # of the machine that the minutes are for
UNMEASURED = "?"
STEP = "step"
IDENTITY, UNJUDGED = Verdict.CONSTRUCTED.value, Verdict.NOT_JUDGED.value


def pages(root: Path) -> list[Path]:
    """The pages of the project that have such parts."""
    found = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return [page for page in found if page.exists() and MARKED.search(page.read_text())]


def renewed(page: str, reference: Path) -> str:
    """A page with all its parts written anew from the tables in a folder of results; one without its table stays."""
    return MARKED.sub(lambda found: f"{found[1]}{_block(found, reference)}{found[3]}", page)


def _block(found: re.Match[str], reference: Path) -> str:
    table, write = BLOCKS[found[2]]
    if not (reference / table).exists():
        return found[0].removeprefix(found[1]).removesuffix(found[3])
    return f"{write(reference)}\n"


def write_minutes(reference: Path) -> None:
    """Writes how long each experiment takes on two cores, by the seconds that our runs measured: `minutes.csv`.

    "?" is an experiment that trains and was not run as declared; "≥" one of which some rows were not.
    """
    rows = [
        (one.name, _minutes(one, tables.seeds_path(reference, one.name))) for one in catalogue.whole() if one.trains
    ]
    csv_files.write(pd.DataFrame(rows, columns=["experiment", "minutes_on_two_cores"]), reference / "minutes.csv")


def _minutes(experiment: Experiment, seeds: Path) -> str:
    """Minutes of a call with nothing said: of each declared row the median seconds of its runs, by the declared seeds.

    The median, as one run that was suspended for an hour would decide the mean.
    """
    if not seeds.exists():
        return UNMEASURED
    frame = tables.read_seeds(seeds)
    if tables.DEVICES in frame:
        frame = frame[frame[tables.DEVICES] == ONE_CPU]
    timed = [name for name in map(str, frame) if name.endswith("_seconds")]
    seconds = frame[timed].sum(axis=1)
    if experiment.search:  # each trial is a row of its own
        whole = set(experiment.rows) <= set(frame["variant"])
        return f"{'' if whole else '≥'}{math.ceil(seconds.sum() / 60 / CORES)}"
    declared = frame["declared"].astype(bool)
    medians = seconds[declared].groupby([frame["variant"], frame["dataset"]]).median()
    wanted = [
        (variant.name, dataset)
        for variant in experiment.variants
        if hasattr(variant.settings, "epochs")
        for dataset in experiment.datasets_of(variant.name)
    ]
    known = [key for key in wanted if key in medians.index]
    minutes = math.ceil(medians.sum() * experiment.seeds / 60 / CORES)
    if 2 * len(known) < len(wanted):
        return UNMEASURED
    return f"{minutes}" if len(known) == len(wanted) else f"≥{minutes}"


def hours(reference: Path) -> str:
    """How long our runs took, by experiment: those of the tables, and those that chose learning rates."""
    lines = [
        "| experiment | runs | hours | runs that chose learning rates | hours of these |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    spent = [(one.name, _seeds_of(one, reference), rates.read(reference, one)) for one in catalogue.whole()]
    rows = [(name, *_hours(frame), *_hours_of_choosing(chosen)) for name, frame, chosen in spent if frame is not None]
    rows = [row for row in rows if row[2] + row[4]]
    sums = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    for name, count, time, choosing, time_of_choosing in [*rows, ("all", *sums)]:
        cells = (name, f"{count:,}", f"{time:.1f}", f"{choosing:,}", f"{time_of_choosing:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _seeds_of(experiment: Experiment, reference: Path) -> pd.DataFrame | None:
    """The values of each run; None where there are none."""
    path = tables.seeds_path(reference, experiment.name)
    return tables.read_seeds(path) if path.exists() else None


def _hours(seeds: pd.DataFrame) -> tuple[int, float]:
    """How many runs trained, and for how many hours."""
    if "train_seconds" not in seeds:
        return 0, 0.0
    trained = seeds["train_seconds"].dropna()
    return len(trained), trained.sum() / 3600


def _hours_of_choosing(frame: pd.DataFrame | None) -> tuple[int, float]:
    """How many runs chose the learning rates, and how many hours they took."""
    if frame is None:
        return 0, 0.0
    return int(frame["seeds"].sum()), float((frame["seeds"] * frame["train_seconds_mean"]).sum() / 3600)


def _read_minutes(reference: Path) -> dict[str, str]:
    """Minutes by experiment, of those that train."""
    frame = csv_files.read(reference / "minutes.csv")
    return dict(zip(frame["experiment"], frame["minutes_on_two_cores"].astype(str), strict=True))


def commands(reference: Path) -> str:
    """The first commands of a new user, with their times."""
    lenet = _read_minutes(reference).get("lenet", UNMEASURED)
    lasts = f"{lenet[1:]} minutes or more" if lenet.startswith("≥") else f"about {lenet} minutes"
    lines = [
        ("make quick", "a first look at five experiments, about a minute; then results/quick/report.html"),
        ("make lenet", f"LeNets of 1990-1998 and of today on MNIST, five seeds: {lasts} on two cores"),
        ("make report", "the lecture's claims with the answers of what you have run, results/report.html"),
        ("make help", "all experiments with their minutes, and all variables"),
    ]
    return "```\n" + "\n".join(f"{command:13} # {about}" for command, about in lines) + "\n```"


def experiments(reference: Path) -> str:
    """All experiments in the order of the lecture, with their minutes and their questions."""
    minutes = _read_minutes(reference)
    lines = ["| command | minutes | question |", "| --- | ---: | --- |"]
    lines += [f"| `make {one.name}` | {minutes.get(one.name, '–')} | {one.question} |" for one in catalogue.whole()]
    return "\n".join(lines)


def answers(reference: Path) -> str:
    """The answers to the claims that were measured; how many are identities, and how many are not judged."""
    claims = csv_files.read(reference / "claims.csv")
    measured = claims[~claims["verdict"].isin([IDENTITY, UNJUDGED])]
    lines = ["| verdict | answer |", "| --- | --- |"]
    lines += [f"| {claim['verdict']} | {claim['answer']} |" for _, claim in measured.iterrows()]
    identities, unjudged = ((claims["verdict"] == verdict).sum() for verdict in (IDENTITY, UNJUDGED))
    return "\n".join(lines) + (
        f"\n\nOf the lecture's {len(claims)} claims, {identities} more are {IDENTITY} (checked against an "
        f"independent computation) and {unjudged} {'is' if unjudged == 1 else 'are'} {UNJUDGED}."
    )


def ledger(reference: Path) -> str:
    """All claims of the lecture with their verdicts and answers."""
    claims = csv_files.read(reference / "claims.csv")
    lines = ["| claim of the lecture | verdict | answer |", "| --- | --- | --- |"]
    for _, claim in claims.astype(object).fillna("").iterrows():
        lines.append(f"| {claim['statement']} | {claim['verdict']} | {claim['answer'] or claim['reason']} |")
    return "\n".join(lines)


def speed(reference: Path) -> str:
    """The benchmark but for single steps: each way beside this suite."""
    frame = csv_files.read(reference / "benchmark.csv")
    frame = frame[frame["contest"] != STEP]
    lines = [
        "| measure | way | median | lowest to highest | turns | this suite ÷ this way | goal | reads |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for measure, rows in frame.groupby("measure", sort=False):
        named = itertools.chain([str(measure)], itertools.repeat(""))  # in the first of its rows alone
        lines += [f"| {' | '.join([next(named), *_way(row)])} |" for _, row in rows.iterrows()]
    return "\n".join(lines)


def steps(reference: Path) -> str:
    """A step of training of each network, by Keras's operations and by this suite's."""
    frame = csv_files.read(reference / "benchmark.csv")
    lines = [
        "| network | Keras's operations, ms | this suite's, ms | ratio | lowest to highest | goal |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for measure, rows in frame[frame["contest"] == STEP].groupby("measure", sort=False):
        (_, ours), (_, plain) = rows.iterrows()
        network = str(measure).removeprefix("a step of ").partition(":")[0]
        low, middle, high = (plain[f"suite_by_this_{name}"] for name in ("lowest", "median", "highest"))
        lines.append(
            f"| {network} | {plain['median']:.1f} | {ours['median']:.1f} | {middle:.2f} | {low:.2f} to {high:.2f} "
            f"| ≤\u00a0{plain['wanted_at_most']:g} |"
        )
    return "\n".join(lines)


def _way(row: pd.Series) -> Iterator[str]:
    """The cells of one way of a contest, without its measure."""
    factor, unit = {"FLOP/s": (1e9, "GFLOP/s"), "milliseconds": (1, "ms")}.get(row["unit"], (1, "s"))
    median, lowest, highest = (_short(row[name] / factor) for name in ("median", "lowest", "highest"))
    memory = "" if pd.isna(row["peak_megabytes_mean"]) else f", {row['peak_megabytes_mean']:.0f} MB"
    ratio, goal, accuracy = (row[name] for name in ("suite_by_this_median", "wanted_at_most", "accuracy_mean"))
    yield from (row["way"], f"{median}\u00a0{unit}{memory}", f"{lowest} to {highest}", f"{row['repeats']}")
    yield "–" if ratio == 1 else f"{ratio:.2g}"
    yield "–" if pd.isna(goal) else f"≤\u00a0{goal:.2g}"
    yield "–" if pd.isna(accuracy) else f"{100 * accuracy:.1f}\u00a0%"


def _short(value: float) -> str:
    """Three digits, and more where a whole number has more."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def summary_of_networks(reference: Path) -> str:
    """What networks cost, see and misread."""
    return summary.markdown(summary.frame(reference))


def fan_out(reference: Path) -> str:
    """Several runs by worker processes beside other ways to do them."""
    lines = ["| runs | this way | compared with | time ÷ time | pairs |", "| --- | --- | --- | ---: | ---: |"]
    for _, row in csv_files.read(reference / "fan-out.csv").iterrows():
        low, middle, high = (1 / row[f"ratio_{name}"] for name in ("max", "median", "min"))
        lines.append(
            f"| {row['measure']} | {row['second']} | {row['first']} | {middle:.2f} ({low:.2f} to {high:.2f}) "
            f"| {row['pairs']} |"
        )
    return "\n".join(lines)


def environments(reference: Path) -> str:
    """In which fresh environments the inspector was installed, and what worked there."""
    frame = pd.read_csv(reference / "environments.csv", dtype=str)  # 3.10 is no number
    lines = ["| Python | Keras | backend | installs | as a library | `inspect` | `field` | `features` |"]
    lines.append("| --- " * len(frame.columns) + "|")
    lines += [f"| {' | '.join(row)} |" for _, row in frame.iterrows()]
    return "\n".join(lines)


def peers(reference: Path) -> str:
    """Other tools that count: how far each one's count is from torchvision's own, and its time."""
    frame = csv_files.read(reference / "peers.csv")
    tools = list(dict.fromkeys(frame["tool"]))
    lines = [f"| network | torchvision's pages | {' | '.join(tools)} |", "| --- | ---: |" + " ---: |" * len(tools)]
    for network, rows in frame.groupby("network", sort=False):
        published = rows["published_macs"].iloc[0]
        cells = [_counted(row, published) for _, row in rows.set_index("tool").loc[tools].iterrows()]
        lines.append(f"| {network} | {published / 1e9:.3f} billion | {' | '.join(cells)} |")
    failed = frame[frame["error"].notna()].groupby("tool", sort=False)["error"].first()
    notes = [f"\n{tool} ends with an error: `{error}`." for tool, error in failed.items()]
    return "\n".join([*lines, *notes])


def _counted(row: pd.Series, published: float) -> str:
    if pd.isna(row["seconds"]):
        return "error"
    seconds = f"{row['seconds']:.2f} s"
    if pd.isna(row["macs"]):
        return f"not all, {seconds}"
    percent = round(100 * (row["macs"] / published - 1), 1)
    shown = f"{percent:+.1f}" if percent else "0.0"  # what is rounded to 0 has no sign
    return f"{shown} %, {seconds}"


# What a mark names: the table it is made of, and the function that writes it, given the folder of results.
BLOCKS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "commands": ("minutes.csv", commands),
    "experiments": ("minutes.csv", experiments),
    "answers": ("claims.csv", answers),
    "claims": ("claims.csv", ledger),
    "hours": ("claims.csv", hours),
    "summary": ("summary.csv", summary_of_networks),
    "speed": ("benchmark.csv", speed),
    "steps": ("benchmark.csv", steps),
    "fan-out": ("fan-out.csv", fan_out),
    "environments": ("environments.csv", environments),
    "peers": ("peers.csv", peers),
}
