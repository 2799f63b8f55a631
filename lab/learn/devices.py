"""What computes: the one module that decides on which devices runs go, and tells TensorFlow.

Deciding needs no TensorFlow, which is imported only where it is told.
"""

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any

from lab.declare.machine import VISIBLE, Devices, configured, visible_gpus
from lab.errors import UsageError

PLAIN = "CNN_PLAIN"  # the environment variable by which this process trains by Keras's own operations
COLLECTIVE_SECONDS = 600.0  # a sum over hosts that takes longer will never come


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
    os.environ[PLAIN] = "1" if devices.plain else ""
    if (devices.kind, devices.replicas) == ("cpu", 1):
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
    """An array as a constant for each replica of this host, for `strategy.run` to pass to it.

    A variable would be sent from the chief to all hosts, which have the data already. The constant lies in the memory
    of the replica's device, or of the host where that is a GPU: TensorFlow picks bytes by number on a CPU only, and
    would bring the whole array there at each step (six times slower, seen with fifteen runs on one H100).
    """
    import tensorflow as tf

    def constant(device: str) -> Any:
        memory = tf.DeviceSpec.from_string(device)
        if memory.device_type == "GPU":
            memory = memory.replace(device_type="CPU", device_index=0)
        with tf.device(memory):
            return tf.constant(array)

    if strategy.num_replicas_in_sync == 1:
        return constant("CPU:0")
    names = strategy.extended.worker_devices
    return strategy.experimental_distribute_values_from_function(
        lambda context: constant(names[context.replica_id_in_sync_group % len(names)])
    )


def in_use(strategy: Any = None) -> str:
    """The devices of a strategy in a few characters, as a record keeps them: "cpu:1"; None: of this process's own."""
    import tensorflow as tf

    kind = "gpu" if tf.config.list_logical_devices("GPU") else "cpu"
    return str(Devices(kind, (strategy or tf.distribute.get_strategy()).num_replicas_in_sync))


def fast(strategy: Any) -> bool:
    """Whether this process trains by the operations of `lab.learn.fast`: on one CPU, unless it is told not to."""
    return in_use(strategy) == "cpu:1" and not os.environ.get(PLAIN)


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
