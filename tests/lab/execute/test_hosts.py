"""Several hosts train together: two real processes on this machine; in some tests one of them dies."""

import dataclasses
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.declare import catalogue, machine
from lab.declare.machine import Hosts
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.execute import host_worker, hosts
from lab.execute.host_worker import explain
from lab.execute.job import Job, RunList
from lab.execute.pool import WorkersLost
from lab.learn.training import Trainer
from lab.store.records import Records
from tests.support.listening import Counting
from tests.support.waiting import SECONDS, free_ports, until

ROOT = Path(__file__).parents[3]
STUDY = ["run", "lenet", "--dataset", "digits", "--variants", "lenet5-relu"]
EQUAL = 1e-9  # the same bound as for two replicas on one host in float64, see test_devices.py


def config(addresses, index):
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


@pytest.fixture
def addresses():
    """Two free addresses on this machine."""
    return [f"127.0.0.1:{port}" for port in free_ports(2)]


@pytest.fixture
def call(addresses, tmp_path):
    """Starts the same call on both hosts, each with its own results folder."""
    started = []

    def start(*words):
        for index in range(2):
            command = [sys.executable, "-m", "experiments", *STUDY, *words, "--results", str(tmp_path / str(index))]
            environment = {**os.environ, "TF_CONFIG": config(addresses, index)}
            started.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
        return started

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.alone
def test_two_hosts_train_like_one_and_only_the_chief_writes(call, digits, tmp_path):
    processes = call("--seeds", "2", "--epochs", "2", "--precision", "float64")
    answers = [process.communicate(timeout=SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert "the chief, which writes the records" in answers[0][0]
    assert not (tmp_path / "1").exists() or not list((tmp_path / "1").rglob("*.*"))
    records = Records(tmp_path / "0").of("lenet")
    assert [record.seed for record in records] == [0, 1]
    declared = catalogue.find("lenet").named["lenet5-relu"].settings
    trainer = Trainer(dataclasses.replace(declared, epochs=2, precision="float64"), digits)
    for record in records:
        alone = trainer.run(record.seed)
        assert record.environment["hosts"] == 2
        assert record.environment["devices"] == "cpu:2"
        assert record.history["train_loss"] == pytest.approx(alone["history"]["train_loss"], abs=EQUAL)
        assert record.metrics["test_loss"] == pytest.approx(alone["metrics"]["test_loss"], abs=EQUAL)
        assert record.misread == alone["misread"]


@pytest.mark.alone
@pytest.mark.parametrize(("victim", "sent"), [(1, signal.SIGKILL), (1, signal.SIGSTOP), (0, signal.SIGKILL)])
def test_a_lost_host_ends_the_call_with_a_failed_record(call, addresses, tmp_path, victim, sent):
    processes = call("--seeds", "500", "--epochs", "2")
    until(lambda: list(tmp_path.glob("0/runs/lenet/*.json")), processes[0])
    (child,) = (int(pid) for pid in _children(processes[victim].pid))
    os.kill(child, sent)
    other = processes[1 - victim]
    _, errors = other.communicate(timeout=SECONDS)
    assert other.returncode == 1
    assert f"{addresses[victim]} was lost" in errors
    if sent == signal.SIGSTOP:  # its parent would wait until its patience ends
        return
    _, errors = processes[victim].communicate(timeout=SECONDS)
    assert processes[victim].returncode == 1
    statuses = [record.status for record in Records(tmp_path / "0").of("lenet")]
    assert statuses.count("failed") == 1
    assert "finished" in statuses


def _children(parent):
    """The worker process of a call. `multiprocessing` also starts a helper process."""
    lines = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], check=True, capture_output=True, text=True).stdout
    rows = [line.split(maxsplit=2) for line in lines.splitlines()]
    return [pid for pid, ppid, command in rows if ppid == str(parent) and "spawn_main" in command]


@pytest.mark.slow
def test_a_call_ends_when_another_host_never_connects(addresses, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config(addresses, 0))
    run = Run("lenet", "lenet5-relu", "digits", Training("lenet5-relu"), 0)
    job = Job("lab.learn.training.TrainingWork", Records(tmp_path))
    together = hosts.AllHosts(job, Counting(), Hosts(tuple(addresses), 0), patience=15)
    with pytest.raises(WorkersLost, match="did not connect: no message for 15 seconds"):
        together.execute(RunList([run]))
    assert Records(tmp_path).of("lenet") == []


def together(addresses, index, folder):
    """Prints the outcomes of two runs. The chief is killed after both hosts have ended the first."""
    runs = [Run("lenet", "killchief", "digits", Training("linear"), seed) for seed in range(2)]
    job = Job("tests.support.work.Scripted", Records(Path(folder)))
    call = hosts.AllHosts(job, Counting(), Hosts(tuple(addresses), index))
    outcome = call.execute(RunList(runs))
    print(json.dumps([sorted(outcome.ended), outcome.failed]))


