"""The languages of the report: sentences from gettext catalogues, numbers as each language writes them.

English is the source. A sentence with values in it is a `Said`, which is its English text and remembers what it was
made of; a `Language` says it again in its own words. Catalogues are `languages/<code>.po` beside this file;
`python -m tests.support.catalogues` adds to them what is new, and a test finds what is missing or out of date.
"""

import gettext
import io
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.errors import UsageError

CATALOGUES = Path(__file__).with_name("languages")
SOURCE = "en"


class Said(str):
    """An English text that remembers what it was made of.

    Attributes:
        template: the sentence with places for values, as of `str.format`.
        values: what is in these places: numbers, names (`str`, the same in all languages), and further `Said`.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> "Said":
        """The text of a template with its values."""
        made = super().__new__(cls, ENGLISH.filled(template, values))
        made.template, made.values = template, values
        return made


class Number(str):
    """A number that is rounded already, written as in English: `1,234.5`."""

    __slots__ = ()


class Language:
    """Says texts in one language.

    Attributes:
        code: of the language, as `ru`.
    """

    def __init__(self, code: str, translate: Callable[[str], str], marks: Mapping[int, str]) -> None:
        """Takes what translates a template, and the marks of numbers in place of the English ones."""
        self.code = code
        self._translate = translate
        self._marks = marks

    def say(self, text: str) -> str:
        """A text in this language: what was said with values again, another as the catalogue has it."""
        if isinstance(text, Said):
            return self.filled(self.translated(text.template), text.values)
        return self.number(text) if isinstance(text, Number) else self.translated(text)

    def translated(self, template: str) -> str:
        """A sentence of the catalogue; what it does not have stays."""
        return self._translate(template) if template else ""

    def filled(self, template: str, values: Mapping[str, Any]) -> str:
        """A template with values in its places."""
        return _Places(self).vformat(template, (), values)

    def number(self, text: str) -> str:
        """A number with the marks of this language, from an English one."""
        return text.translate(self._marks)


class _Places(string.Formatter):
    """Fills the places of a template in a language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, spec: str) -> str:
        """A value for its place. One with a method `said` is asked for its words."""
        if hasattr(value, "said"):
            value, spec = value.said(spec), ""
        if isinstance(value, Said | Number):
            return self.language.say(value)
        if isinstance(value, str):
            return value
        return self.language.number(format(value, spec))


ENGLISH = Language(SOURCE, str, {})


def joined(texts: Sequence[str], between: str) -> Said:
    """Several texts as one, with the same signs between them in all languages."""
    names = [f"text{number}" for number in range(len(texts))]
    return Said(between.join(f"{{{name}}}" for name in names), **dict(zip(names, texts, strict=True)))


def of(code: str) -> Language:
    """The language with this code.

    Raises:
        UsageError: there is no catalogue of it.
    """
    if code == SOURCE:
        return ENGLISH
    path = CATALOGUES / f"{code}.po"
    if code not in codes():
        raise UsageError(f"There is no language '{code}': choose {' or '.join(codes())}.")
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.numbers import get_decimal_symbol, get_group_symbol

    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, code))
    compiled.seek(0)
    marks = {ord(","): get_group_symbol(code), ord("."): get_decimal_symbol(code)}
    return Language(code, gettext.GNUTranslations(compiled).gettext, marks)


def codes() -> list[str]:
    """The languages there are, English first."""
    return [SOURCE, *sorted(path.stem for path in CATALOGUES.glob("*.po"))]
