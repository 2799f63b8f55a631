"""The page of a model, opened in a real browser: its rows, its graph, and the field of a unit that is pointed at."""

import json
import re

import keras
import pytest
from keras import layers

import cnn_models
from cnn_models.analysis.inspector import inspect
from cnn_models.analysis.page import page
from cnn_models.analysis.table import LayerTable, Memory
from tests.support.pages import watched


def content(text):
    """What a page holds as data."""
    return json.loads(re.search(r'<script id="content" type="application/json">(.*?)</script>', text, re.DOTALL)[1])


def made(model, title="mine", picture=None):
    found = inspect(model)
    return page(title, found, LayerTable((one.row for one in found.layers), found.input_shape, Memory()), picture)


def branched():
    inputs = keras.Input((20, 30, 1), name="picture")
    left = layers.Conv2D(2, 3, padding="same", name="left")(inputs)
    middle = layers.Conv2D(2, 5, strides=2, padding="same", name="middle")(inputs)
    right = layers.UpSampling2D(2, name="up")(middle)
    return keras.Model(inputs, layers.Add(name="sum")([left, right]), name="branched")


def test_each_row_names_the_rows_that_it_reads():
    layers_ = {layer["name"]: layer for layer in content(made(branched()))["layers"]}
    names = list(layers_)
    assert [names[number] for number in layers_["sum"]["reads"]] == ["left", "up"]
    assert [names[number] for number in layers_["up"]["reads"]] == ["middle"]
    assert layers_["left"]["reads"] == layers_["middle"]["reads"] == []


def test_units_are_those_of_the_field():
    model = branched()
    held = content(made(model))
    number = next(k for k, layer in enumerate(held["layers"]) if layer["name"] == "sum")
    rows, columns = (held["spans"][span] for span in held["layers"][number]["units"]["with"])
    field = cnn_models.receptive_field(model)
    for unit in ((0, 0), (7, 12), (19, 29)):
        assert field.unit(unit) == ((rows[0][unit[0]], rows[1][unit[0]]), (columns[0][unit[1]], columns[1][unit[1]]))


def test_words_of_a_model_cannot_become_code():
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Conv2D(1, 3, name="<script>alert(1)<")(inputs))
    text = made(model, "</title><script>alert(2)</script>")
    assert "<script>alert" not in text
    assert content(text)["layers"][0]["name"] == "<script>alert(1)<"


@pytest.mark.parametrize(
    ("shape", "layer"),
    [((None, None, 3), layers.Conv2D(2, 3)), ((6, 6, 6, 1), layers.Conv3D(2, 3))],
)
def test_what_cannot_be_drawn_on_a_picture_is_still_a_table(shape, layer, tmp_path, browser):
    inputs = keras.Input(shape)
    (tmp_path / "page.html").write_text(made(keras.Model(inputs, layer(inputs))), encoding="utf-8")
    with watched(browser) as opened:
        opened.goto((tmp_path / "page.html").as_uri())
        assert opened.locator("tbody tr").count() == 1
        assert "see the table" in opened.locator("#said").inner_text()


@pytest.mark.parametrize("width", [390, 1400])
def test_pointing_at_the_picture_tells_what_a_unit_sees(width, tmp_path, browser):
    photograph = tmp_path / "picture.png"
    keras.utils.save_img(photograph, 255 * keras.ops.ones((20, 30, 3)), scale=False)
    model = branched()
    (tmp_path / "page.html").write_text(made(model, picture=photograph), encoding="utf-8")
    with watched(browser, width) as opened:
        opened.goto((tmp_path / "page.html").as_uri())
        assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.locator("tbody tr").count() == 4
        assert opened.locator("svg path").count() == 3
        opened.locator("tbody tr", has_text="middle").click()
        area = opened.locator("canvas").bounding_box()
        opened.mouse.move(area["x"] + 1, area["y"] + 1)
        (rows, columns) = cnn_models.receptive_field(model, "middle").unit((0, 0))
        said = opened.locator("#said")
        assert f"unit 0, 0 of 10×15 sees rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]}" in (
            said.inner_text()
        )
        opened.locator("canvas").press("ArrowRight")
        assert "unit 0, 1 of" in said.inner_text()
        opened.get_by_role("button", name="next layer").click()
        names = [layer["name"] for layer in content((tmp_path / "page.html").read_text())["layers"]]
        assert said.inner_text().startswith(f"{names[names.index('middle') + 1]}: ")


def test_behind_a_gate_both_fields_can_be_seen(tmp_path, browser):
    inputs = keras.Input((16, 16, 2))
    maps = layers.Conv2D(2, 3, padding="same", name="maps")(inputs)
    gate = layers.Dense(2, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(maps))
    model = keras.Model(inputs, layers.Multiply(name="gated")([maps, gate]))
    (tmp_path / "page.html").write_text(made(model), encoding="utf-8")
    with watched(browser) as opened:
        opened.goto((tmp_path / "page.html").as_uri())
        opened.locator("tbody tr", has_text="gated").click()
        assert "3×3 of 16×16 pixels" in opened.locator("#said").inner_text()
        opened.locator("#gates").check()
        assert "16×16 of 16×16 pixels" in opened.locator("#said").inner_text()


def test_a_sequence_is_a_strip(tmp_path, browser):
    inputs = keras.Input((40, 2))
    (tmp_path / "page.html").write_text(made(keras.Model(inputs, layers.Conv1D(2, 5, name="c")(inputs))))
    with watched(browser) as opened:
        opened.goto((tmp_path / "page.html").as_uri())
        assert "of 1×36 sees positions " in opened.locator("#said").inner_text().replace("–", "0")
