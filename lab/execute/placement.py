"""Decides on which devices the runs of a call go."""

from collections.abc import Sequence

from lab.declare.machine import Devices, Hosts, Layout, refuse_uneven
from lab.errors import UsageError


def layout(asked: str | None, workers: int | None, batches: Sequence[int], gpus: int, cores: int) -> Layout:
    """Decides on which devices the runs of a call go.

    Without GPUs, and without being asked, a run has one thread, and as many go at a time as there
    are cores. With GPUs, each run goes to one of its own: runs side by side need not wait for one
    another after each step, as the replicas of one run must. Only where GPUs would be left over does
    a run get several, as many as divide its batch.

    Args:
        asked: "cpu", "gpu", and with a colon the number of devices for each run ("cpu:2"); None: decide.
        workers: the number of worker processes that was asked for; None: decide.
        batches: the batch size of each run.
        gpus: GPUs there are.
        cores: processor cores there are.

    Raises:
        UsageError: there are no such devices, or they do not divide a batch.
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
    """The devices of each run on a cluster, which alone knows what it has: a CPU, unless asked otherwise.

    Args:
        asked, workers, batches: as for `layout`.

    Returns:
        A layout whose number of workers is 0 where as many as there is room for are wanted.

    Raises:
        UsageError: the devices asked for do not divide a batch.
    """
    kind, count = _parse(asked) if asked else ("cpu", None)
    for batch in batches:
        refuse_uneven(batch, count or 1)
    return Layout(Devices(kind, count or 1), workers or 0)


def together(asked: str | None, hosts: Hosts, batches: Sequence[int], gpus: int) -> Layout:
    """The devices of one host among several that train each run together: all its GPUs, or its CPU.

    Args:
        asked: as for `layout`.
        hosts: which hosts; all are taken to have as many GPUs as this one.
        batches: the batch size of each run.
        gpus: GPUs there are.

    Raises:
        UsageError: there are no such devices, or those of all hosts do not divide a batch.
    """
    kind, count = _parse(asked) if asked else ("gpu" if gpus else "cpu", None)
    if kind == "cpu" and (count or 1) > 1:
        raise UsageError(f"DEVICES={asked}: several hosts share a batch already, so a host's CPU is not split.")
    devices = layout(f"{kind}:{count or (gpus if kind == 'gpu' else 1)}", None, (), gpus, 1).devices
    for batch in batches:
        refuse_uneven(batch, devices.replicas * len(hosts.addresses))
    return Layout(devices, 1)


def _parse(asked: str) -> tuple[str, int | None]:
    kind, _, number = asked.partition(":")
    if (
        kind not in ("cpu", "gpu")
        or (number and not number.isdecimal())
        or len(number) > 6
        or number == "0"
        or asked.endswith(":")
    ):
        raise UsageError(f"DEVICES is cpu, gpu, or either with a number for each run, as cpu:2; got '{asked[:40]}'.")
    return kind, int(number) if number else None


def _share(gpus: int, batches: Sequence[int]) -> int:
    """GPUs for each run, so that all are at work: one, or more where there are fewer runs."""
    most = max(gpus // max(len(batches), 1), 1)
    return next(count for count in range(most, 0, -1) if not any(batch % count for batch in batches))
