"""Runs on a real Ray cluster of two nodes; the last test kills one of them in the middle of a study."""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.command.main import main
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute.cluster import RayCluster
from lab.execute.job import Job, RunList
from lab.store.records import Records
from tests.support.listening import Counting
from tests.support.waiting import SECONDS, free_ports, until

ray = pytest.importorskip("ray", reason="Ray is not installed: make ray", exc_type=ModuleNotFoundError)
importlib.import_module("ray.util")

ROOT = Path(__file__).parents[3]
WORK = "tests.support.work.Scripted"


@pytest.fixture(scope="module")
def executions(tmp_path_factory):
    """The file to which `tests.support.work.Scripted` appends a line for each execution on any node."""
    path = tmp_path_factory.mktemp("work") / "executions"
    os.environ["EXECUTIONS"] = str(path)
    yield path
    del os.environ["EXECUTIONS"]


@pytest.fixture
def limit(cluster):
    """Fails a test that hangs."""

    def stop(number, frame):
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Nodes:
    """A cluster of a head node and another node on this machine, two processors each, started by `ray start`.

    Args:
        log: path of a file for what they print.
    """

    def __init__(self, log):
        self._log = log.open("w")
        (port,) = free_ports(1)
        self.address = f"{ray.util.get_node_ip_address()}:{port}"
        # Without it workers are promised all ports up to 19,999, and Ray ends if its own is among them.
        any_port = ("--min-worker-port=0", "--max-worker-port=0")
        self._started = [self._start("--head", f"--port={port}", "--include-dashboard=false", *any_port)]
        self._await(1)
        self._started.append(self._start(f"--address={self.address}"))
        self._await(2)

    def kill(self, place):
        """Kills all processes of a node at once."""
        listing = subprocess.run(["ps", "-eo", "pid,sess"], check=True, capture_output=True, text=True).stdout
        for pid, session in (line.split() for line in listing.splitlines()[1:]):
            if int(session) == self._started[place].pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        self._started[place].wait()

    def end(self):
        """Kills all remaining processes."""
        for place in range(len(self._started)):
            self.kill(place)
        self._log.close()

    def _start(self, *words):
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *words, "--num-cpus=2", "--block"]
        command += ["--object-store-memory=100000000", "--disable-usage-stats"]
        path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        # On a busy machine Ray's own processes may take long to start.
        environment = {**os.environ, "PYTHONPATH": path, "RAY_agent_register_timeout_ms": "300000"}
        return subprocess.Popen(
            command, env=environment, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def _await(self, count):
        """Waits until `count` nodes are alive."""
        alive = (
            "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')\n"
            "print(sum(node['Alive'] for node in ray.nodes()))"
        )
        deadline = time.monotonic() + SECONDS
        while True:
            asked = subprocess.run(
                [sys.executable, "-c", alive, self.address], capture_output=True, text=True, check=False
            )
            if asked.stdout.strip() == str(count):
                return
            for node in self._started:
                assert node.poll() is None, Path(self._log.name).read_text()
            assert time.monotonic() < deadline, asked.stderr


@pytest.fixture(scope="module")
def cluster(executions):
    """One cluster for all tests. The test that kills a node must come last."""
    started = Nodes(executions.with_name("ray.log"))
    yield started
    started.end()


@pytest.fixture
def nodes(cluster, executions, limit):
    """The cluster, with an empty log of executions."""
    executions.unlink(missing_ok=True)
    return cluster


def run(variant, seed=0):
    return Run("lenet", variant, "digits", Training("linear"), seed)


def study(results, runs, nodes, workers=None, **options):
    listener = Counting()
    job = Job(WORK, Records(results), {"commit": "c"}, **options)
    outcome = RayCluster(job, listener, nodes.address, workers).execute(RunList(runs))
    return outcome, listener.events


def done(executions):
    lines = executions.read_text().splitlines() if executions.exists() else []
    return [tuple(line.split()[:2]) for line in lines]


@pytest.mark.alone
def test_failures_are_recorded_as_by_the_pool(nodes, executions, tmp_path):
    runs = [run("raise"), run("skip"), run("once", 5), run("kill"), run("shapeless")]
    runs += [run("ok", seed) for seed in range(3)]
    outcome, events = study(tmp_path, runs, nodes)
    assert events["make something else first"] == 1
    assert set(outcome.failed) == {runs[0].key, runs[3].key, runs[4].key}
    assert outcome.failed[runs[0].key] == "ValueError: this run raises"
    assert "WorkerCrashedError" in outcome.failed[runs[3].key]
    assert outcome.failed[runs[4].key].startswith("ValueError: this outcome makes no record")
    assert [key for key, _ in done(executions)].count("once") == 2  # Ray started it again
    statuses = [record.status for record in Records(tmp_path).of("lenet")]
    assert (statuses.count("failed"), statuses.count("finished")) == (3, 4)
    with Records(tmp_path).lock(runs[0]).acquire(blocking=False):
        pass  # its lock is free


@pytest.mark.alone
def test_a_run_that_raises_is_tried_again_with_retries(nodes, tmp_path):
    outcome, events = study(tmp_path, [run("raise")], nodes, retries=2)
    assert (events["again"], events["failed"]) == (2, 1)
    assert outcome.failed


@pytest.mark.alone
def test_a_call_waits_for_a_run_that_another_call_holds(nodes, executions, tmp_path):
    held, taken = run("ok", 7), threading.Event()

    def other():
        with Records(tmp_path).lock(held):  # a lock belongs to its thread
            taken.set()
            until(lambda: ("ok", "8") in done(executions))  # the other run ends while this one is held
            Records(tmp_path).save(held, {"status": "finished", "facts": {}, "metrics": {"value": 1.0}})

    threading.Thread(target=other).start()
    assert taken.wait(SECONDS)
    outcome, _ = study(tmp_path, [held, run("ok", 8)], nodes)
    assert outcome.ended[held.key] == {"value": 1.0}
    assert [seed for _, seed in done(executions)] == ["8"]


@pytest.mark.alone
def test_devices_that_the_cluster_lacks_are_refused(nodes, tmp_path):
    from lab.declare.machine import Devices

    with pytest.raises(UsageError, match="needs 1 GPU"):
        study(tmp_path, [run("ok")], nodes, devices=Devices("gpu", 1))
    assert not ray.is_initialized()


@pytest.mark.alone
def test_real_training_on_the_cluster_gives_the_records_of_this_machine(nodes, tmp_path, capsys):
    words = ["run", "lenet", "--dataset", "digits", "--variants", "lenet5-relu", "--seeds", "2", "--epochs", "1"]
    assert main([*words, "--results", str(tmp_path / "here")]) == 0
    assert main([*words, "--results", str(tmp_path / "there"), "--cluster", nodes.address]) == 0
    here, there = (Records(tmp_path / place).of("lenet") for place in ("here", "there"))
    assert [record.history["train_loss"] for record in here] == [r.history["train_loss"] for r in there]
    assert [record.misread for record in here] == [record.misread for record in there]
    for record in there:
        Records(tmp_path / "there").attachment(record, "network")  # it came back complete


def test_a_missing_cluster_gives_one_message(tmp_path, capsys):
    words = ["run", "lenet", "--dataset", "digits", "--cluster", "127.0.0.1:1"]
    assert main([*words, "--results", str(tmp_path)]) == 2
    assert "No Ray cluster answers at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.alone
def test_a_killed_node_neither_loses_nor_doubles_a_run(nodes, executions, tmp_path):
    runs = [run("sleep-0.5", seed) for seed in range(40)]

    def kill():
        until(lambda: len(done(executions)) >= 12)
        nodes.kill(1)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome, events = study(tmp_path, runs, nodes)
    killer.join()
    assert not outcome.failed
    assert events["ended"] == 40
    records = Records(tmp_path).of("lenet")
    assert sorted(record.seed for record in records) == list(range(40))
    assert {record.status for record in records} == {"finished"}
    assert records[0].environment["commit"] == "c"
    assert records[0].environment["versions"]
    executed = done(executions)
    assert len(set(executed)) == 40
    assert len(executed) <= 44, "more was done again than the killed node was at"
    again, _ = study(tmp_path, runs, nodes)
    assert again.ended == outcome.ended
    assert done(executions) == executed, "what has a record was run again"
