"""TensorFlow starts without its lines, and nothing else is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.learn import startup

ROOT = Path(__file__).parents[3]
# What TensorFlow 2.21 printed on an AMD EPYC without a GPU, and 2.16 before it.
LINES = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795629221.736261    9529 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not \
be used.
I0000 00:00:1795629221.896881    9529 cpu_feature_guard.cc:227] This TensorFlow binary is optimized to use available \
CPU instructions in performance-critical operations.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate compiler \
flags.
E0000 00:00:1795629228.412811    9529 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error
2024-05-06 10:11:12.345678: I tensorflow/core/util/port.cc:113] oneDNN custom operations are on.
"""
REST = "a line of a library\nF0000 00:00:1 cpu_feature_guard.cc:1] compiled to use AVX instructions\n"


def test_start_up_lines_are_taken_out_and_all_others_kept(capfd):
    with startup.quiet():
        os.write(2, f"{LINES}{REST}".encode())
    os.write(2, b"after\n")
    assert capfd.readouterr().err == f"{REST}after\n"
    assert startup.without_lines(LINES + REST) == REST.strip()


def test_what_an_import_raises_is_raised_and_stderr_is_back(capfd):
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), startup.quiet():
        import no_such_module  # noqa: F401
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"


@pytest.mark.parametrize(
    ("ending", "code"), [("os.abort()", -6), ("raise ImportError('no wheel')", 1), ("raise KeyboardInterrupt", -2)]
)
def test_the_last_words_of_a_process_that_ends_are_printed(ending, code):
    text = f"import os\nfrom lab.learn import startup\nwith startup.quiet():\n    os.write(2, {REST.encode()!r})\n"
    done = subprocess.run([sys.executable, "-c", f"{text}    {ending}"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == code
    assert done.stderr.startswith(REST)
    assert ("no wheel" in done.stderr) == ("wheel" in ending)


def test_without_a_standard_error_the_block_still_runs():
    text = "import os\nfrom lab.learn import startup\nos.close(2)\nwith startup.quiet():\n    print('done')\n"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_tensorflow_itself_starts_without_a_line():
    text = (
        "from lab.learn import startup\nstartup.start_tensorflow()\n"
        "import tensorflow as tf\nprint(tf.reduce_sum(tf.ones(3)).numpy())\n"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, env=bare)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.0\n", "")
