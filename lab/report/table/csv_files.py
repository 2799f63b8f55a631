"""Tables as CSV files: written whole, and read with one clear error."""

from pathlib import Path

import pandas as pd

from lab.errors import UsageError
from lab.store.files import sole_writer, write_whole


def write(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table whole, under a lock that all writers of its folder share.

    A file that has this content already keeps its time, so that its figure is known to be current.
    """
    with sole_writer(path.parent):
        replace(frame, path)


def replace(frame: pd.DataFrame, path: Path) -> None:
    """As `write`; the caller holds the lock."""
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, lambda part: part.write_bytes(content))


def read(path: Path) -> pd.DataFrame:
    """A table as it was written.

    Raises:
        UsageError: the file is no table; the message says how to make it anew.
    """
    try:
        return pd.read_csv(path)
    except ValueError as error:  # as all errors of pandas's parser, and of decoding
        reason = str(error).strip().splitlines()[-1]
        raise UsageError(f"{path} is no table ({reason}): make it anew, by make tables.") from error
