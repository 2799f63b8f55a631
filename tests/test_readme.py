"""What the README says to write is written, in a copy of the tree, and run."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import cnn_models
from cnn_models.zoo import MODELS, Architecture

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "results/README.md", *(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text()
PYTHON = [body for page in PAGES for kind, body in FENCED.findall((ROOT / page).read_text()) if kind == "python"]
ROWS = [
    body for kind, body in FENCED.findall(README) if not kind and re.match(r'Variant\(|"[\w-]+": Architecture', body)
]
FILES = [body for body in PYTHON if body.startswith('"""')]
LIBRARY = [body for body in PYTHON if body not in FILES]
SMALL = ("--dataset", "digits", "--seeds", "1", "--epochs", "1", "--workers", "1")


def test_every_kind_of_block_is_there():
    assert (len(ROWS), len(FILES), len(LIBRARY)) == (2, 2, 2)


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
    """The code with the README's row, network and experiment added, each where it says."""
    root = tmp_path_factory.mktemp("tree")
    for folder in ("cnn_models", "lab", "experiments"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "data").symlink_to(ROOT / "data")
    row, network = ROWS
    _put(root / "experiments/lenet.py", "    variants=(\n", row + 'Variant("tiny", Training("tiny")),\n')
    _put(root / "cnn_models/zoo.py", "MODELS: dict[str, Architecture] = {\n", network)
    for body in FILES:
        (file,) = ["experiments/my_question.py" if "EXPERIMENT" in body else "cnn_models/networks/tiny.py"]
        assert f"`{file}`" in README
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
    assert f"my-question\n    {question}\n" in call(tree, "list").stdout


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
