"""The demo page, as users meet it: served by its own command, opened in a real browser.

`DIGITS=200` draws so many test digits; the default is a quick look.
"""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_models
from demo import drawing, head
from demo.networks import DIGITS, REFERENCE, NetworkStore
from lab.data import cifar, datasets, quickdraw
from lab.learn.alterations import altered
from tests.support import pens
from tests.support.pages import watched
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]
READY = re.compile(r"http://127\.0\.0\.1:\d+/")
COUNT = int(os.environ.get("DIGITS", "15"))
PAPER = "[data-tab=digits] .paper canvas"
DRAW = """([canvas, strokes]) => {
  const box = canvas.getBoundingClientRect(), scale = box.width / canvas.width;
  const send = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, isPrimary: true, bubbles: true, button: 0,
    clientX: box.left + x * scale, clientY: box.top + y * scale }));
  for (const stroke of strokes) {
    send("pointerdown", stroke[0]);
    for (const point of stroke) send("pointermove", point);
    send("pointerup", stroke.at(-1));
  }
}"""
PASTE = """async ([width, height]) => {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "black";
  context.fillRect(width * 0.45, height * 0.1, width * 0.1, height * 0.8);
  const transfer = new DataTransfer();
  transfer.items.add(new File([await canvas.convertToBlob()], "one.png", { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""
TABS = {"Digits": "digits", "Doodles": "doodles", "Photographs": "photographs", "Edges to digit": "edges"}
SEVEN = [[(80, 70), (200, 70), (130, 230)]]
ONE = [[(140, 40), (140, 240)]]
CALLS = "**/component_server/"  # where the page's calls go


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page's address. The command serves it for all tests of this file."""
    empty = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "demo", "--results", str(empty)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        lines = iter(server.stdout.readline, "")
        found = next((match for line in lines if (match := READY.search(line))), None)
        assert found, "the command ended without saying where the page is"
        yield found[0]
        server.terminate()


@pytest.fixture
def page(browser, address):
    with watched(browser) as opened:
        visit(opened, address)
        yield opened


def visit(page, address):
    page.goto(address)
    page.wait_for_selector("[data-tab=digits] .network option", state="attached", timeout=1000 * SECONDS)
    settled(page)


def settled(page, tab="digits"):
    """Waits until a tab shows the answers to all its requests."""
    page.wait_for_selector(f"[data-tab={tab}][aria-busy=false]", timeout=1000 * SECONDS)


def draw(page, strokes, tab="digits"):
    panel = page.locator(f"[data-tab={tab}]")
    panel.get_by_role("button", name="Clear").click()
    page.evaluate(DRAW, [panel.locator(".paper canvas").element_handle(), strokes])
    settled(page, tab)


def answers(page):
    settled(page)
    return [panel.get_attribute("data-answer") for panel in page.locator("[data-tab=digits] .network").all()]


def input_of(page):
    """The input of a network of 28×28 for the drawing on the page."""
    ink = drawing.read(page.locator(PAPER).evaluate("canvas => canvas.toDataURL()"))
    return drawing.normalise(ink).pixels[None, ..., None].astype("float32") / 255 - 0.5


def on_paper(page, points):
    box = page.locator(PAPER).bounding_box()
    return [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in points]


def test_a_digit_is_read_and_every_layer_is_shown(page):
    draw(page, SEVEN)
    assert answers(page) == ["7", "7"]
    store = NetworkStore([REFERENCE])
    for panel, name in zip(page.locator(".network").all(), store.names(DIGITS), strict=True):
        network = store.open(name)
        shown = panel.locator("h3").all_text_contents()
        assert shown == ["what it sees ", *(f"{layer.name} {type(layer).__name__}" for layer in network.layers)]
        logits = np.asarray(network.model(input_of(page)))[0].astype(float)
        percent = 100 * np.exp(logits[7]) / np.exp(logits).sum()
        said = re.fullmatch(r"7, with (\d+\.\d) %", panel.locator(".answer").inner_text())
        # Written to a decimal; the logits are float32, in which the networks add up to a thousand numbers.
        assert float(said[1]) == pytest.approx(percent, abs=0.05 + 0.01)
        heights = panel.locator(".bar i").evaluate_all("bars => bars.map(bar => parseFloat(bar.style.height))")
        assert sum(heights) == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize("layer", ["c1", "s2", "c3", "s4", "c5", "f6"])
