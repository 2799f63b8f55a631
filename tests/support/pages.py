"""For browser tests: Debian's Chromium, and a page that records its problems and requests."""

import contextlib
import shutil

import pytest

from tests.support.waiting import SECONDS


@contextlib.contextmanager
def chromium():
    """Yields the browser; skips the test if it is not installed."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Debian's package chromium is not installed, so no browser opens the page")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@contextlib.contextmanager
def watched(browser, width=1400, scheme="light", touch=False):
    """Yields a new page. At the end, errors on its console fail the test. `page.requests` lists all requested URLs."""
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme, has_touch=touch)
    page.set_default_timeout(1000 * SECONDS)  # only to end a test that hangs
    page.problems, page.requests = [], []
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    yield page
    assert page.problems == []
    page.close()
