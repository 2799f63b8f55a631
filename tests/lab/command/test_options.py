"""Options of the command line: a wrong value gives one line of error and exit code 2, and creates no file."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import main as demo
from lab.command.arguments import parser
from lab.command.main import main
from lab.data import download

ROOT = Path(__file__).parents[3]
COUNTS = {"--seeds": 10**6, "--epochs": 10**5, "--workers": 10**4, "--trials": 10**5, "--trial-seeds": 10**3}
WORDS = ("--variants", "--dataset", "--classes", "--devices", "--precision", "--cluster", "--tuner", "--variant")


def refused(words, capsys, call=main):
    """The one-line error message of a call that is refused."""
    try:
        code = call(words)
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1), said
    return said.err


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, so that a test sees every file that a call creates."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.5", "9" * 30, "1000000000"])
def test_the_message_for_a_wrong_count_names_its_bounds(option, value, here, capsys):
    line = refused(["run", "tune", f"{option}={value}"], capsys)
    assert f"argument {option}: must be a whole number from 1 to {COUNTS[option]}, got '{value}'" in line
    assert "usage" not in line
    assert not list(here.iterdir())


@pytest.mark.parametrize("option", [*WORDS, "--results"])
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_value_is_not_taken_for_the_default(option, value, here, capsys):
    assert f"argument {option}: " in refused(["run", "quickdraw", f"{option}={value}"], capsys)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "lenet", "--seed", "3"], "Unknown option '--seed'. Did you mean --seeds"),  # no abbreviations
        (["run", "lenet", "--variants", ","], "names nothing"),
        (["run", "lenet", "--classes", " , "], "names nothing"),
        (["run", "lenet", "--variant", "lenet1"], "Did you mean --variants?"),
        (["run", "lenet", "--precision", "half"], "invalid choice: 'half'"),
        (["run", "lenet", "--retries", "-1"], "a whole number from 0 to"),
        (["run", "lenet", "--devices", "cpu:'"], "got 'cpu:''"),
        (["run", "lenet", "--dataset", "`id`"], "Unknown data set '`id`'"),
        (["bench", "--only", ","], "names nothing"),
        (["bench", "--only", "epohc"], "Did you mean epoch"),
        (["features", "lenet5", "--layer", ""], "is empty"),
        (["features", "lenet5", "--layer", "c1", "--low", "nan"], "must be a number"),
        (["features", "lenet5", "--layer", "c1", "--channels", "0"], "from 1 to"),
        (["list", "lenet"], "'lenet' is one word too many"),
        (["run"], "required: NAME"),
        (["ran"], "invalid choice: 'ran'"),
        ([], "required: COMMAND"),
    ],
)
def test_a_wrong_option_or_value_gives_one_line(words, message, here, capsys):
    assert message in refused(words, capsys)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "abc"], "from 1 to 65535"),
        (["--port", "70000"], "from 1 to 65535"),
        (["--prot", "7860"], "Did you mean --port"),
        (["--results", "reslts"], "There is no folder reslts. Did you mean results?"),
    ],
)
def test_the_demo_refuses_wrong_options_the_same_way(words, message, here, capsys):
    (here / "results").mkdir()
    assert message in refused(words, capsys, demo)


def test_the_demo_names_a_port_in_use(here, capsys):
    (here / "results").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used (Address already in use)" in refused(["--port", str(port)], capsys, demo)


COMMANDS = {
    "run": ["run", "filters"],
    "tables": ["tables"],
    "report": ["report"],
    "keep": ["keep", "filters"],
    "inspect": ["inspect", "lenet5"],
    "features": ["features", "lenet5", "--layer", "c1"],
    "bench": ["bench", "--only", "start"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_tilde_means_the_home_folder_in_every_command(command, here):
    assert parser().parse_args([*COMMANDS[command], "--results", "~/x"]).results == here / "home" / "x"


def test_a_tilde_means_the_home_folder_in_file_names(here):
    asked = parser().parse_args([*COMMANDS["features"], "--output", "~/x.svg"])
    assert asked.output == here / "home" / "x.svg"
    assert parser().parse_args(["inspect", "~/x.keras"]).model == str(here / "home" / "x.keras")
    assert parser().parse_args(["inspect", "lenet5"]).model == "lenet5"


def test_a_tilde_means_the_home_folder_in_cnn_cache(here, monkeypatch):
    monkeypatch.setenv("CNN_CACHE", "~/cache")
    assert download.cache_folder() == here / "home" / "cache"


def test_files_in_the_home_folder_are_written_to_one_folder(here):
    records = Path("home/x/runs/filters")
    shutil.copytree(ROOT / "results" / "reference" / "runs" / "filters", records)
    for words in (["tables"], ["report"]):
        assert main([*words, "--results", "~/x"]) == 0
    assert [path.name for path in here.iterdir()] == ["home"]
    assert {"filters.csv", "filters.svg", "report.html"} < {path.name for path in (here / "home" / "x").iterdir()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("results", ["file", "file/below", "~nobody-of-this-name/x", "locked/x"])
def test_an_impossible_folder_gives_one_line_in_every_command(command, results, here, capsys):
    (here / "file").write_text("")
    (here / "locked").mkdir(0o555)
    if results.startswith("locked") and os.access(here / "locked", os.W_OK):  # root may write everywhere but in /proc
        results = "/proc/self/x"
    before = sorted(here.rglob("*"))
    line = refused([*COMMANDS[command], "--results", results], capsys)
    assert "Errno" not in line
    assert Path(results).parts[0].lstrip("~") in line
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("command", ["tables", "report", "keep"])
def test_a_misspelt_folder_is_refused_with_the_most_similar_one(command, here, capsys):
    (here / "results").mkdir()
    line = refused([*COMMANDS[command], "--results", "reslts"], capsys)
    assert "There is no folder reslts. Did you mean results?" in line
    assert not (here / "reslts").exists()


@pytest.mark.parametrize(("command", "lacks"), [("tables", "records"), ("report", "table"), ("keep", "table")])
def test_a_folder_without_results_is_refused(command, lacks, here, capsys):
    (here / "docs").mkdir()
    line = refused([*COMMANDS[command], "--results", "docs"], capsys)
    assert f"docs holds no {lacks}" in line
    assert not list((here / "docs").iterdir())


def closed_output(*words):
    """Exit code and errors of a call whose output is closed from the start."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "experiments", *words]
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(command, cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [["list"], ["--help"], ["run", "--help"]])
def test_a_command_that_only_prints_succeeds_when_its_output_is_closed(words):
    assert closed_output(*words) == (0, "")


def test_tables_stop_with_a_message_when_their_output_is_closed(tmp_path):
    shutil.copytree(ROOT / "results" / "reference" / "runs" / "filters", tmp_path / "runs" / "filters")
    assert closed_output("tables", "--results", str(tmp_path)) == (
        128 + signal.SIGPIPE,
        "Stopped: the reader of the output has gone. Complete files are kept.\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_gives_one_line():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "experiments", "list"]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device")
    assert done.stderr.count("\n") == 1