def test_pointing_at_a_unit_shows_its_field_and_computation(page, layer):
    draw(page, SEVEN)
    panel = page.locator(".network").first
    maps = panel.locator(".layer", has=page.locator("h3", has_text=re.compile(f"^{layer} "))).locator("canvas")
    box = maps.bounding_box()
    maps.hover(position={"x": box["width"] * 0.2, "y": box["height"] * 0.8})
    page.wait_for_selector(".unit .sum")
    settled(page)
    title = page.locator(".unit h3").inner_text()
    numbers = [int(word) for word in re.findall(r" (\d+)", title)]
    assert title.startswith(f"{layer}, ")
    index = [*numbers[1:], numbers[0]] if len(numbers) == 3 else numbers
    model = cnn_models.open_model(str(next(REFERENCE.glob("runs/lenet/*.keras"))))
    field = cnn_models.receptive_field(model, model.get_layer(layer)).unit((*index[:-1], 0, 0)[:2])
    (top, bottom), (left, right) = field
    seen = page.locator(".unit .seen").inner_text()
    assert seen.startswith(f"sees rows {top}–{bottom}, columns {left}–{right} of the picture")
    layers = model.layers[: [one.name for one in model.layers].index(layer) + 1]
    value = input_of(page)
    for one in layers:
        value = one(value)
    said = page.locator(".unit .sum").inner_text().replace("−", "-")
    number = re.findall(r"-?\d+\.\d+", said)[-1]
    shown = len(number.partition(".")[2])
    assert shown >= 1  # as many as are the same in two ways of computing it, see `inside.decimals`
    # Written to so many decimals, and up to a thousand float32 numbers, about 1, added up in another order.
    assert float(number) == pytest.approx(float(np.asarray(value)[(0, *index)]), abs=0.5 * 10**-shown + 1e-4)
    assert_marked(page, field)


def assert_marked(page, field):
    """Checks that the frame on the drawing surrounds the pixels of the field."""
    picture = drawing.normalise(drawing.read(page.locator(PAPER).evaluate("canvas => canvas.toDataURL()")))
    paper, mark = page.locator(PAPER).bounding_box(), page.locator(".field").bounding_box()
    for axis, (corner, side) in enumerate((("y", "height"), ("x", "width"))):
        shown = paper[side] / drawing.CANVAS
        first = picture.origin[axis] + field[axis][0] * picture.scale[axis]
        assert mark[corner] - paper[corner] == pytest.approx(first * shown, abs=1)
        count = field[axis][1] - field[axis][0] + 1
        assert mark[side] == pytest.approx(count * picture.scale[axis] * shown, abs=1)


def test_arrow_keys_move_the_digit_and_the_fully_connected_net_fails(page):
    draw(page, SEVEN)
    page.locator(PAPER).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    settled(page)
    assert page.locator(".status").first.inner_text() == "moved 0 down, 6 right"
    assert answers(page)[1] != "7"
    captions = page.locator(".network").first.locator(".layer .caption").all_text_contents()
    assert [caption for caption in captions if "moved along 1.00" in caption]
    page.keyboard.press("Home")
    assert answers(page) == ["7", "7"]
    page.get_by_role("button", name="move down").click()
    settled(page)
    assert page.locator(".status").first.inner_text() == "moved 1 down, 0 right"


