"""The command line: what is asked is checked whole before anything starts.

Heavy libraries are imported where they are used, so that `--help` and `list` answer at once.
Exit codes: 0 done, 1 some runs failed, 2 the call cannot be done, 130 and 143 interrupted.
"""

import argparse
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from lab.command import arguments, model, options
from lab.command.interrupts import between_imports
from lab.declare import catalogue, machine
from lab.declare.call import Call
from lab.errors import UsageError


def main(words: Sequence[str] | None = None) -> int:
    """Does what the arguments say and returns the exit code."""
    do, kept = None, "Nothing was begun."
    try:
        asked = _asked(words)
        do = COMMANDS[asked.command]
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


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    try:
        asked, rest = arguments.parser().parse_known_args(words)
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


def _run(asked: argparse.Namespace) -> int:
    from lab.command import run

    return run.run(call_of(asked))


def call_of(asked: argparse.Namespace) -> Call:
    """The call that the arguments and `TF_CONFIG` make."""
    values = {name: value for name, value in vars(asked).items() if name in Call.__dataclass_fields__}
    lists = {name: tuple(values[name] or ()) for name in ("names", "variants")}
    return Call(**values | lists, hosts=machine.configured(os.environ.get("TF_CONFIG")))


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


def _bench(asked: argparse.Namespace) -> None:
    from lab.bench import benchmark

    options.writable(asked.results)
    frame = benchmark.write(asked.results, asked.only, asked.repeats, asked.quick)
    columns = ["measure", "way", "unit", "median", "lowest", "highest", "suite_by_this_median", "wanted_at_most"]
    print(frame[columns].to_string(index=False))
    print(f"table: {asked.results}/benchmark.csv\nfigure: {asked.results}/benchmark.svg")


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


COMMANDS = {
    "list": _list,
    "run": _run,
    "keep": _keep,
    "report": _report,
    "inspect": model.inspect,
    "features": model.features,
    "bench": _bench,
    "tables": _tables,
}
