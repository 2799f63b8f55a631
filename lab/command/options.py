"""How the command lines `python -m experiments` and `python -m demo` read option values and refuse wrong ones.

Each refusal is one line that says what was wrong and what is expected. Nothing here imports TensorFlow.
"""

import argparse
import contextlib
import math
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cnn_models.names import did_you_mean, unknown
from lab.errors import UsageError

LARGEST = 2**31 - 1  # TensorFlow and NumPy both accept seeds and sizes up to here


class Parser(argparse.ArgumentParser):
    """An argument parser with one-line errors. It accepts option names only in full."""

    def __init__(self, **settings: object) -> None:
        # With abbreviations, `--seed 3` would silently mean three seeds.
        super().__init__(**{"allow_abbrev": False, **settings})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Prints one line and exits with code 2. `--help` prints the usage, which has eleven lines."""
        self.exit(2, f"error: {message.rstrip('.')}. `{self.prog} --help` lists all options.\n")

    def refuse(self, rest: list[str]) -> NoReturn:
        """Exits with an error about words that are not options of this command.

        Args:
            rest: the words that `parse_known_args` did not recognise.
        """
        word = rest[0].partition("=")[0]
        if not word.startswith("-"):
            self.error(f"'{word}' is one word too many")
        options = {option: None for action in self._actions for option in action.option_strings if option != "-h"}
        self.error(unknown("option", word, options))


# The functions below are values of argparse's `type`. They raise `argparse.ArgumentTypeError` for a wrong value.


def whole_number(least: int, most: int = LARGEST) -> Callable[[str], int]:
    """Returns a function that reads an integer from `least` to `most`."""

    def read(text: str) -> int:
        with contextlib.suppress(ValueError):
            if least <= int(text) <= most:
                return int(text)
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, got '{shortened(text)}'")

    return read


def number(text: str) -> float:
    """Reads a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a number, got '{shortened(text)}'")
    return value


def text(value: str) -> str:
    """Reads a text that is not empty: an option with an empty value is a mistake, not a request for the default."""
    if not value.strip():
        raise argparse.ArgumentTypeError("is empty: give a value, or leave the option out")
    return value.strip()


def names(text: str) -> list[str]:
    """Reads one or more names, separated by commas or spaces."""
    found = text.replace(",", " ").split()
    if not found:
        raise argparse.ArgumentTypeError(f"names nothing, got '{text}': give a name, or leave the option out")
    return found


def names_as_text(text: str) -> str:
    """Checks that a text contains a name, and returns it whole. Names of classes may contain spaces."""
    names(text)
    return text


def path(value: str) -> Path:
    """Reads the path of a file or folder. `~` means the home folder, also where the shell did not expand it."""
    try:
        return Path(text(value)).expanduser()
    except RuntimeError as error:  # ~nobody
        raise argparse.ArgumentTypeError(f"'{value}' names the home folder of a user who does not exist") from error


def model(value: str) -> str:
    """Reads a model's name or the path of its file. A leading `~` means the home folder."""
    return str(path(value)) if value.startswith("~") else text(value)


def existing_folder(results: Path) -> Path:
    """Returns a results folder that must exist.

    Raises:
        UsageError: the folder does not exist; the message names the most similar one.
    """
    if results.is_dir():
        return results
    if results.exists():
        raise UsageError(f"{results} is a file; RESULTS must be a folder.")
    siblings = [entry.name for entry in results.parent.glob("*") if entry.is_dir()]
    raise UsageError(
        f"There is no folder {results}.{did_you_mean(results.name, siblings)} RESULTS is a folder that a run has "
        "written."
    )


def writable_folder(results: Path) -> Path:
    """Returns a folder that can be written. It need not exist; nothing is created, as the call may yet be refused.

    Raises:
        UsageError: the folder cannot be created or written.
    """
    nearest = next(part for part in (results, *results.absolute().parents) if part.exists())
    if not nearest.is_dir():
        raise UsageError(f"{results} cannot be a folder: {nearest} is a file. Name another folder.")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return results
    except OSError as error:
        problem = error.strerror or error
        raise UsageError(
            f"{nearest} cannot be written ({problem}). Name another folder, or make it writable."
        ) from error


def system_message(error: OSError) -> str:
    """The operating system's message without the error number: `Permission denied: results/lenet.csv`."""
    if not error.strerror:
        return str(error)
    return f"{error.strerror}: {os.fsdecode(error.filename)}" if error.filename else error.strerror


def shortened(text: str) -> str:
    """A value as a message quotes it, at most about forty characters."""
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"