@pytest.mark.alone
def test_a_chief_lost_between_two_runs_fails_the_next_run(addresses, tmp_path):
    calls = []
    for index in range(2):
        folder = str(tmp_path / str(index))
        code = f"from tests.lab.execute.test_hosts import together; together({addresses}, {index}, {folder!r})"
        environment = {**os.environ, "TF_CONFIG": config(addresses, index), "EXECUTIONS": str(tmp_path / "executions")}
        command = [sys.executable, "-c", code]
        calls.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
    answers = [json.loads(call.communicate(timeout=SECONDS)[0].splitlines()[-1]) for call in calls]
    first, second = (Run("lenet", "killchief", "digits", Training("linear"), seed).key for seed in range(2))
    assert answers[0][0] == []
    assert "SIGKILL" in answers[0][1][first]
    assert answers[1][0] == [first]
    assert "was lost" in answers[1][1][second]
    assert [record.status for record in Records(tmp_path / "0").of("lenet")] == ["failed"]


def twins():
    """Two runs whose digests begin with the same 16 bits."""
    seen = {}
    for seed in range(10_000):  # found after about three hundred
        run = Run("lenet", "lenet1", "digits", Training("linear"), seed)
        beginning = hashlib.sha256(run.key.encode()).digest()[:2]
        if beginning in seen:
            return seen[beginning], run
        seen[beginning] = run
    raise AssertionError("no twins")


def test_the_fingerprint_contains_the_whole_digest():
    one, other = (host_worker.fingerprint(run.key) for run in twins())
    assert one[0] == other[0]
    assert one != other
    assert len(one) == host_worker.FINGERPRINT_SIZE
    assert np.float32(one).tolist() == one
    digest = hashlib.sha256(twins()[0].key.encode()).hexdigest()
    assert "".join(f"{int(mark):04x}" for mark in one) == digest


def alone(addresses, index, folder, seed):
    """Prints the outcome of a call of this host for the run of one seed."""
    run = Run("lenet", "lenet1", "digits", Training("linear"), seed)
    job = Job("tests.support.work.Scripted", Records(Path(folder)))
    call = hosts.AllHosts(job, Counting(), Hosts(tuple(addresses), index))
    try:
        print(json.dumps(call.execute(RunList([run])).failed))
    except WorkersLost as error:
        print(json.dumps({"lost": str(error)}))


@pytest.mark.alone
def test_hosts_called_for_different_runs_do_not_train(addresses, tmp_path):
    calls = []
    for index, run in enumerate(twins()):
        folder = str(tmp_path / str(index))
        code = f"from tests.lab.execute.test_hosts import alone; alone({addresses}, {index}, {folder!r}, {run.seed})"
        environment = {**os.environ, "TF_CONFIG": config(addresses, index), "EXECUTIONS": str(tmp_path / "executions")}
        command = [sys.executable, "-c", code]
        calls.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
    answers = [call.communicate(timeout=SECONDS)[0].splitlines()[-1] for call in calls]
    assert all("was called for other runs than" in answer for answer in answers), answers
    assert not (tmp_path / "executions").exists()


def test_tf_config_names_the_hosts():
    assert machine.configured(None) is None
    assert machine.configured(config(["a:1"], 0)) is None  # one host: no joint training
    two = machine.configured(config(["a:1", "b:1"], 1))
    assert two == Hosts(("a:1", "b:1"), 1)
    assert not two.chief
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    chief = machine.configured(json.dumps({"cluster": cluster, "task": {"type": "chief", "index": 0}}))
    last = machine.configured(json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 1}}))
    assert chief.chief
    assert last == Hosts(("a:1", "b:1", "c:1"), 2)


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "{}",
        "[]",
        config(["a:1", "b:1"], 2),
        json.dumps({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}),
    ],
)
def test_an_invalid_tf_config_is_refused(wrong):
    with pytest.raises(UsageError, match="TF_CONFIG cannot be read"):
        machine.configured(wrong)


def test_a_lost_host_is_named(monkeypatch):
    UnavailableError = type("UnavailableError", (Exception,), {})  # the name of TensorFlow's exception
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as other:
        names = [f"127.0.0.1:{each.getsockname()[1]}" for each in (listening, other)]
        three = Hosts(("a:1", *names), 0)
        monkeypatch.setenv("TF_CONFIG", config(list(three.addresses), 0))
        told = "Error reported from /job:worker/task:1: These tasks are unhealthy:\n/job:worker/replica:0/task:1\n"
        assert explain(UnavailableError(told), three) == f"{names[0]} was lost; call all hosts again"
        assert explain(UnavailableError("Socket closed"), three) == "a host was lost; call all hosts again"
        other.shutdown(socket.SHUT_RDWR)  # it no longer listens, but its port stays taken
        assert explain(UnavailableError("Socket closed"), three) == f"{names[1]} was lost; call all hosts again"
        assert explain(ValueError("else"), three) == "ValueError: else"
