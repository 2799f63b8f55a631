"""Every module in one line, by its docstring: docs/layout.md, which `tests.support.renew` writes."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "layout.md"
ROOMS = ("experiments", "cnn_models", "lab", "demo")
HEAD = """# Every file in one line

This page says where to look for what. It is written from the modules' docstrings, by

```
.venv/bin/python -m tests.support.renew
```

What may import what is in [test_architecture.py](../tests/test_architecture.py).
"""


def page():
    """The folders of the project in the README's order, each with its modules."""
    folders = [folder for room in ROOMS for folder in _folders(ROOT / room)]
    return "\n".join([HEAD, *("\n".join(_section(folder)) for folder in folders)])


def _folders(room):
    found = [room, *(path for path in sorted(room.rglob("*")) if path.is_dir())]
    return [folder for folder in found if "__pycache__" not in folder.parts and any(folder.glob("*.py"))]


def _section(folder):
    modules = sorted(folder.glob("*.py"), key=lambda path: (path.name != "__init__.py", path.name))
    said = [(path, first_sentence(path)) for path in modules]
    yield f"## {folder.relative_to(ROOT)}\n"
    yield from (f"- [{path.name}](../{path.relative_to(ROOT)}): {words}" for path, words in said if words)
    yield ""


def first_sentence(path):
    """What a module's docstring says first; nothing where it has none."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())
