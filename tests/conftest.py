"""One thread a test process and the same kernels, as in a worker, so that results do not depend on the machine."""

import os
import random
import signal

from lab.learn.surroundings import TENSORFLOW, THREADS

os.environ.update(dict.fromkeys(THREADS, "1"), **TENSORFLOW)
# The tests, and the processes that they start, are on a machine without a GPU, whatever there is.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import pytest


@pytest.fixture(autouse=True)
def seed():
    """Each test draws the same initial weights, alone or after any others: Keras draws its seeds from here."""
    random.seed(0)


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Processes that tests start heed Ctrl-C, also where a shell has started the tests in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def digits():
    """The real data set that needs no network: 1,797 digits."""
    from lab.data import datasets

    return datasets.load("digits")


@pytest.fixture(scope="session")
def browser():
    """One for the tests of the report and of the demo page."""
    from tests.support.pages import chromium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    from lab.learn import devices

    devices.one_thread()
