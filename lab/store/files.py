"""Files that are there whole or not at all, whatever ends the process."""

import os
from collections.abc import Callable
from pathlib import Path

import filelock


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file so that at every moment its name holds the old content or the new, never a part.

    The content goes to a temporary file in the same folder, then to the disk, then under its name,
    then the folder goes to the disk. One writer at a time: the caller holds a lock. What an earlier,
    killed writer left is overwritten.

    Args:
        path: the file; its folder exists.
        write: writes the content to the path it is given, which has the same ending as `path`.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is as it was.
    """
    part = path.with_name(f".part-{path.name}")
    try:
        write(part)
        sync(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sole_writer(folder: Path) -> filelock.BaseFileLock:
    """The lock of whoever writes tables, figures and pages in a results folder, which is made where it is missing.

    Who holds it may take it again: what is written together, from the same records, holds it throughout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder.resolve() / ".tables.lock", is_singleton=True)


def sync(path: Path) -> None:
    """Sends a file's content, or a folder's names, to the disk, so that they survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
