"""The networks that the page opens, and those that it refuses."""

import json
import shutil

import numpy as np
import pytest

from demo.answers import Digits, catch_errors
from demo.networks import DIGITS, DOODLES, EDGES, REFERENCE, NetworkStore
from tests.demo.test_drawing import url

LENET, CONNECTED = "lenet/lenet5-relu.mnist.a75af8110019.seed0", "compare-fc/fc-matched.mnist.606f086ed1ca.seed0"


BLANK = url(np.zeros((280, 280), "uint8"))


@pytest.fixture
def trained(tmp_path):
    """A user's own results, with one network."""
    (tmp_path / "runs").mkdir()
    shutil.copytree(REFERENCE / "runs" / "lenet", tmp_path / "runs" / "lenet")
    return tmp_path


def test_the_networks_of_the_suite_are_offered_without_results(tmp_path):
    listed = NetworkStore([tmp_path / "nothing", REFERENCE]).names(DIGITS)
    assert list(listed) == [LENET, CONNECTED]  # the best first
    assert listed[LENET].startswith("lenet5-relu, seed 0")
    assert "0.79 %" in listed[LENET]
    assert next(iter(NetworkStore([REFERENCE]).names(DOODLES))).startswith("quickdraw/lenet5-relu.quickdraw.")
    assert "are read correctly" in next(iter(NetworkStore([REFERENCE]).names(EDGES).values()))


def test_a_network_trained_later_appears(trained):
    hidden = trained.rename(trained.with_name("later"))
    store = NetworkStore([trained])
    assert store.names(DIGITS) == {}
    hidden.rename(trained)
    assert list(store.names(DIGITS)) == [LENET]
    assert store.open(LENET).side == 28


def test_a_network_with_a_wrong_checksum_is_not_opened(trained):
    file = next(trained.glob("runs/*/*.keras"))
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ValueError, match="is gone or damaged"):
        NetworkStore([trained]).open(LENET)


@pytest.mark.parametrize("name", ["", "lenet", "../lenet", "/etc/passwd", "lenet/../lenet", None, 7])
def test_only_networks_of_the_list_are_opened(name):
    with pytest.raises(ValueError, match="no such network"):
        NetworkStore([REFERENCE]).open(name)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        [],
        {},
        "text",
        {"drawing": "x", "shift": [0, 0], "networks": []},
        {"drawing": "x", "shift": [0, "NaN"], "networks": [LENET] * 9},
        {"drawing": BLANK, "shift": [float("inf"), 0], "networks": [LENET], "network": LENET, "layer": 0, "index": [0]},
        {"drawing": BLANK, "shift": [10**400, 0], "networks": [LENET], "network": LENET, "layer": 0, "index": [0]},
        {"drawing": BLANK, "shift": [0, 0], "networks": [[]], "network": LENET, "layer": float("inf"), "index": [0]},
    ],
)
@pytest.mark.parametrize("call", ["look", "unit"])
def test_an_invalid_request_is_answered_with_the_reason(asked, call):
    answer = catch_errors(getattr(Digits(NetworkStore([REFERENCE])), call))(asked)
    assert list(answer) == ["error"]
    assert json.dumps(answer)
