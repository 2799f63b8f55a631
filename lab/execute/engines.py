"""Chooses the engine that executes the runs of a call."""

from collections.abc import Callable
from typing import Protocol

from lab.declare.machine import Hosts, Layout
from lab.execute.attempts import Listener, Outcome
from lab.execute.job import Job, Source


class Engine(Protocol):
    """Executes the runs of a call: `WorkerPool`, `AllHosts` or `RayCluster` (and `InProcess`, in tests)."""

    def execute(self, source: Source, prepare: Callable[[], object]) -> Outcome:
        """Executes all runs of a source that have no record yet; see `lab.execute.pool.WorkerPool.execute`."""


def choose(
    job: Job,
    listener: Listener,
    layout: Layout,
    hosts: Hosts | None,
    cluster: str | None,
    on_idle: Callable[[], object],
) -> Engine:
    """Returns the engine for a call: the hosts of `TF_CONFIG`, a Ray cluster, or worker processes on this machine.

    Args:
        job: what all runs share.
        listener: receives the events of each run.
        layout: how many runs go at a time, and the devices of each.
        hosts: the hosts that train each run together, if any.
        cluster: the address of a Ray cluster, if any.
        on_idle: see `lab.execute.pool.WorkerPool`.
    """
    if hosts:
        from lab.execute.hosts import AllHosts

        return AllHosts(job, listener, hosts)
    if cluster:
        from lab.execute.cluster import RayCluster

        return RayCluster(job, listener, cluster, layout.workers or None)
    from lab.execute.pool import WorkerPool

    return WorkerPool(job, listener, layout.workers, on_idle)
