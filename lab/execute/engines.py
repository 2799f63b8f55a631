"""Chooses what executes the runs of a call."""

from collections.abc import Callable
from typing import Protocol

from lab.declare.machine import Hosts, Layout
from lab.execute.attempts import Listener, Outcome
from lab.execute.job import Job, Source


class Engine(Protocol):
    """What executes the runs of a call: `InProcess`, `WorkerPool`, `AllHosts` or `RayCluster`."""

    def execute(self, source: Source, prepare: Callable[[], object]) -> Outcome:
        """Does all runs of a source that have no record yet; see `lab.execute.pool.WorkerPool.execute`."""


def choose(
    job: Job,
    listener: Listener,
    layout: Layout,
    hosts: Hosts | None = None,
    cluster: str | None = None,
    spare: Callable[[], object] | None = None,
) -> Engine:
    """The engine for a call: all hosts of `TF_CONFIG` together, a Ray cluster, or worker processes here.

    Args:
        job: what all runs share.
        listener: hears of progress.
        layout: how many runs at a time, and what each computes on.
        hosts: those that train each run together.
        cluster: the address of a Ray cluster.
        spare: done in this process when there is time, see `lab.execute.pool.WorkerPool`.
    """
    if hosts:
        from lab.execute.hosts import AllHosts

        return AllHosts(job, listener, hosts)
    if cluster:
        from lab.execute.cluster import RayCluster

        return RayCluster(job, listener, cluster, layout.workers or None)
    from lab.execute.pool import WorkerPool

    return WorkerPool(job, listener, layout.workers, spare)
