"""A signal during an import: real processes, interrupted while they import heavy modules."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[3]
# The process interrupts itself when the import of a module begins, inside that of `figures`: so it is always in the
# middle of an import. The handler prints whether `figures` was completely imported when the handler was called.
PROGRAM = """
import os, signal, sys, time
from lab.command.interrupts import between_imports

number, name = int(sys.argv[1]), sys.argv[2]

def handle(number, frame):
    os.write(1, b"whole" if hasattr(sys.modules["lab.report.draw.figures"], "draw") else b"half")
    raise SystemExit(128 + number)

class Interrupting:
    def find_spec(self, sought, path=None, target=None):
        if sought == name:
            os.kill(os.getpid(), number)

signal.signal(number, between_imports(handle))
sys.meta_path.insert(0, Interrupting())
from lab.report.draw import figures
while True:
    time.sleep(0.01)  # not signal.pause(): it would wait forever for a signal that came just before it
"""


@pytest.mark.parametrize(
    ("sent", "module"),
    [
        (signal.SIGTERM, "lab.report.draw.figures"),
        (signal.SIGINT, "numpy"),
        (signal.SIGTERM, "pandas._libs.tslibs"),
        (signal.SIGINT, "matplotlib.ft2font"),
    ],
)
def test_a_signal_is_handled_after_the_import_in_progress(sent, module):
    command = [sys.executable, "-c", PROGRAM, str(int(sent)), module]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (128 + sent, "whole", "")
