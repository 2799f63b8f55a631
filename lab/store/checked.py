"""Values in JSON files with a checksum: written atomically, and read only if they are intact."""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from lab.declare.run import canonical
from lab.store.files import sync, write_whole


def write(path: Path, value: Any) -> None:
    """Writes a value atomically, in the format of `content`."""
    write_whole(path, lambda part: part.write_bytes(content(value)))


def content(value: Any) -> bytes:
    """The bytes of a file: a JSON object with the SHA-256 of the value's canonical JSON, then the value itself."""
    body = canonical(value)
    return _opening(hashlib.sha256(body).hexdigest()) + body + b"}"


def read(path: Path) -> Any:
    """Reads and verifies a value that `write` has written; None if there is no file. A damaged file is set aside."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    start = len(_opening("0" * 64))
    body = found[start:-1]
    # The checksum covers the bytes, so it also detects a flipped bit that leaves the JSON equal, as in white space.
    if found[:start] + found[-1:] == _opening(hashlib.sha256(body).hexdigest()) + b"}":
        with contextlib.suppress(ValueError, RecursionError):  # a right checksum does not imply valid JSON
            if (value := json.loads(body)) is not None:
                return value
    set_aside(path, "not a whole record")
    return None


def _opening(checksum: str) -> bytes:
    return b'{"checksum":"%s","record":' % checksum.encode()


def set_aside(path: Path, reason: str) -> None:
    """Renames an invalid file, so that it is no longer counted, and prints why."""
    aside = path.with_name(f"{path.name}.set-aside")
    try:
        os.replace(path, aside)
    except FileNotFoundError:  # another process has just set it aside
        return
    except OSError as error:  # the folder is not writable, or something that stays has the new name
        print(f"{path}: {reason}. It cannot be set aside ({error.strerror}); it is not counted.", file=sys.stderr)
        return
    sync(path.parent)
    print(f"{path}: {reason}. Set aside as {aside.name}; it is not counted.", file=sys.stderr)
