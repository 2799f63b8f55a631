"""Finds the experiments: every module of the package that declares an `EXPERIMENT`."""

import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import experiments
from cnn_models.names import unknown
from lab.declare.experiment import TARGET_NAME, Experiment
from lab.errors import UsageError


def names() -> list[str]:
    """The names of all experiments, in the order of the lecture, new ones last; none is imported."""
    modules = (module.name for module in pkgutil.iter_modules(experiments.__path__))
    found = sorted(module.replace("_", "-") for module in modules if not module.startswith("_"))
    return [name for name in experiments.ORDER if name in found] + [n for n in found if n not in experiments.ORDER]


def find(name: str) -> Experiment:
    """The experiment of this name.

    Raises:
        UsageError: there is none, its file cannot be read as Python, or it does not declare an experiment of this name.
    """
    if name not in names():
        raise UsageError(unknown("experiment", name, dict.fromkeys(names())))
    file = _file(name)
    if not TARGET_NAME.fullmatch(name):
        raise UsageError(f"{_shown(file)} is no file of an experiment: name it in small letters, as my_question.py.")
    declared = getattr(_module(file), "EXPERIMENT", None)
    if not isinstance(declared, Experiment):
        raise UsageError(
            f"{_shown(file)} declares no experiment: it needs EXPERIMENT = Experiment(…), see docs/adding.md."
        )
    if declared.name != name:
        raise UsageError(f"{_shown(file)} declares '{declared.name}'; by its file name it must be '{name}'.")
    return declared


def whole() -> Iterator[Experiment]:
    """All experiments whose files can be read; `broken` says what is wrong with the others."""
    for name in names():
        try:
            yield find(name)
        except UsageError:
            continue


def broken() -> list[str]:
    """One line for each file in the folder of experiments that declares none, which says why."""
    lines = []
    for name in names():
        try:
            find(name)
        except UsageError as error:
            lines.append(str(error))
    return lines


def _file(name: str) -> Path:
    """The file of an experiment; names have hyphens where files have underscores."""
    found = {module.name.replace("_", "-"): module for module in pkgutil.iter_modules(experiments.__path__)}
    finder: Any = found[name].module_finder
    stem = Path(finder.path, found[name].name)
    return stem / "__init__.py" if found[name].ispkg else stem.with_suffix(".py")


def _module(file: Path) -> ModuleType:
    """The module of a file, whatever is wrong with it being a UsageError of one line."""
    try:
        return importlib.import_module(f"experiments.{file.parent.name if file.stem == '__init__' else file.stem}")
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError) and error.filename == str(file):
            reason = error.msg  # its whole text repeats the file and the line
        else:
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
        raise UsageError(f"{_shown(file)}{_line(error, file)}: {kind}{reason}") from error


def _shown(file: Path) -> str:
    """A file as messages name it: from the folder of the checkout on."""
    return str(file.relative_to(file.parents[2 if file.stem == "__init__" else 1]))


def _line(error: BaseException, file: Path) -> str:
    """Where in the file it went wrong, if that is known."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f", line {lines[-1]}" if lines else ""
