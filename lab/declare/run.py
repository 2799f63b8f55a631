"""A run is one variant with one seed on one data set; its specification names its record."""

import dataclasses
import functools
import hashlib
import importlib
import json
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Run:
    """One variant with one seed on one data set: the unit of work and of record."""

    experiment: str
    variant: str
    dataset: str
    settings: Any
    seed: int

    @property
    def needs(self) -> tuple["Run", ...]:
        """The runs whose networks this one reads, with the very recipe that each must have; its settings say which."""
        needs = getattr(self.settings, "needs", None)
        return tuple(needs(self)) if needs else ()

    def specification(self) -> dict[str, Any]:
        """Everything that decides the outcome, as JSON knows it.

        What is absent (None, or empty) is left out, so that a setting invented later, and absent
        from earlier runs, leaves their specification as it was. `reads` are the digests of runs of other
        experiments whose networks this one reads: their recipes stand in no setting of this one.
        """
        reads = [digest(need.specification()) for need in self.needs if need.experiment != self.experiment]
        whole = dataclasses.asdict(self) | {"settings": flat(self.settings)} | ({"reads": reads} if reads else {})
        return json.loads(json.dumps(whole))

    @functools.cached_property
    def key(self) -> str:
        """The run's name among the records: equal if and only if the specification is equal."""
        return key(self.specification())


def flat(settings: Any) -> dict[str, Any]:
    """Settings by name, without those that are absent.

    The fields of a part, which the class names in `PARTS`, stand among the others; in a part false, zero and
    empty are absent too.
    """
    values = dataclasses.asdict(settings)
    for part in getattr(settings, "PARTS", ()):
        values |= {name: value for name, value in values.pop(part).items() if value}
    return {name: value for name, value in values.items() if value not in (None, ())}


def resolve(dotted: str) -> Any:
    """The object that `package.module.name` names; declarations name heavy code, so that it loads late."""
    module, name = dotted.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def key(specification: Mapping[str, Any]) -> str:
    """The name of the run that has this specification, see `Run.specification`.

    What follows a colon in a data set's name may be long, or no file's name; the digest tells it apart.
    """
    dataset = specification["dataset"].partition(":")[0]
    return f"{specification['variant']}.{dataset}.{digest(specification)}.seed{specification['seed']}"


def digest(specification: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a specification, whatever its seed."""
    seedless = {key: value for key, value in specification.items() if key != "seed"}
    return hashlib.sha256(canonical(seedless)).hexdigest()[:12]


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no insignificant space, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
