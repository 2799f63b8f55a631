"""What README and docs say: commands are understood, rows and files are written in a copy of the tree and run."""

import argparse
import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import cnn_models
from cnn_models.__main__ import _parser
from cnn_models.zoo import MODELS, Architecture
from lab.command.arguments import parser
from lab.declare import catalogue
from lab.report import blocks
from lab.store.records import REFERENCE

ROOT = Path(__file__).parents[1]
DOCS = [f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md", "data/quickdraw/README.md", *DOCS]
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r'(?:\]\(|src=")([^)"\s]+)[)"]')
FOUND = [(page, kind, body) for page in PAGES for kind, body in FENCED.findall(TEXTS[page])]
PYTHON = [body for _, kind, body in FOUND if kind == "python"]
ROWS = [body for _, kind, body in FOUND if not kind and re.match(r'Variant\(|"[\w-]+": Architecture', body)]
FILES = [body for body in PYTHON if body.startswith('"""')]
LIBRARY = [body for body in PYTHON if body not in FILES]
TREES = [(page, body) for page, kind, body in FOUND if not kind and body.startswith("experiments/ ")]
SHELL = [(page, body) for page, kind, body in FOUND if not kind and body not in ROWS and (page, body) not in TREES]
LINES = [(page, line) for page, body in SHELL for line in body.splitlines()]
INLINE = [
    (page, " ".join(found.split())) for page in PAGES for found in re.findall(r"`(make [a-z][^`]*)`", TEXTS[page])
]
CALLS = sorted({shlex.join(shlex.split(line, comments=True)) for _, line in LINES + INLINE if line.startswith("make ")})
FLAGS = ("FORCE", "RATES")  # variables that the program takes without a value
SMALL = ("--dataset", "digits", "--seeds", "1", "--epochs", "1", "--workers", "1")


def test_every_kind_of_block_is_there():
    assert (len(ROWS), len(FILES), len(LIBRARY), len(TREES)) == (2, 2, 2, 2)
    assert len(CALLS) > 30
    assert {kind for _, kind, _ in FOUND} == {"", "python"}


def options_of(command):
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {action.dest for action in commands.choices[command]._actions}


@pytest.mark.parametrize("line", CALLS)
def test_make_and_the_program_understand_a_call(line):
    """Make refuses unknown targets and variables while it reads its file; the program's parser checks the values."""
    words = shlex.split(line)[1:]
    if set(words) & {"NAME", "my-question", "a"}:
        return
    free = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, env=free, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = [word for word in words if "=" not in word]
    values = dict(word.split("=", 1) for word in words if "=" in word)
    if set(targets) <= set(catalogue.names()):
        options = {name: f"--{name.lower().replace('_', '-')}" for name in values}
        given = [options[name] if name in FLAGS else f"{options[name]}={value}" for name, value in values.items()]
        args = parser().parse_args(["run", *targets, *given])
        written = {name for body in ROWS for name in re.findall(r'Variant\(\s*"([\w-]+)"', body)}
        for target in targets:
            catalogue.find(target).select([name for name in args.variants or () if name not in written])


@pytest.mark.parametrize("line", [line for _, line in LINES if line and not line.startswith("make ")])
def test_every_other_command_is_understood(line):
    words = shlex.split(line, comments=True)
    if words[0] == "export":
        name, _, value = words[1].partition("=")
        assert name == "TF_CONFIG"
        assert set(json.loads(value)) == {"cluster", "task"}
    elif words[:3] == [".venv/bin/python", "-m", "experiments"]:
        parser().parse_args([word.replace("mine.keras", "lenet5") for word in words[3:]])
    elif words[:2] == [".venv/bin/python", "-m"]:
        assert (ROOT / f"{words[2].replace('.', '/')}.py").exists()
    elif words[0] == "cnn-models":
        _parser().parse_args(words[1:])  # tests/cnn_models/test_main.py calls each
    elif words[0] in ("pip", ".venv/bin/pip"):
        assert words[1] == "install"
    else:
        assert words[:2] == [".venv/bin/ray", "start"]


@pytest.mark.parametrize(("page", "body"), TREES)
def test_a_tree_of_files_names_what_is_there(page, body):
    top = ""
    for line in body.splitlines():
        name = line.split()[0]
        top = "" if not line.startswith(" ") else top
        assert (ROOT / top / name).exists()
        top = top or name


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    text = FENCED.sub("", TEXTS[page])
    for link in LINK.findall(text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in {slug(line) for line in re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)}, link


@pytest.mark.parametrize("page", DOCS)
def test_a_page_begins_with_what_it_is_for_and_a_command(page):
    title, first, rest = TEXTS[page].split("\n\n", 2)
    assert title.startswith("# ")
    assert first.startswith("This page ")
    assert rest.startswith("```\n")


