"""What the page is told of doodles and edges."""

import base64
import itertools

import numpy as np
import pytest

from demo.answers import Doodles, Edges, with_errors
from demo.networks import DOODLES, KEPT, Shelf
from lab.data import datasets, pairs, quickdraw
from tests.demo.test_drawing import url


@pytest.fixture(scope="module")
def doodles():
    return Doodles(Shelf([KEPT]))


def unpacked(answer):
    return np.frombuffer(base64.b64decode(answer["data"]), "<f4").reshape(answer["shape"])


def test_examples_are_the_samples_drawings_and_are_recognised(doodles):
    network = next(iter(doodles.shelf.listed(DOODLES)))
    right = 0
    for number in range(30):
        example = doodles.example({"number": number})
        assert example["name"] == quickdraw.SAMPLE[number % 10]
        found = doodles.recognise({"strokes": example["strokes"], "network": network})
        assert found["classes"] == quickdraw.SAMPLE
        assert len(found["like"]) == 6
        assert found["top"][0][1] >= found["top"][1][1] >= found["top"][2][1]
        right += found["top"][0][0] == example["name"]
    assert right >= 25  # 28: rounding may turn one that is near, and no more


def test_a_drawing_that_was_learned_is_most_like_itself(doodles):
    network = doodles.shelf.open(next(iter(doodles.shelf.listed(DOODLES))))
    train = datasets.load("quickdraw").train
    for number in (0, 1_000, 6_999):
        features = network.activations(train.images[number : number + 1].astype("float32") / 255 - 0.5)[-2][0]
        near = doodles._features(network) @ (features / np.linalg.norm(features))
        # Two sums of products of unit vectors, each product and each sum rounded by half an epsilon.
        assert near[number] >= near.max() - 2 * (len(features) + 1) * np.finfo("float32").eps / 2


@pytest.mark.parametrize(
    "strokes",
    [
        *(None, "x", 3, {}, [3], ["ab"], [[["a", 1]]], [[[1]]], [[1, 2, 3, 4]], [[[1, 2, 3]]], [[[0, 0]] * 20_000]),
        *([[[number, 1], [0, 0]]] for number in (float("nan"), float("inf"), -float("inf"), 1e300, -2e9, 10**400)),
        [[[None, 1]]],
        [[[[1, 2]], [[3, 4]]]],
    ],
)
def test_what_are_no_strokes_is_refused_in_a_sentence(doodles, strokes):
    network = next(iter(doodles.shelf.listed(DOODLES)))
    answer = with_errors(doodles.recognise)({"strokes": strokes, "network": network})
    assert list(answer) == ["error"]
    assert answer["error"]


@pytest.mark.parametrize("strokes", [[[[1e9, -1e9], [0, 0]]], [[[1e-320, 0], [0, 0]]], [[[1e9, 1e9]]], [[[5, 5]] * 3]])
def test_strokes_of_any_size_are_drawn(doodles, strokes):
    answer = doodles.recognise({"strokes": strokes, "network": next(iter(doodles.shelf.listed(DOODLES)))})
    assert len(answer["top"]) == 3


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1.5, "1", None, True, [1]])
def test_what_is_no_whole_number_is_refused_in_a_sentence(doodles, number):
    assert "Expected a whole number" in with_errors(doodles.example)({"number": number})["error"]


def test_what_a_call_lacks_is_named(doodles):
    assert with_errors(doodles.example)({})["error"] == "The call lacks 'number'."
    assert doodles.example({"number": 10**400})["name"]


@pytest.mark.parametrize("strokes", [[], [[]]])
def test_nothing_drawn(doodles, strokes):
    answer = doodles.recognise({"strokes": strokes, "network": next(iter(doodles.shelf.listed(DOODLES)))})
    assert answer["top"] == answer["like"] == []


def test_an_outline_becomes_the_digit():
    edges = Edges(Shelf([KEPT]))
    found = edges.networks({})
    asked = {"network": found["networks"][0][0], "reader": found["reader"]}
    test = datasets.load("mnist").test
    right, levels = 0, []
    for picture, label in zip(test.images[:30], test.labels, strict=False):
        drawn = np.kron(pairs.edges(picture[None])[0, ..., 0], np.ones((10, 10), "uint8"))
        answer = edges.picture({"drawing": url(drawn), **asked})
        right += answer["read"][0] == label
        made = unpacked(answer["picture"])
        shifts = [np.roll(made, shift, (0, 1)) for shift in itertools.product((-1, 0, 1), repeat=2)]
        levels.append(min(np.abs(one - picture[..., 0]).mean() for one in shifts))
    assert right >= 26  # all 30
    assert np.mean(levels) < 18  # 11; all black: 33
    assert edges.picture({"drawing": url(0 * drawn), **asked})["empty"]
