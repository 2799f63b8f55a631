"""Records: one JSON file per run, from which all tables are made.

A record is written atomically, contains a checksum, and is named after the specification of its run. A file that is
not a valid record is set aside (renamed) and never counted. Nothing here imports TensorFlow.
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
KINDS = {".keras": "network", ".npz": "arrays"}  # the kinds of attachments by file suffix
FAILED = ".failed"
STATUSES = ("finished", "diverged", "failed")
TYPE_NAMES = {
    str: "text",
    dict: "an object",
    int: "a whole number",
    list: "a list",
    float: "a number",
    bool: "true or false",
}


class Unwritable(OSError):
    """A record cannot be written: the disk is full, or the results folder is not writable.

    This error ends a call, because it would meet every further run. Other OSErrors of a run, as of a picture file or a
    connection, fail only that run.
    """


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A file beside a record: a trained network (`.keras`) or arrays that a figure needs (`.npz`).

    Attributes:
        ending: the suffix of the file, one of `KINDS`.
        save: called with a path; writes the content there.
    """

    ending: str
    save: Callable[[Path], object]


@dataclasses.dataclass(frozen=True)
class Records:
    """The records in one results folder.

    Attributes:
        results: the folder. Records lie in `results/runs/EXPERIMENT/KEY.json`.
    """

    results: Path

    def folder(self, experiment: str) -> Path:
        """The folder of an experiment's records."""
        return self.results / "runs" / experiment

    def path(self, run: Run) -> Path:
        """The file of a run's record. Attachments have the same name with another suffix."""
        return self.folder(run.experiment) / f"{run.key}.json"

    def find(self, run: Run) -> Record | None:
        """The record of a run that has ended (finished or diverged); None if there is none.

        A record whose network or arrays are missing or damaged does not count, so that the run is executed again.
        """
        record = _read(self.path(run))
        if not record or record["specification"] != run.specification():
            return None
        for kind in KINDS.values():
            if kind in record and not self._is_intact(record, kind):
                file = self._file(record, kind)
                print(f"{file}: gone or damaged, so its run counts as not done.", file=sys.stderr)
                return None
        return record

    def of(self, experiment: str) -> list[Record]:
        """All records of an experiment, including failed runs, sorted by file name."""
        return list(self.each(experiment))

    def each(self, experiment: str) -> Iterator[Record]:
        """Yields the records of `of` one at a time. A million of them may not fit in memory together."""
        return (record for _, record in self.files(experiment))

    def files(self, experiment: str) -> Iterator[tuple[Path, Record]]:
        """Yields the records of `of` together with their files."""
        # A name that begins with a dot is the temporary file of a killed writer, never a record.
        for path in sorted(self.folder(experiment).glob("[!.]*.json")):
            if self._is_superseded(path):
                continue
            try:
                record = _read(path)
            except OSError as error:  # the table still needs the other files
                print(f"{path}: cannot be read ({error.strerror}). It is not counted.", file=sys.stderr)
                continue
            if record:
                yield path, record

    def experiments(self) -> list[str]:
        """Names of the experiments that have a folder of records."""
        return sorted(path.name for path in (self.results / "runs").glob("[!.]*") if path.is_dir())

    def save(self, run: Run, outcome: Record, attached: Attachment | tuple[Attachment, ...] | None = None) -> Record:
        """Writes the attachments, then the record. The run counts only when its record exists.

        Args:
            run: the run; the caller holds `lock(run)`.
            outcome: status, facts and metrics of the run. If it contains a number that is not finite, the run is
                recorded as diverged: the number is left out, as JSON cannot express it, and `not_finite` names it.
            attached: the attachments, at most one of each kind.

        Returns:
            The record.

        Raises:
            Unwritable: the files cannot be written.
            ValueError: the outcome lacks a field of a record, or a field has a wrong type. Nothing is written.
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
            self._failed_path(run).unlink(missing_ok=True)
        return record

    def save_failed(self, run: Run, reason: str, last_lines: str, facts: Record | None = None) -> Record:
        """Records the failure of a run, unless the run has ended meanwhile. A later call executes the run again.

        Args:
            run: the run; the caller holds `lock(run)`.
            reason: why it failed, in one line.
            last_lines: the last lines of its output.
            facts: further facts for the record.

        Returns:
            The record of the failure, or the record of the run if it has ended meanwhile.

        Raises:
            Unwritable: the record cannot be written.
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
        with storing(self._failed_path(run)):
            self.folder(run.experiment).mkdir(parents=True, exist_ok=True)
            write(self._failed_path(run), record)
        return record

    def attachment(self, record: Record, kind: str) -> Path:
        """The path of a record's attachment.

        Args:
            record: the record.
            kind: "network" or "arrays".

        Raises:
            FileNotFoundError: the file is missing, or its checksum differs from that in the record.
        """
        path = self._file(record, kind)
        if not self._is_intact(record, kind):
            name = record["specification"]["experiment"]
            raise FileNotFoundError(f"{path} is gone or damaged; `make {name}` with the same variables makes it again")
        return path

    def lock(self, run: Run) -> filelock.BaseFileLock:
        """The lock of a run. The system frees it when the process that holds it dies."""
        folder = self.folder(run.experiment) / ".locks"
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{run.key}.lock")

    def _file(self, record: Record, kind: str) -> Path:
        return self.folder(record["specification"]["experiment"]) / record[kind]["file"]

    def _is_intact(self, record: Record, kind: str) -> bool:
        """Whether an attachment exists and has the checksum in its record."""
        try:
            with self._file(record, kind).open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest() == str(record[kind]["sha256"])
        except (FileNotFoundError, IsADirectoryError):
            return False

    def _failed_path(self, run: Run) -> Path:
        return self.path(run).with_suffix(f"{FAILED}.json")

    def _is_superseded(self, path: Path) -> bool:
        """Whether a file records the failure of a run that has ended later. A call killed in `save` can leave both."""
        stem = path.name.removesuffix(f"{FAILED}.json")
        return stem != path.name and path.with_name(f"{stem}.json").exists()


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns an OSError within the block into `Unwritable`. The block writes `path`; a timeout of a lock passes."""
    try:
        yield
    except (Unwritable, filelock.Timeout):
        raise
    except OSError as error:
        unwritable = Unwritable(f"{error.strerror or error}: {error.filename or path}")
        unwritable.errno = error.errno  # for callers that catch OSError
        raise unwritable from error


def _finite(outcome: Record) -> Record:
    """An outcome without its non-finite numbers. If there were any, it is "diverged" and lists their names."""
    removed: list[str] = []
    rest: Record = _remove_non_finite(outcome, removed)
    return {**rest, "status": "diverged", "not_finite": removed} if removed else rest


def _remove_non_finite(value: Any, removed: list[str]) -> Any:
    """A value without those entries of its dictionaries that are not finite; their names are added to `removed`."""
    if not isinstance(value, dict):
        return value
    parts = {key: _remove_non_finite(part, removed) for key, part in value.items()}
    wrong = [key for key, part in parts.items() if not isinstance(part, dict) and not _all_finite(part)]
    removed.extend(map(str, wrong))
    return {key: part for key, part in parts.items() if key not in wrong}


def _all_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_all_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_all_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _read(path: Path) -> Record | None:
    """Reads and verifies a record; None if there is none. An invalid or misplaced file is set aside."""
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
    """Says why a record has a wrong file name; empty if the name is right. A renamed copy would count twice."""
    specification = record["specification"]
    try:
        names = [f"{key(specification)}{failed}.json" for failed in ("", FAILED)]
    except ValueError:
        return "not a record: a number in its specification is not finite"
    right = specification["experiment"] == path.parent.name and path.name in names
    return "" if right else "not the record that its name and folder say"


def fault(record: Any) -> str:
    """Says why a value is not a valid record; empty if it is one."""
    if not isinstance(record, dict):
        return f"not a record: {_described(record)} instead of an object"
    required = {"specification": dict, "status": str, "facts": dict, "metrics": dict}
    named = {"experiment": str, "variant": str, "dataset": str, "settings": dict, "seed": int}
    wrong = _wrong_kinds(record, required) or _wrong_kinds(record["specification"], named)
    if wrong:
        return wrong
    if record["status"] not in STATUSES:
        return f"not a record: its status is none of {', '.join(STATUSES)}"
    for field, words in (("facts", str), ("metrics", ())):
        for name, value in record[field].items():
            if not (isinstance(value, words) or _is_number(value)):
                return f"not a record: {name} in its {field} is {_described(value)}"
    return _wrong_misread(record.get("misread", {})) or _wrong_attachments(record)


def _wrong_kinds(found: Record, kinds: Mapping[str, type]) -> str:
    for name, kind in kinds.items():
        if name not in found:
            return f"not a record: it has no {name}"
        if type(found[name]) is not kind:
            return f"not a record: its {name} must be {TYPE_NAMES[kind]}, and is {_described(found[name])}"
    return ""


def _wrong_misread(misread: Any) -> str:
    try:
        for places in misread.values():
            array.array("l", places)  # checks the types in C; for a record of many pictures this takes most of the time
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


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number or a bool."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _described(value: Any) -> str:
    """What a value is, for messages: "a number"."""
    if value is None:
        return "nothing"
    if isinstance(value, int | float) and not _is_number(value):
        return "not finite"
    return TYPE_NAMES.get(type(value), type(value).__name__)


def write(path: Path, value: Any) -> None:
    """Writes a value atomically, in the format of `content`."""
    write_whole(path, lambda part: part.write_bytes(content(value)))


def content(value: Any) -> bytes:
    """The bytes of a record's file: a JSON object with the SHA-256 of the record's canonical JSON, then the record."""
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
    _set_aside(path, "not a whole record")
    return None


def _opening(checksum: str) -> bytes:
    return b'{"checksum":"%s","record":' % checksum.encode()


def _set_aside(path: Path, reason: str) -> None:
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
