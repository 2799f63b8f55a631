"""The command `run`: plans the runs, gets the data, lets an engine execute the runs, then writes table and figure."""

import collections
import dataclasses
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.command import options, plan
from lab.command.order import longest_first
from lab.declare import catalogue, machine, search
from lab.declare.call import Call
from lab.declare.experiment import Experiment
from lab.declare.run import Run
from lab.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from lab.command.progress import Display
    from lab.execute.attempts import Outcome
    from lab.execute.engines import Engine
    from lab.execute.job import Job, Source
    from lab.store.records import Records


def run(call: Call) -> int:
    """Runs all experiments of a call.

    Returns:
        The exit code: 1 if a run failed, or was left out because its data is missing.
    """
    planned = [plan.planned(catalogue.find(name), call) for name in call.names]
    options.writable_folder(call.results)
    if call.rates:
        return int(sum(_choose_rates(part, call) for part in planned) > 0)
    failed = []
    for part in [*plan.needed_first(planned, call), *planned]:
        search_failed, ready = _search(part, call) if part.experiment.search else (False, part)
        failed += [search_failed, _run_experiment(ready, call)]
    if not call.hosts or call.hosts.chief:
        print(_next(call.results, any(failed)))
    return int(any(failed))


def _next(results: Path, failed: bool) -> str:
    """One line: what to do after a call."""
    if failed:
        return "next: the same call again; it keeps what is finished and tries the rest."
    where = "" if results == Path("results") else f" RESULTS={results}"
    return f"next: make report{where}, for all answers and figures in one file."


def _search(part: plan.Planned, call: Call) -> tuple[bool, plan.Planned]:
    """Searches for recipes.

    Returns:
        Whether a run of the search failed; and the plan for the recipes it found.
    """
    from lab.command import progress
    from lab.learn import startup
    from lab.learn.surroundings import surroundings

    surroundings()
    startup.start_tensorflow()  # KerasTuner needs it in this process
    from lab.search.trials import open_trials

    sought = search.asked_for(part.experiment, call)
    job = dataclasses.replace(_job(part, call), lost_retries=1)
    with progress.watch(progress.screen(), f"{part.experiment.name}: search", 0) as display:
        engine = _engine(part, job, call, display)
        with open_trials(sought, job.records, call.force) as trials:
            display.expect(trials.left)
            outcome = _execute(engine, trials, lambda: _fetch_dataset(sought.dataset, display.fetched))
            ended = trials.trials()
    _print_failed(outcome)
    found = search.finals(part.experiment, sought, call.epochs, ended)
    return bool(outcome.failed), dataclasses.replace(part, runs=plan.plan(found, call))


def _choose_rates(part: plan.Planned, call: Call) -> bool:
    """Chooses the learning rates of one experiment's rows, writes their table and prints it.

    Returns:
        Whether a run failed or was left out.
    """
    from lab.command import progress
    from lab.report import printing
    from lab.report.table import rates

    _, failed = _execute_runs(part, dataclasses.replace(call, results=call.results / rates.FOLDER))
    if part.hosts and not part.hosts.chief:  # the chief alone writes
        return failed
    frame = rates.write(part.experiment, call.results)
    title = f"{part.experiment.name}: which learning rate serves each row best on validation pictures"
    printing.show(progress.screen(), frame, rates.PRINTED, title)
    print(f"table: {rates.path(call.results, part.experiment.name)}")
    return failed


def _run_experiment(part: plan.Planned, call: Call) -> bool:
    """Runs one experiment, writes its table and figure, and prints the table and the answers.

    Returns:
        Whether a run failed or was left out.
    """
    from lab.command import progress

    records, failed = _execute_runs(part, call)
    if not part.hosts or part.hosts.chief:
        _show(part.experiment, records, progress.screen())
    return failed


