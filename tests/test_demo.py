"""The demo page, as users meet it: served by its own command, opened in a real browser."""

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.lab import data
from tests import pens
from tests.pages import chromium, watched

ROOT = Path(__file__).parent.parent
READY = re.compile(r"http://127\.0\.0\.1:\d+/")
DRAW = """([canvas, strokes]) => {
  const box = canvas.getBoundingClientRect(), scale = box.width / canvas.width;
  const send = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, isPrimary: true, bubbles: true, button: 0, clientX: box.left + x * scale, clientY: box.top + y * scale }));
  for (const stroke of strokes) {
    send("pointerdown", stroke[0]);
    for (const point of stroke) send("pointermove", point);
    send("pointerup", stroke.at(-1));
  }
}"""
SEVEN = [[(80, 70), (200, 70), (130, 230)]]


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page's address; the command serves it as long as the tests of this file run."""
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
        opened.goto(address)
        settled(opened)
        yield opened


def settled(page):
    """Waits until the page shows the answer to all that was asked."""
    page.wait_for_selector(".network option", state="attached", timeout=120_000)
    page.wait_for_selector("[aria-busy=false] .layer", timeout=60_000)


def draw(page, strokes):
    page.get_by_role("button", name="Clear").click()
    page.evaluate(DRAW, [page.locator(".paper canvas").element_handle(), strokes])
    settled(page)


def answers(page):
    return [panel.get_attribute("data-answer") for panel in page.locator(".network").all()]


def test_digits(page):
    test = data.load("mnist").test
    right = np.zeros(2)
    misses = []
    t = time.time()
    waits = []
    for i in range(200):
        draw(page, pens.strokes(test.images[i, ..., 0]))
        waits.append(page.evaluate("performance.getEntriesByName('look')[0].duration"))
        a = answers(page)
        right += [x == str(test.labels[i]) for x in a]
        if a[0] != str(test.labels[i]):
            misses.append((i, int(test.labels[i]), a))
    print(right, misses, time.time() - t, statistics.median(waits), max(waits))