def test_the_front_page_is_short_and_begins_with_a_picture():
    assert len(TEXTS["README.md"]) < 7_000
    assert "<img src=" in "\n".join(TEXTS["README.md"].splitlines()[:12])


def test_parts_between_marks_are_those_of_the_kept_tables():
    assert {page.name for page in blocks.pages(ROOT)} == {
        *("README.md", "inspector.md", "results.md", "running.md", "speed.md")
    }
    marked = [name for page in blocks.pages(ROOT) for _, name, _ in blocks.MARKED.findall(page.read_text())]
    assert sorted(marked) == sorted(blocks.BLOCKS)
    for page in blocks.pages(ROOT):
        assert blocks.renewed(page.read_text(), REFERENCE) == page.read_text()


def test_the_version_is_one():
    (cited,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited == cnn_models.__version__
    assert f"## {cited}\n" in TEXTS["CHANGELOG.md"]


def test_set_up_is_said_to_cost_the_same_everywhere():
    for page in ("README.md", "docs/running.md", "Makefile"):
        text = " ".join((ROOT / page).read_text().split())
        assert "2.6 GB of disk" in text
        assert "up to five minutes" in text


@pytest.mark.parametrize("block", LIBRARY)
def test_what_serves_outside_the_suite_gives_what_the_comment_says(block):
    names = {}
    for statement in ast.parse(block).body:
        line = block.splitlines()[statement.end_lineno - 1]
        if isinstance(statement, ast.Expr):
            assert eval(ast.unparse(statement), names) == ast.literal_eval(line.partition("  # ")[2])
        else:
            exec(ast.unparse(statement), names)
    if "model" in names:
        (count,) = re.findall(r"# ([\d,]+) trainable parameters", block)
        assert sum(variable.numpy().size for variable in names["model"].trainable_variables) == int(
            count.replace(",", "")
        )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The code with the pages' row, network and experiment added, each where it says."""
    root = tmp_path_factory.mktemp("tree")
    for folder in ("cnn_models", "lab", "experiments"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "data").symlink_to(ROOT / "data")
    row, network = ROWS
    _put(root / "experiments/lenet.py", "    variants=(\n", row + 'Variant("tiny", Training("tiny")),\n')
    _put(root / "cnn_models/zoo.py", "MODELS: dict[str, Architecture] = {\n", network)
    for body in FILES:
        (file,) = ["experiments/my_question.py" if "EXPERIMENT" in body else "cnn_models/networks/tiny.py"]
        assert f"`{file}`" in TEXTS["docs/adding.md"]
        (root / file).write_text(body)
    return root


def _put(file, after, text):
    code = file.read_text()
    assert after in code
    file.write_text(code.replace(after, after + text, 1))


def call(tree, *words):
    command = [sys.executable, "-m", "experiments", *words]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_the_experiment_runs_and_shows_its_table_and_figure(tree):
    done = call(tree, "run", "my-question", *SMALL)
    assert done.returncode == 0, done.stderr
    (head,) = (line for line in done.stdout.splitlines() if "variant" in line and "seeds" in line)
    assert "error, %" in head  # the test error: headings take two lines
    assert pd.read_csv(tree / "results" / "my-question.csv")["variant"].tolist() == ["batch-128", "batch-512"]
    assert (tree / "results" / "my-question.svg").exists()
    question = re.search(r'question="(.*)"', FILES[-1])[1]
    assert f"my-question {question} variants: batch-128" in " ".join(call(tree, "list").stdout.split())


def test_the_row_and_the_network_run(tree):
    done = call(tree, "run", "lenet", "--variants", "lenet5-wide-batch,tiny", *SMALL)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(tree / "results" / "lenet.csv").set_index("variant")
    assert frame.loc["lenet5-wide-batch", "batch_size"] == 512
    assert frame.loc["tiny", "params"] == (5 * 5 + 1) * 8 + (8 + 1) * 10
    assert (frame["seeds"] == 1).all()


@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        ("lenet.lenet6", {}, "lenet.lenet6 does not exist"),
        ("tiny.tiny", {}, "tiny.tiny does not exist"),
        ("lenet", {}, "does not exist"),
        ("lenet.lenet1", {"filters": 8}, "must take name, input_shape, classes, filters: .*'filters'"),
        ("lenet.scaled_tanh", {}, "must take name, input_shape, classes: .*"),
    ],
)
def test_a_builder_that_is_not_there_or_takes_something_else_is_one_line(monkeypatch, builder, options, message):
    monkeypatch.setitem(MODELS, "tiny", Architecture(builder, "this suite", options))
    with pytest.raises(ValueError, match=message) as caught:
        cnn_models.build("tiny")
    assert "\n" not in str(caught.value)
