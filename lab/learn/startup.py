"""TensorFlow without the lines that it prints as it starts.

TensorFlow 2.21 writes them from C++ to file descriptor 2, whatever `TF_CPP_MIN_LOG_LEVEL` says, so they are taken
out there. A process of its own does that: what TensorFlow says before it aborts (a processor without AVX, say)
still reaches the user, which a file or a thread of this process would lose.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator

# Log lines of the levels information, warning and error, in absl's form and in TensorFlow's older one, and what
# belongs to them. Fatal ones (F) are kept, and so is all that Python writes: warnings and tracebacks.
LINE = re.compile(
    rb"[IWE]\d{4} .*\]|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |WARNING: All log messages before absl::Init"
    rb"|To enable the following instructions: "
)
PATIENCE_SECONDS = 5  # for a filter whose pipe some other process still holds


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """TensorFlow may be imported and look for its devices in this block; its start-up lines are not printed."""
    try:
        terminal = os.dup(2)
        command = [sys.executable, "-I", "-S", __file__]
        # In a session of its own: Ctrl-C is for this process alone.
        filtering = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal, start_new_session=True)
    except OSError:  # no stderr, or no more processes: then with the lines
        yield
        return
    assert filtering.stdin
    try:
        _flush()
        os.dup2(filtering.stdin.fileno(), 2)
        yield
    finally:
        _flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        filtering.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            filtering.wait(PATIENCE_SECONDS)


def start_tensorflow() -> None:
    """Imports TensorFlow and finds its devices, quietly. What the import raises is raised."""
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()  # where CUDA is looked for; nothing is allocated yet


def without_lines(text: str) -> str:
    """The text of a log without start-up lines."""
    return "\n".join(line for line in text.splitlines() if not LINE.match(line.encode()))


def _flush() -> None:
    if sys.stderr:
        sys.stderr.flush()


def _filter() -> None:
    """Copies standard input to standard output, line by line, without start-up lines."""
    for line in sys.stdin.buffer:
        if not LINE.match(line):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    _filter()
