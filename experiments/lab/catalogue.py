"""Finds the experiments: every module of the package that declares an `EXPERIMENT`."""

import importlib
import pkgutil

import experiments
from cnn_models.zoo import unknown
from experiments.lab.spec import Experiment, UsageError


def names() -> list[str]:
    """The names of all experiments, without importing them; what begins with _ is a part of one."""
    modules = (module.name for module in pkgutil.iter_modules(experiments.__path__) if not module.ispkg)
    return sorted(module.replace("_", "-") for module in modules if not module.startswith("_"))


def find(name: str) -> Experiment:
    """The experiment of this name.

    Raises:
        UsageError: there is none, or its module and its declaration do not agree on the name.
    """
    if name not in names():
        raise UsageError(unknown("experiment", name, dict.fromkeys(names())))
    module = importlib.import_module(f"experiments.{name.replace('-', '_')}")
    declared: Experiment = module.EXPERIMENT
    if declared.name != name:
        raise UsageError(f"{module.__file__} declares '{declared.name}'; by its file name it must be '{name}'.")
    return declared
