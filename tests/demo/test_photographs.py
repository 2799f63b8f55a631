"""Answers to the page about photographs, on the sample that comes with the suite."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from demo import head
from demo.answers import catch_errors
from demo.networks import PHOTOGRAPHS, REFERENCE, NetworkStore
from demo.photographs import ALTERATIONS, Photographs, read
from lab.data import cifar
from lab.learn.alterations import altered
from tests.demo.test_answers import unpacked


@pytest.fixture(scope="module")
def photographs():
    return Photographs(NetworkStore([REFERENCE]))


def url(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


CAT = cifar.sample()[3, 0]


def asked(photographs, picture=CAT, alteration="as it is"):
    network = photographs.networks({})["networks"][0][0]
    return {"picture": url(picture), "alteration": alteration, "network": network}


def test_most_of_the_sample_is_recognised(photographs):
    right = 0
    for label, picture in [(label, pictures[0]) for label, pictures in enumerate(cifar.sample())]:
        found = photographs.look(asked(photographs, picture))
        right += int(np.argmax(found["probabilities"])) == label
        assert sum(found["probabilities"]) == pytest.approx(1)
    assert right >= 6  # the network reads four of five test photographs


@pytest.mark.parametrize("words", ALTERATIONS)
def test_the_network_sees_what_was_chosen_and_every_layer_is_shown(photographs, words):
    found = photographs.look(asked(photographs, alteration=words))
    name = ALTERATIONS[words]
    np.testing.assert_array_equal(unpacked(found["input"]), altered(CAT[None], name, 0)[0] if name else CAT)
    network = photographs.store.open(asked(photographs)["network"])
    assert [layer["name"] for layer in found["layers"]] == [layer.name for layer in network.layers]
    logits = unpacked(found["layers"][-1]["values"])
    assert int(logits.argmax()) == int(np.argmax(found["probabilities"]))


def test_a_unit_says_its_field_and_the_value_that_its_map_shows(photographs):
    request = asked(photographs)
    found = photographs.look(request)
    number = [layer["name"] for layer in found["layers"]].index("conv3")
    unit = photographs.unit(request | {"layer": number, "index": [5, 6, 7]})
    network = photographs.store.open(request["network"])
    assert unit["field"] == network.fields[number].unit((5, 6))
    assert float(unit["value"]) == pytest.approx(unpacked(found["layers"][number]["values"])[5, 6, 7], abs=1e-4)


def test_the_sheet_is_the_sample(photographs):
    sheet = photographs.sample({})["sheet"]
    with Image.open(io.BytesIO(base64.b64decode(sheet.partition(",")[2]))) as image:
        np.testing.assert_array_equal(np.asarray(image)[96:128, :32], CAT)


def test_networks_that_saw_other_pictures_are_left_out(photographs):
    offered = dict(photographs.networks({})["networks"])
    assert offered
    records = [record for _, record in photographs.store._find().values() if record.dataset == "cifar-10"]
    for record in records:
        altered_view = any(record.settings.get(name) for name in ("grey", "canvas", "alteration"))
        assert PHOTOGRAPHS.has(record) != altered_view


@pytest.mark.parametrize(
    "wrong",
    [
        {"picture": None},
        {"picture": "data:image/png;base64,AAAA"},
        {"picture": url(np.zeros((31, 32, 3), "uint8"))},
        {"picture": "data:image/png;base64," + "A" * 10_000},
        {"alteration": "sepia"},
        {"alteration": ["grey"]},
        {"network": "none"},
        {"layer": 99},
        {"index": [0]},
        {"index": "x"},
    ],
    ids=str,
)
def test_an_invalid_request_is_answered_with_a_sentence(photographs, wrong):
    request = asked(photographs) | {"layer": 0, "index": [0, 0, 0]} | wrong
    answer = catch_errors(photographs.unit)(request)
    assert list(answer) == ["error"]
    assert json.dumps(answer)


def test_any_picture_of_noise_can_be_sent():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 4), "uint8")
    np.testing.assert_array_equal(read(url(noise)), noise[..., :3])


def test_the_page_says_what_it_is_in_our_words():
    gradio = (
        b'<head><meta\n property="og:title" content="Gradio" /><meta name="twitter:creator" content="@Gradio" /></head>'
    )
    page = head.rewritten(gradio).decode()
    assert "radio" not in page
    assert page.count(head.TITLE) == 1
    assert page.count(head.DESCRIPTION) == 2
