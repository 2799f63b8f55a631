"""Runs experiments: a plan, an engine, records, then table and figure."""

import collections
import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lab.command import options
from lab.declare import catalogue, machine, search
from lab.declare.call import Call
from lab.declare.experiment import Experiment
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute import plan

if TYPE_CHECKING:
    from rich.console import Console

    from lab.execute.attempts import Outcome
    from lab.execute.engines import Engine
    from lab.execute.job import Job, Source
    from lab.execute.progress import Display
    from lab.store.records import Records


def run(call: Call) -> int:
    """Runs all experiments of a call; 1 where a run failed."""
    planned = [plan.planned(catalogue.find(name), call) for name in call.names]
    options.writable(call.results)
    failed = []
    for part in [*plan.needed_first(planned, call), *planned]:
        lost, ready = _search(part, call) if part.experiment.search else (False, part)
        failed += [lost, _one(ready, call)]
    return int(any(failed))


def _search(part: plan.Planned, call: Call) -> tuple[bool, plan.Planned]:
    """Searches for recipes; whether a run of it failed, and the plan for what was found."""
    from lab.execute import progress
    from lab.learn import startup
    from lab.learn.surroundings import surroundings

    surroundings()
    startup.start_tensorflow()  # KerasTuner needs it in this process
    from lab.search.trials import searching

    sought = search.asked_for(part.experiment, call)
    job = dataclasses.replace(_job(part, call), lost_retries=1)
    with progress.watch(progress.screen(), f"{part.experiment.name}: search", 0) as display:
        engine = _engine(part, job, call, display)
        with searching(sought, job.records, call.force) as trials:
            display.expect(trials.left)
            outcome = _execute(engine, trials, lambda: _fetch_one(sought.dataset, display.fetched))
            ended = trials.trials()
    _say_failed(outcome)
    found = search.finals(part.experiment, sought, call.epochs, ended)
    return bool(outcome.failed), dataclasses.replace(part, runs=plan.plan(found, call))


def _one(part: plan.Planned, call: Call) -> bool:
    """Runs one experiment, writes and shows its table; True where a run failed."""
    from lab.execute import progress
    from lab.execute.job import RunList

    screen = progress.screen()
    job = _job(part, call)
    if part.layout.devices != machine.Devices() or part.hosts:
        print(f"devices: {part.hosts or part.layout}", flush=True)
    call.results.mkdir(parents=True, exist_ok=True)
    with progress.watch(screen, part.experiment.name, len(part.runs)) as display:
        several = len(_datasets(part.runs)) > 1 and not part.hosts  # which have to do the same runs
        left_out = _without_data(part.runs, job.records, call.force, display.fetched) if several else []
        without = {run.key for run in left_out}
        runs = [run for run in part.runs if run.key not in without]
        display.expect(len(runs))
        engine = _engine(part, job, call, display)
        outcome = _execute(engine, RunList(runs), lambda: None if several else _fetch(runs, display.fetched))
    _say_failed(outcome)
    if not part.hosts or part.hosts.chief:
        print(display.summary())
        _show(part.experiment, job.records, screen)
    for dataset, count in collections.Counter(run.dataset for run in left_out).items():
        print(f"not run: {_counted(count)} on {dataset}, which could not be had (see above).", file=sys.stderr)
    return bool(outcome.failed or left_out)


def _show(experiment: Experiment, records: "Records", screen: "Console") -> None:
    """Writes and prints the table and the answers, and draws the figure."""
    from lab.report import figures, ledger, notes, printing  # heavy, and of no use before there are records

    frame, figure = figures.write(experiment, records)
    note = " ".join(notes.notes(experiment, frame))
    printing.show(screen, frame, notes.columns(experiment, frame), experiment.question, experiment, note)
    for line in ledger.answers(experiment, records.results):
        screen.print(line, markup=False, highlight=False)
    print(f"table: {records.results / experiment.name}.csv" + (f"\nfigure: {figure}" if figure else ""))


def _job(part: plan.Planned, call: Call) -> "Job":
    from lab.execute.job import Job
    from lab.store import environment
    from lab.store.records import Records

    records, described = Records(call.results), environment.describe()
    return Job(part.experiment.work, records, described, part.layout.devices, retries=call.retries, force=call.force)


def _engine(part: plan.Planned, job: "Job", call: Call, display: "Display") -> "Engine":
    from lab.execute import engines

    return engines.choose(job, display, part.layout, part.hosts, call.cluster, spare=_load_tables)


def _execute(engine: "Engine", source: "Source", prepare: Callable[[], object]) -> "Outcome":
    from lab.execute.pool import WorkersLost

    try:
        return engine.execute(source, prepare)
    except WorkersLost as error:
        raise UsageError(str(error)) from error


def _say_failed(outcome: "Outcome") -> None:
    for key, reason in outcome.failed.items():
        print(f"failed: {key}: {reason}", file=sys.stderr)


def _load_tables() -> None:
    from lab.report import figures  # noqa: F401 (the table and the figure come next)


def _datasets(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.dataset for run in runs))


def _without_data(
    runs: Sequence[Run], records: "Records", force: bool, on_progress: Callable[[str, int, int], None]
) -> list[Run]:
    """Fetches and verifies several data sets as far as runs need them; the runs whose data cannot be had.

    Raises:
        UsageError: that are all of them.
    """
    waiting = [run for run in runs if force or not records.find(run)]
    left_out: list[Run] = []
    for dataset in _datasets(waiting):
        try:
            _fetch_one(dataset, on_progress)
        except UsageError as error:
            without = [run for run in waiting if run.dataset == dataset]
            left_out += without
            if len(left_out) == len(runs):
                raise
            print(f"{error}\nMeanwhile {_counted(len(without))} on {dataset} will be left out.", file=sys.stderr)
    return left_out


def _counted(runs: int) -> str:
    return f"{runs} run{'s' if runs != 1 else ''}"


def _fetch(runs: Sequence[Run], on_progress: Callable[[str, int, int], None]) -> None:
    """Fetches and verifies the data before any run starts, or refuses in one message."""
    for dataset in _datasets(runs):
        _fetch_one(dataset, on_progress)


def _fetch_one(dataset: str, on_progress: Callable[[str, int, int], None]) -> None:
    from lab.data import datasets, pairs

    if dataset.startswith(pairs.PREFIX):
        pairs.load(dataset)
    elif dataset.partition(":")[0] in datasets.DATASETS:
        datasets.load(dataset, on_progress)
