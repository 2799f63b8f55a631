"""Experiments as their authors write them: names, declarations, and files that are not yet right."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import experiments
from lab.command.main import main
from lab.declare import catalogue
from lab.declare.experiment import TAKEN, Experiment, Tuning, Variant
from lab.declare.recipe import Training
from lab.errors import UsageError

ROOT = Path(__file__).parents[3]
MINE = """from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
EXPERIMENT = Experiment(
    name="my-question", question="?", expectation="", sources=(), variants=(Variant("a", Training("linear")),)
)
"""


ROW = Variant("a", Training("linear"))
NO_FILE = [
    "../../up",
    "a/b",
    "/a",
    "",
    " ",
    "a b",
    "a,b",
    "a.",
    ".a",
    "-a",
    "a\n",
    "a\0",
    "ä",
    "a*",
    "a:b",
    "a\\b",
    "..",
    3,
]
NO_TARGET = ["", "a/b", "../up", "My-question", "a_b", "a b", "-a", "a-", "a--b", "a.b", "é"]


def declared(name="my-question", variants=(ROW,), **more):
    return Experiment(name, "?", "", (), variants, **more)


@pytest.mark.parametrize("name", [*NO_FILE, "a" * 101, "trial", "Trial"])
def test_a_variant_whose_name_is_no_file_is_refused(name):
    with pytest.raises(UsageError, match=r"variant"):
        declared(variants=(Variant(name, Training("linear")),))


def test_a_row_that_a_search_will_find_is_a_variant_too():
    with pytest.raises(UsageError, match="a/b"):
        declared(search=Tuning("a", ("a/b",), 1))


def test_variants_that_differ_in_capitals_alone_are_refused():
    with pytest.raises(UsageError, match="'LeNet' and 'lenet' differ in capitals"):
        declared(variants=(Variant("LeNet", Training("linear")), Variant("lenet", Training("linear"))))


@pytest.mark.parametrize("name", [*NO_TARGET, *TAKEN])
def test_an_experiment_whose_name_is_no_target_is_refused(name):
    with pytest.raises(UsageError, match="name"):
        declared(name)


def test_all_other_targets_of_the_makefile_are_taken():
    (targets,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("TARGETS :="))
    assert set(targets.split()[2:]) <= set(TAKEN)


@pytest.mark.parametrize("dataset", ["../mnist", "", "a b"])
def test_a_data_set_whose_name_is_no_file_is_refused(dataset):
    with pytest.raises(UsageError, match="data set"):
        declared(dataset=dataset)


@pytest.mark.parametrize("field", ["sources", "columns", "compared", "also_on"])
def test_one_word_where_several_may_be_is_refused(field):
    words = {"sources": (), "variants": (Variant("a", Training("linear")),)} | {field: ("word")}
    with pytest.raises(UsageError, match=f"{field} is a tuple"):
        Experiment(name="my-question", question="?", expectation="", **words)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A second folder that experiments are looked for in, named as the first."""
    made = tmp_path / "experiments"
    made.mkdir()
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(made)])
    yield made
    for name in [name for name, module in sys.modules.items() if str(made) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"""Mine."""\n\nEXPERIMENT = Experiment(…)\n', ["line 3", "SyntaxError", "…"]),
        (MINE.replace("from lab.declare.recipe import Training", ""), ["line 4", "NameError", "Training"]),
        (MINE.replace('name="my-question", ', ""), ["line 3", "TypeError", "'name'"]),
        (MINE.replace("my-question", "mine"), ["declares 'mine'", "'my-question'"]),
        (MINE.replace("my-question", "my_question"), ["line 3", "hyphen"]),
        (MINE.replace('"a"', '"a/b"'), ["line 3", "'a/b'"]),
        (MINE.replace('"linear"', '"linaer"'), ["line 4", "Did you mean linear"]),
        ("EXPERIMENT = 1\n", ["declares no experiment"]),
        ("", ["declares no experiment"]),
        ("import no_such_package\n", ["line 1", "no_such_package"]),
        ("raise SystemExit(3)\n", ["line 1", "SystemExit"]),
        ("assert False\n", ["line 1", "AssertionError"]),
        (b"\xff\xfe", ["my_question.py", "SyntaxError"]),
    ],
)
def test_a_file_that_is_not_yet_right_is_one_line_and_hides_no_other(folder, tmp_path, capsys, text, words):
    (folder / "my_question.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["list"]) == 1
    said = capsys.readouterr()
    assert all(f"{name}\n" in said.out for name in catalogue.names() if name != "my-question")
    assert "my-question" in catalogue.names()
    (line,) = said.err.splitlines()
    assert line.startswith("error: experiments/my_question.py")
    assert all(word in line for word in words)
    assert main(["run", "my-question", "--results", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.splitlines() == [line]
    assert not (tmp_path / "r").exists()


def test_tables_and_report_are_made_without_a_file_that_is_not_yet_right(folder, tmp_path, capsys):
    (folder / "my_question.py").write_text(MINE.replace("Experiment(", "Experiment(…"))
    for name in ("lenet", "my-question", "shift"):
        (tmp_path / "r" / "runs" / name).mkdir(parents=True)
    for command in ("tables", "report"):
        assert main([command, "--results", str(tmp_path / "r")]) == 1
        assert "experiments/my_question.py, line 3" in capsys.readouterr().err
    tables = sorted(path.name for path in (tmp_path / "r").glob("*.csv"))
    assert tables == ["claims.csv", "lenet.csv", "shift.csv", "statements.csv", "summary.csv"]
    assert "lenet" in (tmp_path / "r" / "report.html").read_text()
    assert main(["keep", "lenet", "--results", str(tmp_path / "r")]) == 2
    assert "experiments/my_question.py, line 3" in capsys.readouterr().err


def test_help_shows_a_file_without_a_docstring_as_a_name_alone(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "my_question.py").write_text(MINE)
    shutil.copy(ROOT / "experiments" / "lenet.py", tmp_path / "experiments")
    out = subprocess.run(["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in out.splitlines()]
    assert "my-question" in lines
    assert any(line.startswith("lenet ") for line in lines)
