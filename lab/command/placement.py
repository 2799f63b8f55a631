"""Chooses the devices for the runs of a call, from what the user asked for and what the machine has."""

import re
from collections.abc import Sequence

from lab.declare.machine import Devices, Hosts, Layout, refuse_uneven
from lab.errors import UsageError


def layout(asked: str | None, workers: int | None, batches: Sequence[int], gpus: int, cores: int) -> Layout:
    """Chooses the devices of each run on this machine, and how many runs go at a time.

    Without GPUs, each run gets one CPU thread, and one run goes on each core. With GPUs, each run gets
    one GPU: separate runs need not wait for one another after each step, as the replicas of one run
    must. If there are more GPUs than runs, a run gets several, a number that divides its batch.

    Args:
        asked: "cpu" or "gpu", or with the number of devices for each run ("cpu:2"); None: choose.
        workers: the number of worker processes the user asked for; None: choose.
        batches: the batch size of each run.
        gpus: number of GPUs of this machine.
        cores: number of processor cores of this machine.

    Raises:
        UsageError: the machine lacks these devices, or they do not divide a batch.
    """
    kind, count = _parse(asked) if asked else ("gpu" if gpus else "cpu", None)
    if kind == "cpu":
        devices = Devices("cpu", count or 1)
        most = max(cores // devices.replicas, 1)
    else:
        if gpus < (count or 1):
            raise UsageError(f"DEVICES={asked} needs {count or 1} GPU, and {gpus} can be seen. DEVICES=cpu needs none.")
        devices = Devices("gpu", count or _share(gpus, batches))
        most = gpus // devices.replicas
    for batch in batches:
        refuse_uneven(batch, devices.replicas)
    return Layout(devices, min(workers, most) if workers and kind == "gpu" else workers or most)


def on_cluster(asked: str | None, workers: int | None, batches: Sequence[int]) -> Layout:
    """Chooses the devices of each run on a cluster: one CPU by default. Only the cluster knows its devices.

    Args:
        asked, workers, batches: as for `layout`.

    Returns:
        A layout. Its number of workers is 0 if the user gave none: then the cluster runs as many as it has room for.

    Raises:
        UsageError: the devices asked for do not divide a batch.
    """
    kind, count = _parse(asked) if asked else ("cpu", None)
    for batch in batches:
        refuse_uneven(batch, count or 1)
    return Layout(Devices(kind, count or 1), workers or 0)


def together(asked: str | None, hosts: Hosts, batches: Sequence[int], gpus: int) -> Layout:
    """Chooses the devices of this host when several hosts train each run together: all its GPUs, or its CPU.

    Args:
        asked: as for `layout`.
        hosts: all hosts; each is assumed to have as many GPUs as this one.
        batches: the batch size of each run.
        gpus: number of GPUs of this host.

    Raises:
        UsageError: this host lacks these devices, or the devices of all hosts do not divide a batch.
    """
    kind, count = _parse(asked) if asked else ("gpu" if gpus else "cpu", None)
    if kind == "cpu" and (count or 1) > 1:
        raise UsageError(f"DEVICES={asked}: several hosts already share each batch, so a host's CPU is not split.")
    devices = layout(f"{kind}:{count or (gpus if kind == 'gpu' else 1)}", None, (), gpus, 1).devices
    for batch in batches:
        refuse_uneven(batch, devices.replicas * len(hosts.addresses))
    return Layout(devices, 1)


def _parse(asked: str) -> tuple[str, int | None]:
    if not (parts := re.fullmatch(r"(cpu|gpu)(?::0*([1-9][0-9]{0,5}))?", asked)):
        raise UsageError(f"DEVICES is cpu, gpu, or one of them with a number, as cpu:2; got '{asked[:40]}'.")
    return parts[1], int(parts[2]) if parts[2] else None


def _share(gpus: int, batches: Sequence[int]) -> int:
    """Number of GPUs for each run: more than one if there are fewer runs than GPUs. It divides every batch."""
    most = max(gpus // max(len(batches), 1), 1)
    return next(count for count in range(most, 0, -1) if not any(batch % count for batch in batches))
