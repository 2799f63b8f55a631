"""Which networks the page opens, and which it does not."""

import json
import shutil

import numpy as np
import pytest

from demo.answers import Digits, with_errors
from demo.networks import DIGITS, DOODLES, EDGES, KEPT, Shelf
from tests.demo.test_drawing import url

LENET, CONNECTED = "lenet/lenet5-relu.mnist.a75af8110019.seed0", "compare-fc/fc-matched.mnist.606f086ed1ca.seed0"


BLANK = url(np.zeros((280, 280), "uint8"))


@pytest.fixture
def trained(tmp_path):
    """A user's own results, with one network."""
    (tmp_path / "runs").mkdir()
    shutil.copytree(KEPT / "runs" / "lenet", tmp_path / "runs" / "lenet")
    return tmp_path


def test_it_starts_with_what_is_kept(tmp_path):
    listed = Shelf([tmp_path / "nothing", KEPT]).listed(DIGITS)
    assert list(listed) == [LENET, CONNECTED]  # the best first
    assert listed[LENET].startswith("lenet5-relu, seed 0")
    assert "0.79 %" in listed[LENET]
    assert next(iter(Shelf([KEPT]).listed(DOODLES))).startswith("quickdraw/lenet5-relu.quickdraw.")
    assert "are read correctly" in next(iter(Shelf([KEPT]).listed(EDGES).values()))


def test_what_is_trained_meanwhile_appears(trained):
    hidden = trained.rename(trained.with_name("later"))
    shelf = Shelf([trained])
    assert shelf.listed(DIGITS) == {}
    hidden.rename(trained)
    assert list(shelf.listed(DIGITS)) == [LENET]
    assert shelf.open(LENET).side == 28


def test_a_network_that_is_not_its_records_is_not_opened(trained):
    file = next(trained.glob("runs/*/*.keras"))
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ValueError, match="is gone or damaged"):
        Shelf([trained]).open(LENET)


@pytest.mark.parametrize("name", ["", "lenet", "../lenet", "/etc/passwd", "lenet/../lenet", None, 7])
def test_only_what_is_listed_is_opened(name):
    with pytest.raises(ValueError, match="no such network"):
        Shelf([KEPT]).open(name)


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
def test_a_call_with_nonsense_is_answered_with_a_reason(asked, call):
    answer = with_errors(getattr(Digits(Shelf([KEPT])), call))(asked)
    assert list(answer) == ["error"]
    assert json.dumps(answer)