@pytest.mark.parametrize("pointer", ["mouse", "pen", "touch"])
def test_every_pointer_draws(browser, address, pointer):
    with watched(browser, touch=pointer == "touch") as page:
        visit(page, address)
        devtools = page.context.new_cdp_session(page)
        points = on_paper(page, [(80, 70), (140, 70), (200, 70), (165, 150), (130, 230)])
        kinds = ["Start" if pointer == "touch" else "Pressed", *["Move" if pointer == "touch" else "Moved"] * 4]
        for kind, (x, y) in zip(kinds, points, strict=True):
            if pointer == "touch":
                devtools.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": [{"x": x, "y": y}]})
            else:
                pressed = {"button": "left", "buttons": 1, "clickCount": 1, "pointerType": pointer}
                devtools.send("Input.dispatchMouseEvent", {"type": f"mouse{kind}", "x": x, "y": y, **pressed})
        assert answers(page)[0] == "7"


def test_the_page_works_with_the_keyboard_only(page):
    page.locator(PAPER).focus()
    page.keyboard.press("3")
    assert answers(page)[0] == "3"
    first = page.locator(".network").first.locator("canvas.maps").nth(1)
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    settled(page)
    assert page.locator(".unit h3").inner_text() == "c1, map 0, row 1, column 1"
    page.locator(PAPER).focus()
    page.keyboard.press("Delete")
    assert answers(page) == ["", ""]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_fits_narrow_and_wide_light_and_dark_screens(browser, address, width, scheme):
    with watched(browser, width, scheme) as page:
        visit(page, address)
        draw(page, SEVEN)
        assert answers(page) == ["7", "7"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []
        assert page.locator("body").evaluate("e => e.classList.contains('dark')") == (scheme == "dark")


def test_empty_and_full_drawings_are_answered(page):
    assert answers(page) == ["", ""]
    assert "Nothing is drawn yet" in page.locator(".status").first.inner_text()
    page.locator(".network").first.locator("canvas.maps").nth(1).hover()
    settled(page)
    draw(page, [[(0, y), (280, y)] for y in range(0, 281, 10)])
    assert all(answers(page))
    sure = page.locator(".answer").first.inner_text()
    assert 0 < float(re.findall(r"[\d.]+ %", sure)[0][:-2]) <= 100
    draw(page, SEVEN)
    assert answers(page)[0] == "7"


def test_a_huge_picture_is_pasted(page):
    page.evaluate(PASTE, [6000, 6000])
    page.wait_for_selector(".network[data-answer='1']", timeout=1000 * SECONDS)
    settled(page)
    page.evaluate(
        "document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: (t => (t.items.add(new File("
        "[new Uint8Array(21e6)], 'a.png', { type: 'image/png' })), t))(new DataTransfer()) }))"
    )
    page.wait_for_selector("text=too large")
    page.evaluate(
        "document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: (t => (t.items.add(new File("
        "['no picture'], 'a.png', { type: 'image/png' })), t))(new DataTransfer()) }))"
    )
    page.wait_for_selector("text=not a picture")
    draw(page, SEVEN)
    assert answers(page)[0] == "7"


def test_a_large_request_and_a_file_are_refused(page, address):
    assert page.request.post(f"{address}gradio_api/call/x", data=b"x" * 2_000_000).status == 413
    file = {"name": "a.keras", "mimeType": "application/zip", "buffer": b"PK"}
    assert page.request.post(f"{address}gradio_api/upload", multipart={"files": file}).status == 413


def test_thousands_of_events_per_second_cause_few_requests(page):
    page.get_by_role("button", name="Clear").click()
    zigzag = [[(140 + 100 * np.sin(i / 7), 140 + 100 * np.cos(i / 11)) for i in range(5_000)]]
    asked = len(page.requests)
    page.evaluate(DRAW, [page.locator(PAPER).element_handle(), zigzag])
    assert all(answers(page))
    assert len(page.requests) - asked < 50
    draw(page, SEVEN)
    assert answers(page)[0] == "7"


def test_two_people_draw_at_the_same_time(browser, address):
    with watched(browser) as one, watched(browser) as other:
        for page in (one, other):
            visit(page, address)
        for _ in range(3):
            for page, strokes in ((one, SEVEN), (other, ONE)):
                page.evaluate(DRAW, [page.locator(PAPER).element_handle(), strokes])
            assert answers(one)[0] == "7"
            assert answers(other)[0] == "1"


def test_on_a_narrow_screen_a_unit_is_explained_below_its_layer_and_stays_there(browser, address):
    with watched(browser, 390) as page:
        visit(page, address)
        draw(page, SEVEN)
        layer = page.locator(".network").first.locator(".layer").nth(1)
        for strokes in (SEVEN, ONE):
            draw(page, strokes)
            layer.locator("canvas").hover(position={"x": 20, "y": 20})
            page.wait_for_selector(".layer + .unit .sum")
            settled(page)
            assert layer.locator("xpath=following-sibling::*[1]").get_attribute("class") == "unit"
            assert page.locator(".unit h3").inner_text().startswith("c1, ")
        page.locator(".network select").first.select_option(index=1)
        settled(page)
        assert answers(page) == ["1", "1"]
        assert page.locator(".unit h3").count() == 0


@pytest.mark.parametrize(("tab", "shown"), [("digits", ".layer"), ("doodles", ".answers li"), ("edges", ".answer")])
def test_a_lost_request_is_repeated_and_a_missing_answer_is_reported(page, tab, shown):
    panel = page.locator(f"[data-tab={tab}]")
    page.get_by_role("tab", name=re.compile(tab, re.IGNORECASE)).click()
    settled(page, tab)
    draw(page, SEVEN, tab)
    before = panel.locator(shown).all_inner_texts()
    assert any(before)
    page.route(CALLS, lambda route: route.abort(), times=1)
    draw(page, SEVEN, tab)
    assert panel.locator(shown).all_inner_texts() == before
    page.route(CALLS, lambda route: route.abort())
    draw(page, ONE, tab)
    assert panel.locator(".status").inner_text() == "The server does not answer."
    assert not any(panel.locator(shown).all_inner_texts())
    page.unroute(CALLS)
    draw(page, SEVEN, tab)
    assert panel.locator(shown).all_inner_texts() == before
    assert all("ERR_FAILED" in problem for problem in page.problems)
    page.problems.clear()


def test_a_page_without_its_lists_reports_it(browser, address):
    with watched(browser) as page:
        page.route(CALLS, lambda route: route.abort())
        page.goto(address)
        for name, tab in TABS.items():
            page.get_by_role("tab", name=name).click()
            settled(page, tab)
            assert page.locator(f"[data-tab={tab}] .status").inner_text() == "The server does not answer."
        page.problems.clear()


def test_a_tab_that_loads_its_networks_says_so_and_the_page_says_what_it_is(browser, address):
    with watched(browser) as page:
        held = []
        page.route(CALLS, lambda route: held.append(route))
        page.goto(address)
        for name, tab in TABS.items():
            page.get_by_role("tab", name=name).click()
            panel = page.locator(f"[data-tab={tab}]")
            assert panel.locator(".status").inner_text() == "Loading the networks …"
            assert "Draw one of these: ." not in panel.inner_text()
        assert page.title() == head.TITLE
        said = page.locator("meta[property], meta[name]").evaluate_all("all => all.map(meta => meta.content).join(' ')")
        assert head.DESCRIPTION in said
        assert "radio" not in said
        assert held  # what the tabs still wait for


def test_photographs(page, tmp_path):
    page.get_by_role("tab", name="Photographs").click()
    tab = page.locator("[data-tab=photographs]")
    settled(page, "photographs")
    assert tab.locator(".answer").inner_text().endswith("(it is: cat)")
    box = tab.locator(".sheet").bounding_box()
    tab.locator(".sheet").click(position={"x": 0.15 * box["width"], "y": 0.85 * box["height"]})
    settled(page, "photographs")
    pixels = "canvas => [...canvas.getContext('2d').getImageData(0, 0, 32, 32).data]"
    shown = lambda where: np.array(tab.locator(where).evaluate(pixels), "uint8").reshape(32, 32, 4)[..., :3]  # noqa: E731
    ship = cifar.sample()[8, 1]
    for where in (".paper canvas", "canvas.own"):
        np.testing.assert_array_equal(shown(where), ship)
    assert tab.locator(".answers li").count() == 10
    maps = tab.locator(".layer", has=page.locator("h3", has_text=re.compile("^conv2 "))).locator("canvas")
    maps.hover(position={"x": 20, "y": 20})
    page.wait_for_selector("[data-tab=photographs] .unit .sum")
    settled(page, "photographs")
    assert tab.locator(".unit h3").inner_text().startswith("conv2, map 0, ")
    assert tab.locator(".unit .seen").inner_text().endswith("5×5 pixels")
    paper, mark = (tab.locator(where).bounding_box() for where in (".paper canvas", ".field"))
    assert mark["width"] == pytest.approx(5 * paper["width"] / 32, abs=1)
    tab.locator(".how").select_option("edges")
    settled(page, "photographs")
    np.testing.assert_array_equal(shown(".paper canvas"), altered(ship[None], "edges", 0)[0])
    red = tmp_path / "red.png"
    Image.new("RGB", (90, 60), "red").save(red)
    tab.locator("input[type=file]").set_input_files(red)
    page.wait_for_function("document.querySelector('[data-tab=photographs] .paper canvas').title === ''")
    settled(page, "photographs")
    assert (shown("canvas.own") == [255, 0, 0]).all()
    assert "it is" not in tab.locator(".answer").inner_text()


def test_doodles(page):
    page.get_by_role("tab", name="Doodles").click()
    tab = page.locator("[data-tab=doodles]")
    settled(page, "doodles")
    assert tab.locator(".status").inner_text() == "Nothing is drawn yet."
    right = 0
    for _ in range(len(quickdraw.SAMPLE)):
        tab.get_by_role("button", name="Example").click()
        settled(page, "doodles")
        top = tab.locator(".answers li").all_text_contents()
        assert len(top) == 3
        assert tab.locator(".like canvas").count() == 6
        right += top[0].startswith(f"{tab.locator('.paper canvas').get_attribute('title')},")
    assert right >= 8
    draw(page, [[(140 + 100 * np.cos(i / 8), 140 + 100 * np.sin(i / 8)) for i in range(60)]], "doodles")
    assert len(tab.locator(".answers li").all()) == 3
    storm = [[(140 + 100 * np.sin(i / 7), 140 + 100 * np.cos(i / 11)) for i in range(20_000)]]
    draw(page, storm, "doodles")
    assert tab.locator(".status").inner_text() == ""
    tab.locator(".paper canvas").focus()
    page.keyboard.press("Delete")
    settled(page, "doodles")
    assert tab.locator(".answers li").count() == 0


def test_edges(page):
    page.get_by_role("tab", name="Edges to digit").click()
    tab = page.locator("[data-tab=edges]")
    settled(page, "edges")
    assert tab.locator(".status").inner_text() == "Nothing is drawn yet."
    draw(page, [[(90, 60), (190, 60), (190, 90), (140, 230), (100, 230), (145, 95), (90, 95), (90, 60)]], "edges")
    assert tab.locator(".answer").inner_text().startswith("read as 7, ")
    tab.locator(".paper canvas").focus()
    right = 0
    for digit in "0123456789":
        page.keyboard.press(digit)
        settled(page, "edges")
        right += tab.locator(".answer").inner_text().startswith(f"read as {digit}, ")
    assert right >= 8


def test_real_digits_drawn_stroke_by_stroke_are_read_as_well_as_the_test_set(page):
    test = datasets.load("mnist").test
    right, waits = 0, []
    for number in range(COUNT):
        draw(page, pens.strokes(test.images[number, ..., 0]))
        waits.append(page.evaluate("performance.getEntriesByName('look')[0].duration"))
        right += answers(page)[0] == str(test.labels[number])
    took = statistics.median(waits)
    print(f"{right} of {COUNT} digits read; stroke to picture {took:.0f} ms in the median, {max(waits):.0f} at most")
    record = next(iter(NetworkStore([REFERENCE]).names(DIGITS).values()))
    error = float(re.search(r"misreads ([\d.]+) %", record)[1])
    assert right >= int(COUNT * (100 - error - 2) / 100)
