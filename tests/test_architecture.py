"""Who may import whom: the rules that keep the rooms apart, read off every module's syntax tree."""

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.support import layout

ROOT = Path(__file__).parents[1]
PACKAGES = ("cnn_models", "lab", "experiments", "demo")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
FRAMEWORKS = ("keras", "tensorflow", "keras_tuner", "torch", "jax")
# A room, and what nothing in it may import, at once or late.
NEVER = {
    "cnn_models": ("lab", "experiments", "demo"),
    "cnn_models.analysis": ("tensorflow", "torch", "jax"),
    "cnn_models.networks": ("cnn_models.analysis", "cnn_models.gradients"),
    "cnn_models.analysis.geometry": FRAMEWORKS,
    "lab.declare": ("numpy", "pandas", *FRAMEWORKS, "lab.store", "lab.learn", "lab.execute", "lab.report"),
    "lab.store": ("tensorflow", "keras", "lab.data", "lab.learn", "lab.execute", "lab.search", "lab.report"),
    "lab.data": ("tensorflow", "keras", "lab.learn", "lab.execute", "lab.search", "lab.report"),
    "lab.report": ("tensorflow", "keras", "lab.learn", "lab.execute", "lab.search"),
    "lab.learn": ("lab.execute", "lab.search", "lab.report"),
    "lab.execute": ("lab.report",),
    "demo": ("lab.execute", "lab.search"),
}
ONLY_THE_COMMAND_LINE = "argparse"


@functools.cache
def tree_of(module):
    return ast.parse(MODULES[module].read_text())


@functools.cache
def imported(module):
    """The full names that a module imports anywhere; under TYPE_CHECKING nothing is imported."""
    tree = tree_of(module)
    hints = {id(node) for branch in ast.walk(tree) if _for_types(branch) for node in ast.walk(branch)}
    names = set()
    for node in ast.walk(tree):
        if id(node) in hints:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in MODULES else node.module)
    return names


def _for_types(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def within(module, room):
    return module == room or module.startswith(f"{room}.")


@pytest.mark.parametrize("room", NEVER)
def test_a_room_never_imports_what_is_not_its_business(room):
    inside = [module for module in MODULES if within(module, room)]
    assert inside, f"there is no {room}"
    wrong = {
        f"{module} imports {name}"
        for module in inside
        for name in imported(module)
        for other in NEVER[room]
        if within(name, other)
    }
    assert not wrong


def test_geometry_needs_nothing_else_of_the_package():
    room = "cnn_models.analysis.geometry"
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if within(module, room)
        for name in imported(module)
        if within(name, "cnn_models") and not within(name, room)
    }
    assert not wrong


def experiment_of(module):
    """The experiment that a module is or is a part of; None for the package itself."""
    parts = module.split(".")
    return parts[1] if parts[0] == "experiments" and len(parts) > 1 and not parts[1].startswith("__") else None


def test_no_experiment_imports_another():
    """Nor does it name a class or function of another one, which the laboratory would import for it."""
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if experiment_of(module)
        for name in {*imported(module), *dotted_names(module)}
        if experiment_of(name) not in (None, experiment_of(module))
    }
    assert not wrong


def dotted_names(module):
    """The texts in a module that name something in a module of the experiments."""
    texts = (node.value for node in ast.walk(tree_of(module)) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"experiments(\.\w+)+", text)}


def test_only_the_command_line_knows_its_arguments():
    knowing = {module for module in MODULES if any(within(name, ONLY_THE_COMMAND_LINE) for name in imported(module))}
    lines = ("lab.command", "lab.bench.rivals", "demo.__main__", "cnn_models.__main__")
    assert all(any(within(module, line) for line in lines) for module in knowing), knowing


def test_declarations_load_no_framework():
    """What `declare` imports may import more in turn: this asks of all of it."""
    seen, waiting = set(), [module for module in MODULES if within(module, "lab.declare")]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        top = imported_at_once(module)
        assert not top & {"numpy", "pandas", *FRAMEWORKS}, module
        waiting += [name for name in top if name in MODULES]


def imported_at_once(module):
    """What importing a module imports, but for what its functions import when they are called."""
    names = set()
    for node in tree_of(module).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wholes = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {whole if whole in MODULES else node.module for whole in wholes}
    return names


def test_the_page_of_all_files_is_that_of_their_docstrings():
    """`python -m tests.support.renew` writes it anew."""
    assert layout.PAGE.read_text() == layout.page()
    unsaid = [module for module, path in MODULES.items() if path.stat().st_size and not layout.first_sentence(path)]
    assert not unsaid