def _execute_runs(part: plan.Planned, call: Call) -> tuple["Records", bool]:
    """Executes the runs of one experiment.

    Returns:
        The records; and whether a run failed or was left out.
    """
    from lab.command import progress
    from lab.execute.job import RunList

    screen = progress.screen()
    job = _job(part, call)
    if part.layout.devices != machine.Devices() or part.hosts:
        print(f"devices: {part.hosts or part.layout}", flush=True)
    call.results.mkdir(parents=True, exist_ok=True)
    with progress.watch(screen, part.experiment.name, len(part.runs)) as display:
        several = len(_datasets(part.runs)) > 1
        # Several hosts have to execute the same runs, so none of them may leave out a data set.
        may_leave_out = several and not part.hosts
        lacking = (run for run in part.runs if part.hosts or call.force or not job.records.find(run))
        to_do = list(lacking if several else itertools.islice(lacking, 1))  # one run tells that its data are needed
        left_out = _fetch_available(to_do, len(part.runs), display.fetched) if may_leave_out else []
        left_out_keys = {run.key for run in left_out}
        runs = [run for run in part.runs if run.key not in left_out_keys]
        runs = runs if part.hosts else longest_first(runs, call.results)  # hosts must agree on the order
        display.expect(len(runs))
        engine = _engine(part, job, call, display)
        outcome = _execute(engine, RunList(runs), lambda: None if may_leave_out else _fetch(to_do, display.fetched))
    _print_failed(outcome)
    if not part.hosts or part.hosts.chief:
        print(display.summary())
    for dataset, count in collections.Counter(run.dataset for run in left_out).items():
        print(f"not run: {_counted(count)} on {dataset}, whose data is missing (see above).", file=sys.stderr)
    return job.records, bool(outcome.failed or left_out)


def _show(experiment: Experiment, records: "Records", screen: "Console") -> None:
    """Writes the table and the figure; prints the table and the answers to the lecture's claims."""
    from lab.report import notes, printing, refresh, summary  # they take seconds to import
    from lab.report.answers import ledger

    frame, figure = refresh.write(experiment, records)
    summary.write(records.results)
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
    devices = dataclasses.replace(part.layout.devices, plain=call.plain)
    return Job(part.experiment.work, records, described, devices, retries=call.retries, force=call.force)


def _engine(part: plan.Planned, job: "Job", call: Call, display: "Display") -> "Engine":
    from lab.execute import engines

    return engines.choose(job, display, part.layout, part.hosts, call.cluster, on_idle=_import_report)


def _execute(engine: "Engine", source: "Source", prepare: Callable[[], object]) -> "Outcome":
    from lab.execute.pool import WorkersLost

    try:
        return engine.execute(source, prepare)
    except WorkersLost as error:
        raise UsageError(str(error)) from error


def _print_failed(outcome: "Outcome") -> None:
    for key, reason in outcome.failed.items():
        print(f"failed: {key}: {reason}", file=sys.stderr)


def _import_report() -> None:
    """Imports what `_show` needs while the last runs are still in progress."""
    from lab.report.draw import figures  # noqa: F401


def _datasets(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.dataset for run in runs))


def _fetch_available(runs: Sequence[Run], planned: int, on_progress: Callable[[str, int, int], None]) -> list[Run]:
    """Downloads and verifies the data sets of runs, as far as they can be had.

    Args:
        runs: the runs that are yet to be done.
        planned: number of runs of the experiment.
        on_progress: called with the file's name, the bytes done and the bytes in total.

    Returns:
        The runs whose data set cannot be downloaded.

    Raises:
        UsageError: no run has its data.
    """
    left_out: list[Run] = []
    for dataset in _datasets(runs):
        try:
            _fetch_dataset(dataset, on_progress)
        except UsageError as error:
            affected = [run for run in runs if run.dataset == dataset]
            left_out += affected
            if len(left_out) == planned:
                raise
            print(f"{error}\nMeanwhile {_counted(len(affected))} on {dataset} will be left out.", file=sys.stderr)
    return left_out


def _counted(runs: int) -> str:
    return f"{runs} run{'s' if runs != 1 else ''}"


def _fetch(runs: Sequence[Run], on_progress: Callable[[str, int, int], None]) -> None:
    """Downloads and verifies the data sets of runs.

    Raises:
        UsageError: a data set cannot be downloaded.
    """
    for dataset in _datasets(runs):
        _fetch_dataset(dataset, on_progress)


def _fetch_dataset(dataset: str, on_progress: Callable[[str, int, int], None]) -> None:
    from lab.data import datasets, pairs

    if dataset.startswith(pairs.PREFIX):
        pairs.load(dataset)
    elif dataset.partition(":")[0] in datasets.DATASETS:
        datasets.load(dataset, on_progress)
