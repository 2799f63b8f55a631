"""Writes files atomically: a file is complete or absent, however the process ends."""

import os
from collections.abc import Callable
from pathlib import Path

import filelock


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file atomically: at every moment it has either its old content or the complete new one.

    Writes the content to a temporary file in the same folder, syncs it to disk, renames it, and syncs the folder.
    Only one process may write at a time, so the caller holds a lock. The temporary file of a killed writer is
    overwritten.

    Args:
        path: the file; its folder exists.
        write: called with the path of the temporary file, which has the same suffix as `path`; writes the content.

    Raises:
        OSError: the disk is full or the folder cannot be written. The old content of `path` remains.
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
    """The lock for writing tables, figures and pages in a results folder. The folder is created if it is missing.

    It is reentrant: a function that holds it may call others that take it too. So tables and figures of the same
    records can be written under one lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder.resolve() / ".tables.lock", is_singleton=True)


def sync(path: Path) -> None:
    """Syncs the content of a file, or the names in a folder, to the disk, so that they survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
