"""Waiting for events: a file, a process's end. The time limit only ends what hangs, and judges no speed."""

import contextlib
import random
import socket
import time
from pathlib import Path

SECONDS = 1800  # far more than is needed, on a busy machine too, and than the ten minutes of a silent host


def until(condition, process=None):
    """Waits until `condition()` holds; fails where the process that makes it so has ended, or nothing happens."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if process is not None and process.poll() is not None:
            assert condition(), process.communicate()  # it may have come true just before the end
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def free_ports(count):
    """Ports of this machine that nobody listens at, and that its kernel lends to no connection meanwhile."""
    lent, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    found = []
    for number in random.SystemRandom().sample(range(lent // 2, lent), 1_000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", number)):  # else it is taken
            found.append(number)
        if len(found) == count:
            return found
    raise AssertionError(f"no {count} free ports below {lent}")
