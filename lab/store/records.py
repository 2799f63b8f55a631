"""Records: one JSON file per run, from which all tables are made.

A record is written atomically, contains a checksum, and is named after the specification of its run. A file that is
not a valid record is set aside (renamed) and never counted. Nothing here imports TensorFlow.
"""

import contextlib
import dataclasses
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from lab.declare.run import Run, key
from lab.declare.work import Attachment, RunOutcome
from lab.store import checked
from lab.store.files import write_whole
from lab.store.record import KINDS, File, Record, fault, finite

FAILED = ".failed"
REFERENCE = Path(__file__).parents[2] / "results" / "reference"  # the project's own runs, made on another machine


class Unwritable(OSError):
    """A record cannot be written: the disk is full, or the results folder is not writable.

    This error ends a call, because it would meet every further run. Other OSErrors of a run, as of a picture file or a
    connection, fail only that run.
    """


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
        if not record or record.specification != run.specification():
            return None
        for kind in KINDS.values():
            if kind in record.attached and not self._is_intact(record, kind):
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

    def save(
        self, run: Run, outcome: RunOutcome, attached: Attachment | tuple[Attachment, ...] | None = None
    ) -> Record:
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
        value = {"specification": run.specification(), **finite(outcome)}
        if wrong := fault(value):
            raise ValueError(f"this outcome makes no record: {wrong}")
        attached = (attached,) if isinstance(attached, Attachment) else attached or ()
        with storing(path):
            for attachment in attached:
                write_whole(path.with_suffix(attachment.ending), attachment.save)
            files = {KINDS[one.ending]: _described(path.with_suffix(one.ending)) for one in attached}
            record = dataclasses.replace(Record.from_json(value), attached=files)
            checked.write(path, record.to_json())
            self._failed_path(run).unlink(missing_ok=True)
        return record

    def save_failed(self, run: Run, reason: str, last_lines: str, facts: dict[str, Any] | None = None) -> Record:
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
        record = Record(run.specification(), "failed", facts or {}, reason=reason, last_lines=last_lines)
        with storing(self._failed_path(run)):
            self.folder(run.experiment).mkdir(parents=True, exist_ok=True)
            checked.write(self._failed_path(run), record.to_json())
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
            again = f"`make {record.experiment}` with the same variables makes it again"
            raise FileNotFoundError(f"{path} is gone or damaged; {again}")
        return path

    def lock(self, run: Run) -> filelock.BaseFileLock:
        """The lock of a run. The system frees it when the process that holds it dies."""
        folder = self.folder(run.experiment) / ".locks"
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{run.key}.lock")

    def _file(self, record: Record, kind: str) -> Path:
        return self.folder(record.experiment) / record.attached[kind].file

    def _is_intact(self, record: Record, kind: str) -> bool:
        """Whether an attachment exists and has the checksum in its record."""
        try:
            with self._file(record, kind).open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest() == record.attached[kind].sha256
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


def _read(path: Path) -> Record | None:
    """Reads and verifies a record; None if there is none. An invalid or misplaced file is set aside."""
    if not path.is_file():
        if path.exists():
            checked.set_aside(path, "not a file")
        return None
    value = checked.read(path)
    if value is None:
        return None
    wrong = fault(value)
    record = None if wrong else Record.from_json(value)
    if record and not (wrong := _misplaced(record, path)):
        return record
    checked.set_aside(path, wrong)
    return None


def _described(file: Path) -> File:
    return File(file.name, hashlib.sha256(file.read_bytes()).hexdigest())


def _misplaced(record: Record, path: Path) -> str:
    """Says why a record has a wrong file name; empty if the name is right. A renamed copy would count twice."""
    try:
        names = [f"{key(record.specification)}{failed}.json" for failed in ("", FAILED)]
    except ValueError:
        return "not a record: a number in its specification is not finite"
    right = record.experiment == path.parent.name and path.name in names
    return "" if right else "not the record that its name and folder say"
