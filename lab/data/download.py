"""Downloads of large files: resumable, verified, and under their names only when they are whole.

Beside a file lies a note, `<name>.json`, with the length, MD5 and SHA-256 that it had when it was fetched or made. Its
whole content is compared with the note each time it is asked for (`known`): by SHA-256, for which processors have
instructions (1.4 GB/s on one core of ours, MD5 0.5); the MD5 is what servers publish.
"""

import base64
import dataclasses
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from lab.errors import UsageError
from lab.store.files import sync, write_whole

PIECE = 1 << 20  # bytes
TIMEOUT = (5, 30)  # seconds without a connection to an address, and without an answer on one
ATTEMPTS = 4  # in a row that bring nothing
IDENTITY = {"Accept-Encoding": "identity"}  # so that lengths and hashes are of the file itself

OnProgress = Callable[[str, int, int], None]  # name of a file, bytes that are there, bytes in all


def no_progress(name: str, done: int, total: int) -> None:
    """Shows nothing."""


def cache_folder() -> Path:
    """Where fetched data are kept for this user (`CNN_CACHE` overrides it)."""
    chosen = os.path.expanduser(os.environ.get("CNN_CACHE", ""))  # with quotes around it, a shell leaves ~ as it is
    return Path(chosen or platformdirs.user_cache_dir("cnn-experiments"))


