"""Names that do not exist: a message with the nearest ones."""

import difflib
import re
from collections.abc import Iterable


def unknown(kind: str, name: str, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """The message for a name that does not exist: the nearest ones, then all of them.

    Args:
        kind: what it should be a name of.
        name: what was asked for.
        known: all names.
        others: more names that may be meant, too many to list.
    """
    near = nearest(name, [*known, *others])
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"Unknown {kind} '{name}'.{hint} Known: {', '.join(sorted(known))}."


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The one name that differs in nothing but capitals and signs, else up to three that are like it."""
    plain: dict[str, list[str]] = {}
    for each in known:
        plain.setdefault(_plain(each), []).append(each)
    same = plain.get(_plain(name))
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.5)
    return same or [each for one in near for each in plain[one]][:3]


def _plain(name: str) -> str:
    """A name's letters and digits; those of Keras's networks without their module."""
    return re.sub(r"^.*\bapplications\.|[\W_]", "", name).lower() or name
