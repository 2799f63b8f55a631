"""A signal in the middle of an import: a real process, interrupted while it imports what is heavy."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parent.parent
PROGRAM = """
import signal, sys, time
from experiments.lab.interrupts import between_imports

def handle(number, frame):
    raise SystemExit(128 + number)

signal.signal(int(sys.argv[1]), between_imports(handle))
print("imports", flush=True)
try:
    from experiments.lab import figures
except BaseException:
    print("in an import", flush=True)
    raise
print("imported", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.7])
def test_a_signal_waits_for_the_import_under_way_and_is_not_lost(sent, seconds):
    command = [sys.executable, "-c", PROGRAM, str(int(sent))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "imports\n"
        time.sleep(seconds)
        process.send_signal(sent)
        output, errors = process.communicate()
    assert (process.returncode, output, errors) == (128 + sent, "imported\n", "")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [["experiments", "list"], ["demo"]])
def test_a_signal_in_the_first_moments_is_one_line(words, sent):
    command = [sys.executable, "-X", "importtime", "-m", *words]  # which names each module once it is imported
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (line := process.stderr.readline()).endswith(" argparse\n"):  # the command line is being imported
            assert line
        process.send_signal(sent)
        output, errors = process.communicate()
    said = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, output) == (128 + sent, "")
    assert said[-1] == "Interrupted. Nothing was begun."
    assert "Traceback" not in errors
