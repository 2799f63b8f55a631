"""The report, opened in a real browser, from results alone."""

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.report import page
from tests.support.kept import KEPT
from tests.support.pages import watched

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The report of our own runs."""
    folder = tmp_path_factory.mktemp("results")
    shutil.copytree(REFERENCE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("runs", "networks", "demo"))
    return page.write(folder)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_opens_without_errors_requests_or_sideways_scroll(written, browser, width, scheme):
    with watched(browser, width, scheme) as page:
        page.goto(written.as_uri())
        assert page.problems == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        figures = page.locator("figure svg")
        assert figures.count() == len(KEPT) + 1  # and the summary's
        for number in range(figures.count()):
            box = figures.nth(number).bounding_box()
            assert box["width"] > 300
            assert box["height"] > 100
        broken = "[...document.images].filter(image => !image.naturalWidth).length"
        assert page.evaluate(broken) == 0
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
        assert len(ids) == len(set(ids))
        targets = page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(link => link.hash.slice(1))")
        assert set(targets) <= set(ids)


def test_it_holds_every_claim_experiment_and_number(written):
    text = written.read_text()
    for name in KEPT:
        assert f"make {name}" in text
        assert all(variant in text for variant in pd.read_csv(REFERENCE / f"{name}.csv")["variant"])
    sections = [part.partition("</section>")[0] for part in text.split("<section")[1:]]
    assert len(sections) == len(CLAIMS)
    contents = text[text.index("<nav") : text.index("</nav>")]
    for (name, claim), section in zip(CLAIMS.items(), sections, strict=True):
        assert f'href="#claim-{name}"' in contents
        assert html.escape(claim.slide) in section
        assert html.escape(claim.statement) in section
        checked = [one.name for one in catalogue.whole() if any(each.claim == name for each in one.evidence)]
        assert section.count("<details>") == len(checked)
        named = all(f"How {one} checked it: " in section for one in checked)
        assert named if len(checked) > 1 else ("How it was checked" in section) == bool(checked)


def test_every_claim_that_is_judged_has_its_answer_and_every_figure_stands_once(written):
    text = written.read_text()
    frame = pd.read_csv(written.parent / "claims.csv", keep_default_na=False)
    judged = frame[frame["verdict"] != "not judged"]
    assert len(judged) > 20
    for _, claim in judged.iterrows():
        section = text[text.index(f'<section class="claim" id="claim-{claim["claim"]}">') :].split("</section>")[0]
        said = html.unescape(re.sub("</?span[^>]*>", "", section)).replace("\u00a0", " ")
        assert claim["answer"] in said
        assert claim["verdict"] in section
    assert text.count("<figure") == len(KEPT) + 1
    assert "convolution-5x5-300" in text[text.index('id="networks"') :].split("</table>")[0]


def test_words_of_a_table_cannot_become_code(tmp_path):
    source = (REFERENCE / "lenet.csv").read_text()
    (tmp_path / "lenet.csv").write_text(source.replace("lenet5-1998", "<script>alert(1)</script>"))
    text = page.write(tmp_path).read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_rows_that_are_shown_are_never_said_to_be_not_run(tmp_path):
    frame = pd.read_csv(REFERENCE / "lenet.csv")
    frame.assign(dataset="digits").to_csv(tmp_path / "lenet.csv", index=False)
    text = page.write(tmp_path).read_text()
    card = text[text.index('<section class="claim" id="claim-lenet"') :].split("</section>")[0]
    assert "lenet5-1998 was run on digits, and not on mnist" in card
    assert "not judged" in card
    section = text[text.index('<h3 id="lenet">') :].split("<h3")[1]
    assert f"digits; {frame['epochs'].min()} to {frame['epochs'].max()} epochs." in section
    assert "Not judged: all rows (on digits)." in section
    assert "Δ: difference from the baseline, lenet5, paired by seed." in section
    assert "not run" not in section.split("<h2")[0]
    assert "lenet5-1998 was not run" not in card  # of speedrun's rows, which bear on the claim too, it is true


def test_nothing_run_is_a_report_that_says_so(tmp_path):
    text = page.write(tmp_path).read_text()
    assert "Not run yet" in text
    assert "make lenet" in text


def test_it_needs_no_framework(tmp_path):
    shutil.copy(REFERENCE / "lenet.csv", tmp_path)
    code = (
        "import sys\nfrom lab.command.main import main\n"
        f"print(main(['report', '--results', {str(tmp_path)!r}]), 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip().splitlines()[-1] == "0 False False"
