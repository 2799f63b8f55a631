"""Records: one immutable JSON file a run, from which every table is made.

A record is written whole or not at all, carries a checksum, and is named after its run's
specification. What is not such a record is set aside and never counted. Nothing here imports
TensorFlow.
"""

import array
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from lab.declare.run import Run, canonical, key
from lab.store.files import sync, write_whole

Record = dict[str, Any]
KINDS = {".keras": "network", ".npz": "arrays"}  # what may lie beside a record, by its ending
FAILED = ".failed"
STATUSES = ("finished", "diverged", "failed")
WORDS = {
    str: "text",
    dict: "an object",
    int: "a whole number",
    list: "a list",
    float: "a number",
    bool: "true or false",
}


class Unwritable(OSError):
    """What a run gave cannot be kept: the disk is full, or the folder of results is not to be written to.

    No other OSError, as of a run's own pictures or connections, says anything of the runs to come.
    """


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A file beside a record: a trained network (`.keras`) or arrays that a figure needs (`.npz`).

    Attributes:
        ending: one of `KINDS`.
        save: writes the content to the path it is given.
    """

    ending: str
    save: Callable[[Path], object]


@dataclasses.dataclass(frozen=True)
class Records:
    """The records under one results folder."""

    results: Path

    def folder(self, experiment: str) -> Path:
        """Where the records of an experiment lie."""
        return self.results / "runs" / experiment

    def path(self, run: Run) -> Path:
        """The file of a run's record; the trained network lies beside it, ending in `.keras`."""
        return self.folder(run.experiment) / f"{run.key}.json"

    def find(self, run: Run) -> Record | None:
        """The record of this very specification and seed, if the run has ended (finished or diverged).

        One whose network or arrays are gone or damaged does not count, so that whoever asks makes them again.
        """
        record = _read(self.path(run))
        if not record or record["specification"] != run.specification():
            return None
        for kind in KINDS.values():
            if kind in record and not self._whole(record, kind):
                file = self._file(record, kind)
                print(f"{file}: gone or damaged, so its run counts as not done.", file=sys.stderr)
                return None
        return record

    def of(self, experiment: str) -> list[Record]:
        """All records of an experiment, failed runs too, in the order of their file names."""
        return list(self.each(experiment))

    def each(self, experiment: str) -> Iterator[Record]:
        """The same, one at a time: a million of them need not fit in memory together."""
        return (record for _, record in self.files(experiment))

    def files(self, experiment: str) -> Iterator[tuple[Path, Record]]:
        """The same, each with its file."""
        # A name that begins with a dot is a part that a killed writer left, whole or not: never a record.
        for path in sorted(self.folder(experiment).glob("[!.]*.json")):
            if self._outdated(path):
                continue
            try:
                record = _read(path)
            except OSError as error:  # one file that cannot be read must not keep the others from their table
                print(f"{path}: cannot be read ({error.strerror}). It is not counted.", file=sys.stderr)
                continue
            if record:
                yield path, record

    def experiments(self) -> list[str]:
        """Names of the experiments that have a folder of records here."""
        return sorted(path.name for path in (self.results / "runs").glob("[!.]*") if path.is_dir())

    def save(self, run: Run, outcome: Record, attached: Attachment | tuple[Attachment, ...] | None = None) -> Record:
        """Writes what is attached, then the record that names it: the record is what makes the run count.

        Args:
            run: what was run; the caller holds `lock(run)`.
            outcome: what came of it. Where a number in it is not finite, the run has diverged: the number is left out,
                as JSON has none such, and its name is in `not_finite`.
            attached: what to keep beside the record, at most one of a kind.

        Raises:
            Unwritable: it cannot be written.
            ValueError: the outcome is not what a record holds; nothing is written, as no table could count it.
        """
        path = self.path(run)
        record = {"specification": run.specification(), **_finite(outcome)}
        if wrong := fault(record):
            raise ValueError(f"this outcome makes no record: {wrong}")
        with storing(path):
            for attachment in (attached,) if isinstance(attached, Attachment) else attached or ():
                file = path.with_suffix(attachment.ending)
                write_whole(file, attachment.save)
                described = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
                record[KINDS[attachment.ending]] = described
            write(path, record)
            self._failed(run).unlink(missing_ok=True)
        return record

    def save_failed(self, run: Run, reason: str, last_lines: str, facts: Record | None = None) -> Record:
        """Records that a run failed and why, unless it has ended by now; a later call tries it again.

        Args:
            run: what was run; the caller holds `lock(run)`.
            reason, last_lines: why it failed, and what was printed last.
            facts: what else is known of it.

        Returns:
            The record that stands.

        Raises:
            Unwritable: it cannot be written.
        """
        if ended := self.find(run):  # by another call
            return ended
        record = {
            "specification": run.specification(),
            "status": "failed",
            "facts": facts or {},
            "metrics": {},
            "reason": reason,
            "last_lines": last_lines,
        }
        with storing(self._failed(run)):
            self.folder(run.experiment).mkdir(parents=True, exist_ok=True)
            write(self._failed(run), record)
        return record

    def attachment(self, record: Record, kind: str) -> Path:
        """The file of this kind beside a record.

        Raises:
            FileNotFoundError: it is not there, or its content is not what the record says.
        """
        path = self._file(record, kind)
        if not self._whole(record, kind):
            name = record["specification"]["experiment"]
            raise FileNotFoundError(f"{path} is gone or damaged; `make {name}` with the same words makes it again")
        return path

    def lock(self, run: Run) -> filelock.BaseFileLock:
        """The lock of a run, which the system frees when its holder dies."""
        folder = self.folder(run.experiment) / ".locks"
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{run.key}.lock")

    def _file(self, record: Record, kind: str) -> Path:
        return self.folder(record["specification"]["experiment"]) / record[kind]["file"]

    def _whole(self, record: Record, kind: str) -> bool:
        """Whether the file of this kind is there, as it was when the record was written."""
        try:
            with self._file(record, kind).open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest() == str(record[kind]["sha256"])
        except (FileNotFoundError, IsADirectoryError):
            return False

    def _failed(self, run: Run) -> Path:
        return self.path(run).with_suffix(f"{FAILED}.json")

    def _outdated(self, path: Path) -> bool:
        """Whether this is the failure of a run that has ended since, left by a call that was killed just then."""
        stem = path.name.removesuffix(f"{FAILED}.json")
        return stem != path.name and path.with_name(f"{stem}.json").exists()


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """An OSError in this block, but that a lock is held, is `Unwritable`: it was met in keeping what is at `path`."""
    try:
        yield
    except (Unwritable, filelock.Timeout):
        raise
    except OSError as error:
        unwritable = Unwritable(f"{error.strerror or error}: {error.filename or path}")
        unwritable.errno = error.errno  # whoever catches an OSError may ask
        raise unwritable from error


