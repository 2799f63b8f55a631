"""The record of one run, and the check whether a value is a valid record."""

import array
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.declare.run import digest
from lab.declare.work import RunOutcome

KINDS = {".keras": "network", ".npz": "arrays"}  # the kinds of attachments by file suffix
STATUSES = ("finished", "diverged", "failed")
TYPE_NAMES = {
    str: "text",
    dict: "an object",
    int: "a whole number",
    list: "a list",
    float: "a number",
    bool: "true or false",
}


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """An attached file: its name, and the SHA-256 of its content in hexadecimal digits."""

    file: str
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """The record of one run. None: not known, or not requested.

    Attributes:
        specification: of the run, see `lab.declare.run.Run.specification`.
        status: one of `STATUSES`.
        facts: numbers and words that are the same for all seeds.
        metrics: numbers of this seed.
        environment: versions, commit, processor, devices, and the checksum of the data.
        history: values by name, one an epoch.
        misread: by split and shift, places of the test pictures that were read wrongly.
        not_finite: names of what was left out, as it was not finite.
        ended_unix_seconds: when the run ended.
        reason, last_lines: why it failed, and what it printed last.
        attached: the files beside the record by their kind, one of `KINDS`.
        details: what else the work found, by name.
    """

    specification: dict[str, Any]
    status: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] | None = None
    history: dict[str, list[float]] | None = None
    misread: dict[str, list[int]] | None = None
    not_finite: list[str] | None = None
    ended_unix_seconds: float | None = None
    reason: str | None = None
    last_lines: str | None = None
    attached: dict[str, File] = dataclasses.field(default_factory=dict)
    details: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def experiment(self) -> str:
        """The name of the experiment."""
        return self.specification["experiment"]

    @property
    def variant(self) -> str:
        """The name of the variant."""
        return self.specification["variant"]

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return self.specification["dataset"]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the run by name."""
        return self.specification["settings"]

    @property
    def seed(self) -> int:
        """The seed of the run's random numbers."""
        return self.specification["seed"]

    @property
    def digest(self) -> str:
        """A key that is equal for runs that differ only in their seeds."""
        return digest(self.specification)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Record":
        """Makes a record from a value of `to_json`. Check other values with `fault` first."""
        rest = dict(value)
        known = {name: rest.pop(name) for name in NAMES if name in rest}
        attached = {
            kind: File(described["file"], described["sha256"])
            for kind in KINDS.values()
            if (described := rest.pop(kind, None)) is not None
        }
        return cls(**known, attached=attached, details=rest)

    def to_json(self) -> dict[str, Any]:
        """The record as one JSON object."""
        known = {name: value for name in NAMES if (value := getattr(self, name)) is not None}
        return known | {kind: dataclasses.asdict(file) for kind, file in self.attached.items()} | self.details


NAMES = tuple(field.name for field in dataclasses.fields(Record) if field.name not in ("attached", "details"))


def finite(outcome: RunOutcome) -> RunOutcome:
    """An outcome without its non-finite numbers. If there were any, it is "diverged" and lists their names."""
    removed: list[str] = []
    rest: RunOutcome = _remove_non_finite(outcome, removed)
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


def _wrong_kinds(found: Mapping[str, Any], kinds: Mapping[str, type]) -> str:
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


def _wrong_attachments(record: Mapping[str, Any]) -> str:
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
