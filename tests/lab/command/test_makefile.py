"""The Makefile checks names, passes values on exactly as typed, and makes .venv with a Python that works.

The tests run the real make in a temporary folder, so that nothing is installed or built here.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import parser as demo
from lab.command.arguments import parser
from lab.declare import catalogue

ROOT = Path(__file__).parents[3]
STAMPS = ("runtime", "development", "demo", "ray")
SAYS = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('CNN_CACHE')]))"
LINE = re.compile(r"^#= ([a-z,]+) ([A-Z_]+)=\S+ (.+)$", re.MULTILINE)


def script(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/bash", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.fixture
def copy(tmp_path):
    """A folder with the Makefile and two experiments, whose program prints its arguments."""
    folder = tmp_path / "copy"
    for package in ("experiments", "demo"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__main__.py").write_text(SAYS)
    for name in ("lenet", "compare_fc"):
        (folder / "experiments" / f"{name}.py").write_text('"""A question."""\n')
    for file in ("requirements", "requirements-demo", "requirements-dev", "requirements-ray"):
        (folder / f"{file}.txt").write_text("")
    shutil.copy(ROOT / "requirements-setup.txt", folder)
    shutil.copy(ROOT / "Makefile", folder)
    script(folder / ".venv" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    for name in STAMPS:
        (folder / ".venv" / f".{name}").write_text("")
    return folder


def surroundings():
    """The environment without the variables of a make that runs these tests. They would change this make's output."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(folder, *words, **variables):
    return subprocess.run(
        ["make", *words], cwd=folder, env=surroundings() | variables, capture_output=True, text=True, check=False
    )


