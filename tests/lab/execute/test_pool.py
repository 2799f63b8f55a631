"""The worker pool with real worker processes, some of which die, and the engine in this process."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.execute.in_process import InProcess
from lab.execute.job import Job, RunList
from lab.execute.pool import WorkerPool, WorkersLost
from lab.store.records import Records
from tests.support.listening import Counting
from tests.support.waiting import SECONDS, until
from tests.support.work import Reading

ROOT = Path(__file__).parents[3]
WORK = "tests.support.work.Scripted"


@pytest.fixture
def executions(tmp_path, monkeypatch):
    """The file to which `tests.support.work.Scripted` appends a line for each execution."""
    monkeypatch.setenv("EXECUTIONS", str(tmp_path / "executions"))
    return tmp_path / "executions"


def run(variant, seed=0):
    return Run("lenet", variant, "digits", Training("linear"), seed)


def pooled(results, runs, workers=2, work=WORK, on_idle=None, **options):
    listener = Counting()
    job = Job(work, Records(results), **options)
    outcome = WorkerPool(job, listener, workers, on_idle).execute(RunList(runs))
    return outcome, listener.events


def test_every_run_is_executed_once_and_workers_are_reused(tmp_path, executions):
    runs = [run("ok", seed) for seed in range(20)]
    outcome, events = pooled(tmp_path / "r", runs)
    assert events["ended"] == 20
    assert not outcome.failed
    assert len(executions.read_text().splitlines()) == 20
    assert len({metrics["process"] for metrics in outcome.ended.values()}) <= 2
    again, _ = pooled(tmp_path / "r", runs)
    assert again.ended == outcome.ended
    assert len(executions.read_text().splitlines()) == 20
    pooled(tmp_path / "r", runs[:3], force=True)
    assert len(executions.read_text().splitlines()) == 23


def test_the_engine_in_this_process_gives_the_same_outcomes_as_the_pool(tmp_path, executions):
    runs = [run("ok", 0), run("raise"), run("skip"), run("ok", 1)]
    listener = Counting()
    here = InProcess(Job(WORK, Records(tmp_path / "here"), retries=1), listener).execute(RunList(runs))
    there, events = pooled(tmp_path / "there", runs, retries=1)
    assert here.ended.keys() == there.ended.keys()
    assert here.failed == there.failed
    assert listener.events == events
    assert {metrics["process"] for metrics in here.ended.values()} == {os.getpid()}
    again = InProcess(Job(WORK, Records(tmp_path / "here")), Counting()).execute(RunList(runs[:1]))
    assert again.ended == {runs[0].key: here.ended[runs[0].key]}


def test_on_idle_is_called_once_while_a_run_is_in_progress(tmp_path, executions):
    left = []

    def on_idle():
        left.append(len(Records(tmp_path / "r").of("lenet")))
        executions.with_name("executions.go").touch()  # lets the last run end

    pooled(tmp_path / "r", [*(run("ok", seed) for seed in range(4)), run("hold")], on_idle=on_idle)
    assert left == [4]


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("raise", "ValueError: this run raises"),
        ("memory", "MemoryError"),
        ("missing", "another run's network"),
        ("connection", "ConnectionResetError: [Errno 104]"),
        ("timeout", "TimeoutError: timed out"),
        ("permission", "PermissionError"),
        ("picture", "UnidentifiedImageError"),
        ("lock", "Timeout"),
        ("exit", "exit code 7"),
        ("segfault", "SIGSEGV"),
        ("kill", "SIGKILL"),
    ],
)
def test_a_failing_run_does_not_affect_the_others(tmp_path, executions, variant, reason):
    runs = [run("ok", 0), run(variant), *(run("ok", seed) for seed in range(1, 6))]
    outcome, events = pooled(tmp_path, runs)
    assert events["ended"] == 6
    ((key, why),) = outcome.failed.items()
    assert key == runs[1].key
    assert reason in why
    (failed,) = [record for record in Records(tmp_path).of("lenet") if record.status == "failed"]
    assert failed.reason == why
    if variant == "exit":
        assert failed.last_lines.endswith("last words")
    if variant == "raise":
        assert "Traceback" in failed.last_lines


def test_a_failed_run_is_tried_again_with_retries_and_by_the_next_call(tmp_path, executions):
    outcome, events = pooled(tmp_path, [run("once", 1)], retries=1)
    assert (events["again"], events["ended"]) == (1, 1)
    outcome, events = pooled(tmp_path, [run("once", 2)])
    assert outcome.failed
    outcome, events = pooled(tmp_path, [run("once", 2)])
    assert events["ended"] == 1
    assert [record.status for record in Records(tmp_path).of("lenet")] == ["finished"] * 2


def test_a_failure_is_not_recorded_while_another_call_holds_the_run(tmp_path, executions):
    records = Records(tmp_path)

    class Beside(Counting):
        def failed(self, run, reason, again):
            self.lock = records.lock(run)
            self.lock.acquire(timeout=SECONDS)

    listener = Beside()
    outcome = WorkerPool(Job(WORK, records), listener, 1).execute(RunList([run("raise")]))
    assert outcome.failed
    assert records.of("lenet") == []
    listener.lock.release()


def test_a_run_that_lacks_its_input_is_skipped_and_leaves_no_record(tmp_path, executions):
    outcome, events = pooled(tmp_path, [run("skip"), run("ok")])
    assert (events["make something else first"], events["ended"]) == (1, 1)
    assert not outcome.failed
    assert len(Records(tmp_path).of("lenet")) == 1


@pytest.mark.parametrize("network", ["hold", "raise", "skip"])
def test_a_run_waits_for_the_runs_of_its_call_that_it_needs(tmp_path, executions, network):
    """With FORCE, a run that did not wait would read the old network."""
    go = executions.with_name("executions.go")  # lets "hold" end
    go.touch()
    has_begun = lambda name: executions.exists() and name in executions.read_text()  # noqa: E731
    reading = [Run("lenet", f"ok-{number}", "digits", Reading(network), 0) for number in range(2)]
    other = run("ok", 5)
    pooled(tmp_path, [run(network)])
    executions.unlink()
    go.unlink()
    begun = threading.Thread(target=lambda: (until(lambda: has_begun("ok 5 ")), go.touch()))
    begun.start()  # "hold" ends only after the other run has begun
    outcome, _ = pooled(tmp_path, [run(network), *reading, other], force=True)
    begun.join()
    assert set(outcome.ended) >= {each.key for each in (*reading, other)}
    order = [line.split()[0] for line in executions.read_text().splitlines()]
    assert order.index("ok") < 2 or network != "hold"  # it needs nothing
    assert order.index(network) < min(order.index("ok-0"), order.index("ok-1"))
    assert sorted(order) == sorted([network, "ok", "ok-0", "ok-1"])


def test_an_unwritable_record_ends_the_call_and_other_os_errors_do_not(tmp_path, executions):
    with pytest.raises(OSError, match="No space left on device"):
        pooled(tmp_path, [run("connection"), run("full"), *(run("ok", seed) for seed in range(5))], workers=1)
    records = Records(tmp_path)
    assert [record.status for record in records.of("lenet")] == ["failed"]
    assert not list(records.folder("lenet").glob(".part-*"))


def test_a_run_with_a_non_finite_number_has_diverged(tmp_path, executions):
    outcome, events = pooled(tmp_path, [run("nan")])
    assert (events["ended"], outcome.failed) == (1, {})
    (record,) = Records(tmp_path).of("lenet")
    assert (record.status, record.metrics, record.not_finite) == ("diverged", {"value": 1.0}, ["test_loss"])


def test_workers_that_cannot_start_end_the_call(tmp_path):
    with pytest.raises(WorkersLost, match="no_such_module"):
        pooled(tmp_path, [run("ok")], work="tests.no_such_module.Work")


def call(folder, variants, seeds):
    """Starts another process that runs the same study."""
    code = (
        "import sys; sys.path[:0] = ['.']\n"
        "from pathlib import Path; from tests.lab.execute.test_pool import pooled, run\n"
        f"if __name__ == '__main__':\n"
        f"    o, e = pooled(Path({str(folder)!r}), [run(v, s) for v in {variants} for s in range({seeds})])\n"
        f"    print(len(o.ended), len(o.failed))\n"
    )
    folder.mkdir(exist_ok=True)
    script = folder / f"call{len(list(folder.glob('call*.py')))}.py"
    script.write_text(code)
    return subprocess.Popen(
        [sys.executable, str(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_four_simultaneous_calls_share_the_work(tmp_path, executions):
    calls = [call(tmp_path / "r", ["sleep-0.2"], 12) for _ in range(4)]
    answers = [process.communicate(timeout=SECONDS)[0].strip() for process in calls]
    assert answers == ["12 0"] * 4
    done = [tuple(line.split()[:2]) for line in executions.read_text().splitlines()]
    assert sorted(done) == sorted(("sleep-0.2", str(seed)) for seed in range(12))


def test_a_lock_left_by_a_dead_process_is_free(tmp_path, executions):
    first = call(tmp_path / "r", ["hold"], 1)
    until(lambda: workers(executions), first)
    os.killpg(first.pid, 9)
    first.communicate()
    # The system frees the lock when the last thread has ended, perhaps a moment after the process seems gone.
    with Records(tmp_path / "r").lock(run("hold")).acquire(timeout=SECONDS):
        pass


def test_no_worker_outlives_a_killed_parent(tmp_path, executions):
    process = call(tmp_path / "r", ["hold"], 2)
    until(lambda: len(workers(executions)) == 2, process)
    process.kill()  # only the parent
    process.communicate()
    until(lambda: not any(alive(worker) for worker in workers(executions)))


def workers(executions):
    """The ids of the processes that have begun a run."""
    lines = executions.read_text().splitlines() if executions.exists() else []
    return {int(line.split()[2]) for line in lines if len(line.split()) == 3}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
