"""Waits for events, as a file or the end of a process. The time limit only ends tests that hang."""

import contextlib
import random
import socket
import time
from pathlib import Path

SECONDS = 1800  # far more than a test needs on a busy machine, and more than the patience of `hosts`


def until(condition, process=None):
    """Waits until `condition()` is true. Fails if `process` ends before, or after `SECONDS`."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if process is not None and process.poll() is not None:
            assert condition(), process.communicate()  # it may have become true just before the end
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_ports(count):
    """Returns free ports of this machine, outside the range that the kernel gives to outgoing connections."""
    lent, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    found = []
    for number in random.SystemRandom().sample(range(lent // 2, lent), 1_000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", number)):  # otherwise the port is in use
            found.append(number)
        if len(found) == count:
            return found
    raise AssertionError(f"no {count} free ports below {lent}")