def called(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_variables_of_each_target_are_the_options_of_its_command_with_the_same_help():
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    known = {"experiment": commands.choices["run"], "demo": demo()}
    known |= {name: commands.choices[name] for name in ("tables", "summary", "report", "bench")}
    declared = LINE.findall((ROOT / "Makefile").read_text())
    for target, command in known.items():
        options = {action.dest.upper(): action.help for action in command._actions if action.option_strings}
        del options["HELP"]
        assert {name: text for targets, name, text in declared if target in targets.split(",")} == options


@pytest.mark.parametrize(
    "value",
    [
        "~/x",
        "a b",
        "'",
        '"; touch made; "',
        "`touch made`",
        "$(touch made)",
        "$(shell touch made)",
        "$$x",
        "#",
        "-x",
        "é",
    ],
)
@pytest.mark.parametrize("given", ["on the command line", "in the environment"])
def test_a_value_arrives_as_it_was_typed(copy, value, given):
    words = {"RESULTS": value, "VARIANTS": value}
    typed = [f"{name}={text}" for name, text in words.items()]
    done = make(copy, "lenet", *typed) if given == "on the command line" else make(copy, "lenet", **words)
    assert called(done)[0] == ["run", "lenet", f"--variants={value}", f"--results={value}"]
    assert called(make(copy, "demo", f"PORT={value}"))[0] == [f"--port={value}"]
    assert called(make(copy, "lenet", f"CNN_CACHE={value}"))[1] == value
    assert not (copy / "made").exists()


def test_a_variable_becomes_an_option_only_if_it_is_given(copy):
    assert called(make(copy, "lenet"))[0] == ["run", "lenet"]
    assert called(make(copy, "lenet", "SEEDS=", "FORCE="))[0] == ["run", "lenet", "--seeds="]
    assert called(make(copy, "lenet", SEEDS=""))[0] == ["run", "lenet"]
    assert called(make(copy, "lenet", "FORCE=1"))[0] == ["run", "lenet", "--force"]
    assert called(make(copy, "lenet", "FORCE=no"))[0] == ["run", "lenet"]
    assert called(make(copy, "compare-fc", "TRIAL_SEEDS=2"))[0] == ["run", "compare-fc", "--trial-seeds=2"]
    assert called(make(copy, "bench", "QUICK=1", "ONLY=a"))[0] == ["bench", "--only=a", "--quick"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet", "SEED=3"], "There is no variable 'SEED'. Did you mean SEEDS?"),
        (["lenet", "seeds=3"], "Did you mean SEEDS?"),
        (["lenet", "`touch made`=3"], "There is no"),
        (["lenet", "SEEDS", "3"], "SEEDS is a variable, not a target: SEEDS=value"),
        (["lennet"], "There is no target 'lennet'. Did you mean lenet?"),
        (["lenet", "compare_fc"], "Did you mean compare-fc?"),
        (["'`touch made`"], "There is no target"),
        (["report", "SEEDS=3"], "`make report` takes no SEEDS; it takes LANGUAGE PYTHON RESULTS"),
        (["list", "RESULTS=x"], "takes no RESULTS"),
        (["lenet", "FORCE=flase"], "FORCE is 1 or 0, got 'flase'"),
        (["test", 'PYTEST=-k "zoo'], 'a quotation mark of PYTEST=-k "zoo is not closed'),
    ],
)
def test_an_unknown_target_or_variable_is_refused_with_the_most_similar_name(copy, words, message):
    done = make(copy, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[0]
    assert not (copy / "made").exists()


def test_make_help_piped_to_head_prints_no_error(copy):
    for package in ("experiments", "lab", "cnn_models"):
        shutil.rmtree(copy / package, ignore_errors=True)
        (copy / package).symlink_to(ROOT / package)
    for target in ("help", "list"):
        words = ["bash", "-c", f"set -o pipefail; make {target} | head -n 1"]
        done = subprocess.run(words, cwd=copy, env=surroundings(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


def test_help_fits_80_columns_and_has_every_experiment_with_its_minutes_and_every_target_and_variable(copy):
    for name in ("experiments", "results"):
        shutil.rmtree(copy / name, ignore_errors=True)
        (copy / name).symlink_to(ROOT / name)
    done = make(copy, "help")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    firsts = [line.split() for line in lines if re.match(r"  \S", line)]
    assert [first[0] for first in firsts[: len(catalogue.names())]] == catalogue.names()  # in the lecture's order
    table = (ROOT / "results/reference/minutes.csv").read_text()
    minutes = dict(re.findall(r"^([\w-]+),([≥?\d]+)$", table, re.MULTILINE))
    assert minutes.items() <= {first[0]: first[1] for first in firsts}.items()
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)) <= {first[0] for first in firsts}
    assert {name for _, name, _ in LINE.findall(makefile)} <= {first[0].partition("=")[0] for first in firsts}


def test_quick_runs_five_experiments_for_one_seed_and_one_epoch_and_reports(copy):
    said = [line for line in make(copy, "quick", "DATASET=digits").stdout.splitlines() if line.startswith("[")]
    calls = [json.loads(line)[0] for line in said]
    assert [word for words in calls for word in words if not word.startswith("--")] == [
        *("run", "filters", "parameters"),
        *("run", "equivariance"),
        *("run", "compare-fc", "lenet"),
        "report",
    ]
    assert {"--seeds=1", "--epochs=1", "--dataset=digits"} <= set(calls[2])
    assert all("--results=results/quick" in words for words in calls)
    assert "--results=~/x y" in make(copy, "quick", "RESULTS=~/x y").stdout


def of_version(path, version):
    """A script that runs this Python but reports another version."""
    program = (
        f"import sys; sys.version_info = ({version.replace('.', ', ')}); sys.version = '{version}'; exec(sys.argv[1])"
    )
    return script(path, f'exec "{sys.executable}" -c "{program}" "$2"')


@pytest.mark.parametrize("version", ["2.7.18", "3.10.13", "3.14.0"])
def test_an_unsupported_python_is_refused_in_one_line(copy, tmp_path, version):
    shutil.rmtree(copy / ".venv")
    python = of_version(tmp_path / "a python", version)
    done = make(copy, "setup", f"PYTHON={python}")
    assert done.stderr.splitlines()[0] == (
        f"error: PYTHON={python} is Python {version}; expected is Python 3.11, 3.12 or 3.13"
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize("python", ["no-such-python", "ls", "python3; touch made", "`touch made`"])
def test_a_program_that_is_not_python_is_refused_in_one_line(copy, python):
    done = make(copy, "lenet", f"PYTHON={python}")
    assert f"error: PYTHON={python} is no Python that can be started; expected is Python 3.11" in done.stderr
    assert done.returncode == 2
    assert not (copy / "made").exists()


def test_without_a_supported_python_one_line_names_the_supported_versions(copy, tmp_path):
    shutil.rmtree(copy / ".venv")
    tools = only_python(tmp_path / "tools")
    of_version(tools / "python3", "3.9.18")
    done = make(copy, "setup", PATH=str(tools))
    assert done.stderr.splitlines()[0].startswith("error: no Python 3.11, 3.12 or 3.13 was found; install one")
    assert done.returncode == 2
    assert not (copy / ".venv").exists()


def test_the_newest_supported_python_makes_the_environment(copy, tmp_path):
    """It is named before anything is installed; here the making itself fails, as the versions are not real."""
    shutil.rmtree(copy / ".venv")
    for version in ("3.11.2", "3.12.1", "3.14.0"):
        of_version(tmp_path / f"python{version.rpartition('.')[0]}", version)
    done = make(copy, "setup", PATH=f"{tmp_path}:{only_python(tmp_path / 'tools')}")
    assert done.stdout.startswith("Making .venv with Python 3.12.1: once, 2.6 GB of disk")


def only_python(folder):
    """A folder with the tools that the Makefile calls, and no Python."""
    folder.mkdir()
    for tool in ("make", "bash", "sh", "awk", "sed", "tr", "head"):
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def test_another_python_than_that_of_the_environment_is_refused(copy, tmp_path):
    assert called(make(copy, "lenet", f"PYTHON={sys.executable}"))[0] == ["run", "lenet"]
    other = of_version(tmp_path / "python3.13", "3.13.99")
    done = make(copy, "lenet", f"PYTHON={other}")
    assert done.returncode == 2
    assert re.match(
        rf"error: \.venv was made by Python .*, not by PYTHON={other}: make clean, then make setup", done.stderr
    )


@pytest.mark.slow
def test_setup_makes_the_environment_and_prints_its_progress(copy):
    shutil.rmtree(copy / ".venv")
    done = make(copy, "setup", f"PYTHON={sys.executable}")
    if "No matching distribution found for uv" in done.stderr:
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    assert re.match(r"Making \.venv with Python 3\.1\d\.\d+: .*\nInstalling requirements\.txt into \.venv", done.stdout)
    assert (copy / ".venv" / ".runtime").exists()
    assert "Nothing to be done for" in make(copy, "setup").stdout
    os.utime(copy / "requirements.txt")  # as after `git pull`
    assert make(copy, "setup").stdout.startswith("Renewing .venv: only what changed is installed")
