"""Devices and hosts: what a run computes on, as plain data."""

import dataclasses
import json
import os
import shutil
import subprocess

from lab.errors import UsageError

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclasses.dataclass(frozen=True)
class Devices:
    """What one run computes on.

    Attributes:
        kind: "cpu" or "gpu".
        replicas: how many of them share each batch; several CPUs are virtual, parts of the one there is.
        plain: train by Keras's own operations, also where there are faster ones.
    """

    kind: str = "cpu"
    replicas: int = 1
    plain: bool = False

    def __str__(self) -> str:
        return f"{self.kind}:{self.replicas}"


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the runs of a call lie on a machine: so many worker processes, each with devices of its own."""

    devices: Devices
    workers: int

    def __str__(self) -> str:
        kind, each = self.devices.kind.upper(), self.devices.replicas
        share = f"{each} {'virtual ' if kind == 'CPU' else ''}{kind}s" if each > 1 else f"one {kind}"
        return f"{self.workers} at a time, each run on {share}"


@dataclasses.dataclass(frozen=True)
class Hosts:
    """The hosts of one training, as `TF_CONFIG` names them.

    Attributes:
        addresses: host:port of each, the chief first.
        index: which of them this is.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def chief(self) -> bool:
        """Whether this host writes the records."""
        return self.index == 0

    def __str__(self) -> str:
        part = "the chief, which writes the records" if self.chief else f"the chief, {self.addresses[0]}, writes"
        return f"{self.address}, one of {len(self.addresses)} that share each batch; {part}"

    @property
    def address(self) -> str:
        """This host's own."""
        return self.addresses[self.index]


def configured(variable: str | None) -> Hosts | None:
    """What `TF_CONFIG` says; None where it names no other host.

    Args:
        variable: its value, JSON: `{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}`.

    Raises:
        UsageError: it is not that.
    """
    if not variable:
        return None
    try:
        parsed = json.loads(variable)
        cluster, task = parsed["cluster"], parsed["task"]
        if set(cluster) - {"chief", "worker"}:
            raise ValueError("only chief and worker are known jobs")
        addresses = tuple(address for job in ("chief", "worker") for address in cluster.get(job, ()))
        address = cluster[task["type"]][int(task["index"])]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(
            f"TF_CONFIG cannot be read ({type(error).__name__}: {error}). Expected, with another index on each host: "
            '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
        ) from error
    return Hosts(addresses, addresses.index(address)) if len(addresses) > 1 else None


def refuse_uneven(batch: int, replicas: int) -> None:
    """Raises a UsageError where the replicas do not divide a batch: their shares would count unequally."""
    if batch % replicas:
        raise UsageError(
            f"{replicas} devices do not divide a batch of {batch}. The batch size is that of all devices "
            f"together; take {' or '.join(str(n) for n in range(1, 9) if batch % n == 0)} of them."
        )


def visible_gpus() -> list[str]:
    """The GPUs this process may use: those that CUDA_VISIBLE_DEVICES names, or all that nvidia-smi lists."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False).stdout
    return [str(number) for number, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]
