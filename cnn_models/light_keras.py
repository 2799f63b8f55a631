"""Imports Keras without the packages that it only draws in, which take as long as Keras itself."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

# Keras imports these packages if they are installed, for features that nothing here uses. Without them it starts in
# 3.7 s, with them in 5.4 s (CPU time).
EXTRAS = ("sklearn", "matplotlib", "pandas")


@contextlib.contextmanager
def without(packages: Iterable[str] = EXTRAS) -> Iterator[None]:
    """Makes the import of packages fail within the block, unless they are already imported."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]