def _finite(outcome: Record) -> Record:
    """An outcome without numbers that are not finite; with them the run has diverged, and they are named."""
    lost: list[str] = []
    kept: Record = _without(outcome, "", lost)
    return {**kept, "status": "diverged", "not_finite": lost} if lost else kept


def _without(value: Any, name: str, lost: list[str]) -> Any:
    """The entries of dictionaries that hold finite numbers alone; the names of the others go to `lost`."""
    if not isinstance(value, dict):
        return value
    kept = {key: _without(part, str(key), lost) for key, part in value.items()}
    gone = [key for key, part in kept.items() if not isinstance(part, dict) and not _all_finite(part)]
    lost.extend(map(str, gone))
    return {key: part for key, part in kept.items() if key not in gone}


def _all_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_all_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_all_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _read(path: Path) -> Record | None:
    """A record, verified to the last byte and to be where it belongs; None where there is none."""
    if not path.is_file():
        if path.exists():
            _set_aside(path, "not a file")
        return None
    record: Record | None = read(path)
    if record is None:
        return None
    wrong = fault(record) or _misplaced(record, path)
    if not wrong:
        return record
    _set_aside(path, wrong)
    return None


def _misplaced(record: Record, path: Path) -> str:
    """Why a record does not lie under its own name: one that was copied to another would count twice."""
    specification = record["specification"]
    try:
        names = [f"{key(specification)}{failed}.json" for failed in ("", FAILED)]
    except ValueError:
        return "not a record: a number in its specification is not finite"
    right = specification["experiment"] == path.parent.name and path.name in names
    return "" if right else "not the record that its name and folder say"