def announce(what: str, place: str) -> None:
    """Says what is asked for and where, before it is: a closed network answers late, if at all."""
    print(f"fetching {what} from {place} …", file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Remote:
    """What a server says of a file: its length in bytes, its version, and its MD5 (or "" where it gives none)."""

    url: str
    size: int
    version: str
    md5: str


def fetch(url: str, file: Path, check: Callable[[Path], None], on_progress: OnProgress = no_progress) -> str:
    """Fetches a file, unless it is there; goes on where an earlier call stopped.

    Args:
        url: where it is published.
        file: where it shall be; beside it, `<name>.json` keeps its address, length, MD5 and SHA-256.
        check: raises `ValueError` where the content is not what it should be.
        on_progress: called with the file, the bytes that are there and all bytes.

    Returns:
        The MD5 of its content, hexadecimal.

    Raises:
        UsageError: it cannot be had, or what came is not the published file; the message says why.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(file.with_name(f".lock-{file.name}")):
            if md5 := known(file):
                return md5
            set_aside(file, "its content is not what was fetched")
            return _fetch(url, file, check, on_progress)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error}. Set CNN_CACHE to another folder.") from error


def known(file: Path) -> str | None:
    """The MD5 of a file whose whole content is what its note says; None where it is not, or there is no note."""
    try:
        note = json.loads(_note(file).read_text())
        if file.stat().st_size != note["bytes"]:
            return None
        # Notes of earlier versions have no SHA-256.
        same = sha256_of(file) == note["sha256"] if "sha256" in note else _md5(file) == note["md5"]
        return str(note["md5"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def noted(file: Path) -> str | None:
    """The MD5 that a file's note says, whether or not the file is still that; None without a note."""
    try:
        return str(json.loads(_note(file).read_text())["md5"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_note(file: Path, content: Path, **more: str) -> str:
    """Notes what a file shall hold, before it is put under its name, and returns its MD5.

    Args:
        file: where it will be.
        content: where it is.
        more: what else the note says.
    """
    md5 = _md5(content)
    note = json.dumps(more | {"bytes": content.stat().st_size, "md5": md5, "sha256": sha256_of(content)})
    write_whole(_note(file), lambda path: path.write_text(note))
    return md5


def set_aside(file: Path, reason: str) -> None:
    """Renames a file that is not what it should be, and prints why; nothing where there is no file."""
    if not file.exists():
        return
    aside = file.with_name(f"{file.name}.corrupt")
    try:
        os.replace(file, aside)
        print(f"{file}: {reason}. Set aside as {aside.name}.", file=sys.stderr)
    except OSError:  # the folder is not ours, say Debian's
        print(f"{file}: {reason}. It is not used.", file=sys.stderr)


def forget(file: Path) -> None:
    """Removes a file that was fetched, and its note."""
    file.unlink(missing_ok=True)
    _note(file).unlink(missing_ok=True)


def _note(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def _fetch(url: str, file: Path, check: Callable[[Path], None], on_progress: OnProgress) -> str:
    remote = _ask(url)
    # A file that has changed on the server is another part: what is there of the old one is of no use.
    version = hashlib.sha256(remote.version.encode()).hexdigest()[:8]
    part = file.with_name(f".part-{version}-{file.name}")
    _complete(part, remote, file.name, on_progress)
    md5 = _md5(part)
    try:
        if remote.md5 not in ("", md5):
            raise ValueError(f"its MD5 is {md5}, published is {remote.md5}")
        check(part)
    except ValueError as error:
        part.unlink()
        raise UsageError(
            f"{url}: what came is not the published file: {error}. Call again to fetch it anew."
        ) from error
    sync(part)
    write_note(file, part, url=url)
    os.replace(part, file)
    sync(file.parent)
    return md5


def _ask(url: str) -> Remote:
    import requests

    try:
        answer = requests.head(url, headers=IDENTITY, timeout=TIMEOUT, allow_redirects=True)
        answer.raise_for_status()
        size = int(answer.headers["Content-Length"])
    except (requests.RequestException, KeyError, ValueError) as error:
        raise UsageError(f"{url} cannot be had: {type(error).__name__}: {error}. Put the network right.") from error
    etag = answer.headers.get("ETag", "").strip('"')
    return Remote(url, size, etag or str(size), _published_md5(answer.headers.get("x-goog-hash", ""), etag))


def _published_md5(hashes: str, etag: str) -> str:
    """Google's storage names hashes in base64, `crc32c=…, md5=…`; its ETag is often the MD5 itself."""
    if found := re.search(r"md5=([A-Za-z0-9+/]{22}==)", hashes):
        return base64.b64decode(found[1]).hex()
    return etag if re.fullmatch("[0-9a-f]{32}", etag) else ""


def _complete(part: Path, remote: Remote, name: str, on_progress: OnProgress) -> None:
    """Fetches what is missing of a part; an interrupted connection is taken up again."""
    import requests

    attempts = 0
    if part.exists() and part.stat().st_size > remote.size:
        part.unlink()
    while (have := part.stat().st_size if part.exists() else 0) < remote.size or not part.exists():
        try:
            for done in _append(part, remote, have):
                on_progress(name, done, remote.size)
        except (requests.RequestException, EOFError) as error:
            now = part.stat().st_size if part.exists() else 0
            attempts = 0 if now > have else attempts + 1
            if attempts == ATTEMPTS:
                raise UsageError(
                    f"{remote.url}: {type(error).__name__}: {error}. {now:,} of {remote.size:,} bytes are kept; "
                    "the same call goes on from there."
                ) from error


def _append(part: Path, remote: Remote, have: int) -> Iterator[int]:
    """Asks for the rest and writes it; gives the length so far after each piece."""
    import requests

    asked = IDENTITY | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(remote.url, headers=asked, stream=True, timeout=TIMEOUT) as answer:
        answer.raise_for_status()
        if have and answer.status_code != 206:  # a server without ranges sends it all
            have = 0
        with open(part, "ab" if have else "wb") as opened:
            for piece in answer.iter_content(PIECE):
                opened.write(piece[: remote.size - have])
                have = min(have + len(piece), remote.size)
                yield have
    if have < remote.size:
        raise EOFError(f"the connection ended after {have:,} of {remote.size:,} bytes")


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _md5(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, _md5_of_content).hexdigest()


def _md5_of_content() -> Any:
    return hashlib.md5(usedforsecurity=False)  # what the server publishes; it guards against accidents
