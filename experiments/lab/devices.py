"""What computes: the one module that decides on which devices runs go, and tells TensorFlow.

Deciding needs no TensorFlow, which is imported only where it is told.
"""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.lab.spec import UsageError

VISIBLE = "CUDA_VISIBLE_DEVICES"
COLLECTIVE_SECONDS = 600.0  # a sum over hosts that takes longer will never come


@dataclasses.dataclass(frozen=True)
class Devices:
    """What one run computes on.

    Attributes:
        kind: "cpu" or "gpu".
        replicas: how many of them share each batch; several CPUs are virtual, parts of the one there is.
    """

    kind: str = "cpu"
    replicas: int = 1

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


def claim(devices: Devices, slot: int) -> None:
    """Gives this process its devices, and hides all others; called before TensorFlow starts.

    Args:
        devices: what it is to compute on.
        slot: number of the process among those at work now, from 0: whose GPUs it takes.

    Raises:
        UsageError: TensorFlow does not see the GPUs.
    """
    mine = visible_gpus()[slot * devices.replicas : (slot + 1) * devices.replicas] if devices.kind == "gpu" else []
    os.environ[VISIBLE] = ",".join(mine) or "-1"
    if devices == Devices():
        return
    import tensorflow as tf

    if devices.kind == "gpu":
        seen = len(tf.config.list_physical_devices("GPU"))
        if seen != devices.replicas:
            raise UsageError(
                f"TensorFlow sees {seen} of {devices.replicas} GPUs. Its CUDA libraries come with "
                f"pip install 'tensorflow[and-cuda]=={tf.__version__}'; DEVICES=cpu does without."
            )
    else:
        parts = [tf.config.LogicalDeviceConfiguration()] * devices.replicas
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)


def one_thread() -> None:
    """One thread for each CPU device and deterministic kernels, so that no result depends on the number of cores.

    Raises:
        RuntimeError: TensorFlow has already begun to compute with other settings.
    """
    import tensorflow as tf

    parts = tf.config.get_logical_device_configuration(tf.config.list_physical_devices("CPU")[0])
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(len(parts or [None]))
    tf.config.experimental.enable_op_determinism()


@functools.cache  # hosts can be joined only once
def strategy() -> Any:
    """The `tf.distribute.Strategy` for the devices this process has.

    Returns:
        MultiWorkerMirroredStrategy where `TF_CONFIG` names several hosts; MirroredStrategy over several
        GPUs, or over several virtual CPUs; else TensorFlow's default.
    """
    import tensorflow as tf

    if configured(os.environ.get("TF_CONFIG")):
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=COLLECTIVE_SECONDS)
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    for kind in ("GPU", "CPU"):
        names = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(names) > 1:
            return tf.distribute.MirroredStrategy(names)
        if names:
            return tf.distribute.get_strategy()
    raise AssertionError("TensorFlow always has a CPU")


def on_each(strategy: Any, array: Any) -> Any:
    """An array as a constant on the device of each replica of this host, for `strategy.run` to pass to it.

    A variable would be sent from the chief to all hosts, which have the data already.
    """
    import tensorflow as tf

    if strategy.num_replicas_in_sync == 1:
        return tf.constant(array)
    names = strategy.extended.worker_devices

    def constant(context: Any) -> Any:
        with tf.device(names[context.replica_id_in_sync_group % len(names)]):
            return tf.constant(array)

    return strategy.experimental_distribute_values_from_function(constant)


def in_use(strategy: Any) -> str:
    """The devices of a strategy in a few characters, as a record keeps them: "cpu:1"."""
    import tensorflow as tf

    kind = "gpu" if tf.config.list_logical_devices("GPU") else "cpu"
    return str(Devices(kind, strategy.num_replicas_in_sync))


@contextlib.contextmanager
def precision(policy: str | None) -> Iterator[None]:
    """Layers made in this block compute in this precision; None: float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy or "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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
