"""Error messages for names that do not exist, with the most similar names."""

import difflib
import re
from collections.abc import Iterable


def unknown(kind: str, name: str, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """The message for a name that does not exist: similar names first, then all known ones.

    Args:
        kind: what the name should denote, as "model".
        name: the name the user gave.
        known: all valid names.
        others: more valid names, too many to list; they are only suggested.

    Returns:
        `Unknown model 'lenet6'. Did you mean lenet5? Known: fc-300, lenet1, lenet5.`
    """
    known = list(known)
    return f"Unknown {kind} '{name}'.{did_you_mean(name, [*known, *others])} Known: {', '.join(sorted(known))}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean …?` with a leading space; empty if no known name is similar."""
    similar = nearest(name, known)
    return f" Did you mean {' or '.join(similar)}?" if similar else ""


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The names that equal this one up to case and punctuation; otherwise up to three similar names."""
    plain: dict[str, list[str]] = {}
    for each in known:
        plain.setdefault(_plain(each), []).append(each)
    same = plain.get(_plain(name))
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.5)
    return same or [each for one in near for each in plain[one]][:3]


def _plain(name: str) -> str:
    """A name in lower case, its letters and digits only, without the module of Keras's networks."""
    return re.sub(r"^.*\bapplications\.|[\W_]", "", name).lower() or name
