"""Files that are there whole or not at all, whatever ends the process."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes a file so that at every moment its name holds the old content or the new, never a part.

    The content goes to a temporary file in the same folder, then to the disk, then under its name,
    then the folder goes to the disk. One writer at a time: the caller holds a lock. What an earlier,
    killed writer left is overwritten.

    Args:
        path: the file; its folder exists.
        write: called with the open temporary file.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is as it was.
    """
    part = path.with_name(f".part-{path.name}")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
