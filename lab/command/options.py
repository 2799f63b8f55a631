"""Options of the command lines, `python -m experiments` and `python -m demo`: how a value is read, and refused.

Each refusal is one line that says what was wrong and what is expected. Nothing here imports TensorFlow.
"""

import argparse
import contextlib
import difflib
import math
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from cnn_models.names import unknown
from lab.errors import UsageError

LARGEST = 2**31 - 1  # what seeds and sizes may be, in TensorFlow and NumPy alike


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line, and takes no option's name in part."""

    def __init__(self, **settings: object) -> None:
        # With names in part, `--seed 3` would be three seeds.
        super().__init__(**{"allow_abbrev": False, **settings})  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Ends the process with exit code 2; the usage, eleven lines of it, is what `--help` is for."""
        self.exit(2, f"error: {message.rstrip('.')}. `{self.prog} --help` lists all options.\n")

    def refuse(self, rest: list[str]) -> NoReturn:
        """Ends the process: these words are none of its options.

        Args:
            rest: what `parse_known_args` has left over.
        """
        word = rest[0].partition("=")[0]
        if not word.startswith("-"):
            self.error(f"'{word}' is one word too many")
        options = {option: None for action in self._actions for option in action.option_strings if option != "-h"}
        self.error(unknown("option", word, options))


def whole(least: int, most: int = LARGEST) -> Callable[[str], int]:
    """The type of an option that is a whole number within bounds, which every message gives alike."""

    def read(text: str) -> int:
        with contextlib.suppress(ValueError):
            if least <= int(text) <= most:
                return int(text)
        raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, got '{shortened(text)}'")

    return read


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a number, got '{shortened(text)}'")
    return value


def word(text: str) -> str:
    """A value that is not empty: an option that was given with nothing is a mistake, not a wish for the default."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: give a value, or leave the option out")
    return text.strip()


def names(text: str) -> list[str]:
    """Names with commas or spaces between them, at least one."""
    found = text.replace(",", " ").split()
    if not found:
        raise argparse.ArgumentTypeError(f"names nothing, got '{text}': give a name, or leave the option out")
    return found


def listed(text: str) -> str:
    """The text of `names`, for whoever takes it apart by rules of its own."""
    names(text)
    return text


def path(text: str) -> Path:
    """A file or folder; ~ is the home folder, be it that a shell has left it as it was."""
    try:
        return Path(word(text)).expanduser()
    except RuntimeError as error:  # ~nobody
        raise argparse.ArgumentTypeError(f"'{text}' names the home folder of a user that is not there") from error


def model(text: str) -> str:
    """A model's name, or its file, of which ~ is the home folder."""
    return str(path(text)) if text.startswith("~") else word(text)


def existing(results: Path) -> Path:
    """A results folder that is to be read.

    Raises:
        UsageError: it is not there; the message names the nearest that is.
    """
    if results.is_dir():
        return results
    if results.exists():
        raise UsageError(f"{results} is a file; RESULTS names a folder.")
    beside = [entry.name for entry in results.parent.glob("*") if entry.is_dir()]
    raise UsageError(
        f"There is no folder {results}.{meant(results.name, beside)} RESULTS names what a run has written."
    )


def writable(results: Path) -> Path:
    """A folder that is to be written, which need not be there yet; nothing is made, as the call may yet be refused.

    Raises:
        UsageError: it cannot be.
    """
    there = next(part for part in (results, *results.absolute().parents) if part.exists())
    if not there.is_dir():
        raise UsageError(f"{results} cannot be a folder: {there} is a file. Name another folder.")
    try:
        with tempfile.TemporaryFile(dir=there):
            return results
    except OSError as error:
        problem = error.strerror or error
        raise UsageError(f"{there} cannot be written ({problem}); name another folder, or make it writable.") from error


def reason(error: OSError) -> str:
    """What the system says, without its number: `Permission denied: results/lenet.csv`."""
    if not error.strerror:
        return str(error)
    return f"{error.strerror}: {os.fsdecode(error.filename)}" if error.filename else error.strerror


def meant(name: str, known: Iterable[str]) -> str:
    """` Did you mean …?`, or nothing where no name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def shortened(text: str) -> str:
    """A value as a message quotes it."""
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"
