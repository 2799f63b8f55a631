"""Answers to the page about doodles and edges."""

import base64
import itertools

import numpy as np
import pytest

from demo.answers import Doodles, Edges, catch_errors
from demo.networks import DOODLES, REFERENCE, NetworkStore
from lab.data import datasets, pairs, quickdraw
from tests.demo.test_drawing import url


@pytest.fixture(scope="module")
def doodles():
    return Doodles(NetworkStore([REFERENCE]))


def unpacked(answer):
    return np.frombuffer(base64.b64decode(answer["data"]), "<f4").reshape(answer["shape"])


def test_examples_are_drawings_of_the_sample_and_are_recognised(doodles):
    network = next(iter(doodles.store.names(DOODLES)))
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


def test_a_training_drawing_is_most_similar_to_itself(doodles):
    network = doodles.store.open(next(iter(doodles.store.names(DOODLES))))
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
def test_invalid_strokes_are_refused_with_a_sentence(doodles, strokes):
    network = next(iter(doodles.store.names(DOODLES)))
    answer = catch_errors(doodles.recognise)({"strokes": strokes, "network": network})
    assert list(answer) == ["error"]
    assert answer["error"]


@pytest.mark.parametrize("strokes", [[[[1e9, -1e9], [0, 0]]], [[[1e-320, 0], [0, 0]]], [[[1e9, 1e9]]], [[[5, 5]] * 3]])
def test_strokes_of_any_size_are_drawn(doodles, strokes):
    answer = doodles.recognise({"strokes": strokes, "network": next(iter(doodles.store.names(DOODLES)))})
    assert len(answer["top"]) == 3


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1.5, "1", None, True, [1]])
def test_an_invalid_number_is_refused_with_a_sentence(doodles, number):
    assert "Expected a whole number" in catch_errors(doodles.example)({"number": number})["error"]


def test_a_missing_argument_is_named(doodles):
    assert catch_errors(doodles.example)({})["error"] == "The call lacks 'number'."
    assert doodles.example({"number": 10**400})["name"]


@pytest.mark.parametrize("strokes", [[], [[]]])
def test_an_empty_drawing_has_no_answer(doodles, strokes):
    answer = doodles.recognise({"strokes": strokes, "network": next(iter(doodles.store.names(DOODLES)))})
    assert answer["top"] == answer["like"] == []


def test_the_network_paints_the_digit_of_an_outline():
    edges = Edges(NetworkStore([REFERENCE]))
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