def fault(record: Any) -> str:
    """What keeps a value from being a record that tables can count, in words; nothing where it is one."""
    if not isinstance(record, dict):
        return f"not a record: {_kind(record)} instead of an object"
    required = {"specification": dict, "status": str, "facts": dict, "metrics": dict}
    named = {"experiment": str, "variant": str, "dataset": str, "settings": dict, "seed": int}
    wrong = _wrong_kinds(record, required) or _wrong_kinds(record["specification"], named)
    if wrong:
        return wrong
    if record["status"] not in STATUSES:
        return f"not a record: its status is none of {', '.join(STATUSES)}"
    for field, words in (("facts", str), ("metrics", ())):
        for name, value in record[field].items():
            if not (isinstance(value, words) or _number(value)):
                return f"not a record: {name} in its {field} is {_kind(value)}"
    return _wrong_misread(record.get("misread", {})) or _wrong_attachments(record)


def _wrong_kinds(found: Record, kinds: Mapping[str, type]) -> str:
    for name, kind in kinds.items():
        if name not in found:
            return f"not a record: it has no {name}"
        if type(found[name]) is not kind:
            return f"not a record: its {name} must be {WORDS[kind]}, and is {_kind(found[name])}"
    return ""


def _wrong_misread(misread: Any) -> str:
    try:
        for places in misread.values():
            array.array("l", places)  # at the speed of C: of a record of many pictures this is most of the work
    except (AttributeError, OverflowError, TypeError, ValueError):
        return "not a record: its misread must be lists of whole numbers"
    return ""


def _wrong_attachments(record: Record) -> str:
    for kind in KINDS.values():
        if kind in record:
            described = record[kind]
            wrong = not isinstance(described, dict) or _wrong_kinds(described, {"file": str, "sha256": str})
            if wrong or Path(described["file"]).name != described["file"]:
                return f"not a record: its {kind} must name a file beside it, and the file's SHA-256"
    return ""


def _number(value: Any) -> bool:
    """Whether a mean can be made of it, or of a fact: whether it is one number or a truth."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, int | float) and not _number(value):
        return "not finite"
    return WORDS.get(type(value), type(value).__name__)


def write(path: Path, value: Any) -> None:
    """Writes a value as `read` reads it; see `files.write_whole`."""
    write_whole(path, lambda part: part.write_bytes(content(value)))


def content(value: Any) -> bytes:
    """What is in the file of a record: its canonical JSON, after a checksum of that text."""
    body = canonical(value)
    return _opening(hashlib.sha256(body).hexdigest()) + body + b"}"


def read(path: Path) -> Any:
    """What `write` has written, verified to the last byte; None where there is no file, or another's, now set aside."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    start = len(_opening("0" * 64))
    body = found[start:-1]
    # The checksum is of the very bytes, so even a flipped bit that JSON would forgive shows here.
    if found[:start] + found[-1:] == _opening(hashlib.sha256(body).hexdigest()) + b"}":
        with contextlib.suppress(ValueError, RecursionError):  # a checksum says nothing of what it is of
            if (value := json.loads(body)) is not None:
                return value
    _set_aside(path, "not a whole record")
    return None


def _opening(checksum: str) -> bytes:
    return b'{"checksum":"%s","record":' % checksum.encode()


def _set_aside(path: Path, reason: str) -> None:
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
