"""One thread a test process, as in a worker, so that results do not depend on the machine's cores."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="session")
def digits():
    """The real data set that needs no network: 1,797 digits."""
    from experiments.lab import data

    return data.load("digits")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    from experiments.lab import devices

    devices.one_thread()
