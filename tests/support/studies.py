"""A call of the command line, done in this process: no worker has to start its own TensorFlow."""

import io

from rich.console import Console

from lab.command import plan, run
from lab.command.arguments import parser
from lab.command.main import call_of
from lab.declare import catalogue
from lab.execute.in_process import InProcess
from lab.execute.job import Job, RunList
from lab.store import environment
from lab.store.records import Records
from tests.support.listening import Counting


def study(words, results):
    """Does what `experiments run` does with these words for one experiment, its runs one after another.

    Returns:
        What became of the runs (`lab.execute.attempts.Outcome`), the counts of events, and what is printed at the end.
    """
    call = call_of(parser().parse_args(["run", *words, "--results", str(results)]))
    part = plan.planned(catalogue.find(*call.names), call)
    records, listener = Records(call.results), Counting()
    job = Job(part.experiment.work, records, environment.describe(), part.layout.devices, force=call.force)
    outcome = InProcess(job, listener).execute(RunList(part.runs))
    console = Console(file=io.StringIO(), width=200)
    run._show(part.experiment, records, console)
    return outcome, listener.events, console.file.getvalue()
