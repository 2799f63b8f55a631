"""The command line: reads the arguments and calls the function of the command.

Everything the user asked for is checked before anything starts. Heavy libraries are imported where they are
used, so that `--help` and `list` answer at once.
Exit codes: 0 done, 1 some runs failed, 2 the call cannot be done, 130 interrupted, 143 terminated.
"""

import argparse
import contextlib
import functools
import os
import signal
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from lab.command import arguments, interrupts, model, options
from lab.command.interrupts import between_imports
from lab.declare import catalogue, machine
from lab.declare.call import Call
from lab.errors import UsageError


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        words: the words after `python -m experiments`; None: those of `sys.argv`.

    Returns:
        The exit code.
    """
    function, remains = None, "Nothing was started."
    try:
        args = _parse(words)
        function = COMMANDS[args.command]
        if function is _run:
            remains = "Finished runs are kept; the same call goes on from here."
        else:
            remains = "Complete files are kept."
        interrupts.handle(signal.SIGTERM, between_imports(functools.partial(_terminated, remains)))
        interrupts.handle(signal.SIGINT, between_imports(signal.default_int_handler))
        code = int(function(args) or 0)
        sys.stdout.flush()  # here, so that an error of printing is reported below
        return code
    except KeyboardInterrupt:
        print(f"\nInterrupted. {remains}", file=sys.stderr)
        return 130
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _output_is_closed():
            return _code_of_closed_output(function, remains)
        print(
            f"error: {options.system_message(error)}. All records are intact; fix this, then call again.",
            file=sys.stderr,
        )
        return 2


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    try:
        args, rest = arguments.parser().parse_known_args(words)
    except SystemExit:  # after the help
        sys.stdout.flush()
        raise
    if rest:
        args.parser.refuse(rest)
    return args


def _output_is_closed() -> bool:
    """Whether the reader of the output has gone, as after `| head`. If so, further output goes nowhere."""
    try:
        print(flush=True)  # an extra empty line does no harm, and the text that failed may have been dropped
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _code_of_closed_output(function: object, remains: str) -> int:
    """The exit code when the reader of the output has gone: 0 for commands that only print."""
    if function not in (_run, _tables, _bench):
        return 0
    with contextlib.suppress(OSError):  # `2>&1 | head`
        print(f"Stopped: the reader of the output has gone. {remains}", file=sys.stderr)
    return 128 + signal.SIGPIPE


def _run(args: argparse.Namespace) -> int:
    from lab.command import run

    return run.run(call_of(args))


def call_of(args: argparse.Namespace) -> Call:
    """The call described by the arguments of `run` and the environment variable `TF_CONFIG`."""
    values = {name: value for name, value in vars(args).items() if name in Call.__dataclass_fields__}
    lists = {name: tuple(values[name] or ()) for name in ("names", "variants")}
    return Call(**values | lists, hosts=machine.configured(os.environ.get("TF_CONFIG")))


def _list(args: argparse.Namespace) -> int:
    for experiment in catalogue.whole():
        variants = f"variants: {', '.join(variant.name for variant in experiment.variants)}"
        print(experiment.name, *map(_indented, (experiment.question, variants)), sep="\n")
    return _report_broken()


def _indented(text: str) -> str:
    """A paragraph for a terminal of 80 columns; names with hyphens stay whole."""
    return textwrap.fill(text, 80, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _report_broken() -> int:
    """Names the experiments whose files cannot be read; returns 1 if there are any. Called after the others' work."""
    lines = catalogue.broken()
    for line in lines:
        print(f"error: {line}", file=sys.stderr)
    return int(bool(lines))


def _keep(args: argparse.Namespace) -> None:
    from lab.report import reference

    options.existing_folder(args.results)
    if lines := catalogue.broken():  # the page of all studies would lose their tables
        raise UsageError(lines[0])
    for name in args.names:
        reference.keep(catalogue.find(name), args.results)


def _report(args: argparse.Namespace) -> int:
    from lab.report import language, page

    spoken = language.of(args.language or language.SOURCE)
    if not any((options.existing_folder(args.results) / f"{name}.csv").exists() for name in catalogue.names()):
        raise UsageError(f"{args.results} holds no table of an experiment: run one first, as make lenet.")
    options.writable_folder(args.results)
    print(f"report: {page.write(args.results, spoken)}")
    return _report_broken()


def _summary(args: argparse.Namespace) -> int:
    from lab.command import progress
    from lab.report import summary

    found = summary.write(options.writable_folder(options.existing_folder(args.results)))
    if found.empty:
        raise UsageError(
            f"{args.results} holds no table that the summary is made of: run an experiment as declared, as make lenet."
        )
    summary.show(progress.screen(), found)
    print(f"table: {args.results}/summary.csv")
    return _report_broken()


def _bench(args: argparse.Namespace) -> None:
    from lab.bench import benchmark

    options.writable_folder(args.results)
    frame = benchmark.write(args.results, args.only, args.repeats, args.quick)
    columns = ["measure", "way", "unit", "median", "lowest", "highest", "suite_by_this_median", "wanted_at_most"]
    print(frame[columns].to_string(index=False))
    print(f"table: {args.results}/benchmark.csv\nfigure: {args.results}/benchmark.svg")


def _tables(args: argparse.Namespace) -> int:
    from lab.report import refresh, summary
    from lab.store.records import Records

    records = Records(options.existing_folder(args.results))
    if not records.experiments():
        raise UsageError(f"{args.results} holds no records: run an experiment first, as make lenet.")
    options.writable_folder(args.results)
    failed = False
    for path, made in refresh.write_all(records):
        if isinstance(made, str):
            print(f"{path}: {made}", file=sys.stderr)
            failed = True
        else:
            print(f"{path}: {len(made)} rows")
    print(f"{args.results / 'summary.csv'}: {len(summary.write(args.results))} rows")
    return _report_broken() or int(failed)


def _terminated(remains: str, number: int, frame: object) -> NoReturn:
    """Handler of SIGTERM."""
    print(f"\nTerminated. {remains}", file=sys.stderr)
    sys.exit(128 + number)


COMMANDS = {
    "list": _list,
    "run": _run,
    "keep": _keep,
    "report": _report,
    "summary": _summary,
    "inspect": model.inspect,
    "features": model.features,
    "bench": _bench,
    "tables": _tables,
}
