"""Writes anew what is made from the code: `python -m tests.support.renew`.

These are the page of all files, the parts of pages between marks, the page of our own runs, and the places for new
texts in the catalogues of languages.
"""

from lab.report import language, reference
from tests.support import catalogues, layout


def renew():
    """Writes all of it. What is translated stays."""
    layout.PAGE.write_text(layout.page())
    reference.write_pages()
    for code in {*language.codes()} - {language.SOURCE}:
        catalogues.write(code)


if __name__ == "__main__":
    renew()
