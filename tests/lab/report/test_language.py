"""The languages of the report: catalogues are whole and true to the English, and say numbers their own way."""

import shutil
import string
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.report import language, page
from lab.report.language import ENGLISH, Number, Said, joined
from tests.support import catalogues
from tests.support.pages import watched

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
CODES = [code for code in language.codes() if code != language.SOURCE]


def test_there_is_one_to_read_aloud():
    assert "ru" in CODES


@pytest.mark.parametrize("code", CODES)
def test_a_catalogue_has_every_text_and_no_other(code):
    """After a change: python -m tests.support.catalogues, then translate what is empty."""
    kept = {message.id: message.string for message in catalogues.read(code) if message.id}
    wanted = catalogues.messages()
    assert [text for text in wanted if text not in kept] == []
    assert [text for text in kept if text not in wanted] == []
    assert [text for text, words in kept.items() if not words] == []


def places(template):
    """What is put into a template: the places, each with how it is said."""
    return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(template) if name is not None)


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_places_of_its_text(code):
    for message in catalogues.read(code):
        if message.id:
            assert places(message.string) == places(message.id), message.id


def test_what_is_said_is_its_english_text_and_can_be_said_again():
    words = {"{count} of {what}": "{what}: {count}", "pixels": "точки"}
    spoken = language.Language("xx", lambda template: words.get(template, template), {ord(","): " "})
    said = Said("{count} of {what}", count=Number("1,234"), what=Said("pixels"))
    assert said == "1,234 of pixels"
    assert ENGLISH.say(said) == said
    assert spoken.say(said) == "точки: 1 234"
    assert joined([said, "a"], "; ") == "1,234 of pixels; a"
    assert spoken.say(joined([said, "a"], "; ")) == "точки: 1 234; a"


def test_numbers_have_the_marks_of_the_language():
    assert language.of("ru").number("1,234.5") == "1\u00a0234,5"
    assert ENGLISH.number("1,234.5") == "1,234.5"


def test_an_unknown_language_is_named_with_those_there_are():
    with pytest.raises(UsageError, match="no language 'xx': choose en or ru"):
        language.of("xx")


@pytest.mark.parametrize("width", [390, 1400])
def test_the_russian_report_opens_whole(tmp_path, browser, width):
    shutil.copytree(
        REFERENCE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("runs", "networks", "demo", "rates")
    )
    written = page.write(tmp_path, language.of("ru"))
    assert written.name == "report-ru.html"
    with watched(browser, width) as opened:
        opened.goto(written.as_uri())
        assert opened.evaluate("document.documentElement.lang") == "ru"
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        text = opened.locator("body").inner_text()
        assert "Утверждения лекции" in text
        # What is said in sentences is Russian; English are names, sources and the words of figures.
        for words in ("true by construction", "Where it stops holding", "seeds and pictures"):
            assert words not in text
