"""No record is lost or doubled: real processes are killed at random moments, meet full disks, and run at the same time.

Twelve kills by default, two of them (of many, a tenth) in real training and the rest in work that is as quick as it
is simple; `KILLS=200 make test PYTEST="-k durable -s"` is the long version. What a kill costs is printed, and not
judged: it is mostly the seconds in which TensorFlow starts anew, so the study's time grows by a share that depends on
how far apart the kills are. With `KILLS=240 STORM_SEEDS=100 SPACING=35` they are as far apart as a user may fear them.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from lab.declare import catalogue
from lab.declare.recipe import Training
from lab.declare.run import Run
from lab.execute.job import Job, RunList
from lab.execute.pool import WorkerPool
from lab.report.table import tables
from lab.store.records import Records
from tests.support.listening import Counting
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("KILLS", "12"))
IN_TRAINING = max(2, KILLS // 10)
EACH = -(-(KILLS - IN_TRAINING) // 3)  # in scripted work, in writing records, and in making tables
SEEDS = os.environ.get("STORM_SEEDS", "2")  # per variant of the killed study
SPACING = float(os.environ.get("SPACING", "0"))  # mean seconds between kills; 0: all kills fall within one study
STUDY = ["run", "lenet", "--dataset", "digits", "--variants", "lenet1,lenet5-relu", "--seeds", SEEDS, "--epochs", "2"]


def start(words, **options):
    """Starts a call of the suite in its own session, so that all its processes can be killed together."""
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def finished(results):
    """The content and time of every record and of its network, after checking the network against its record."""
    found = {}
    for path in (results / "runs" / "lenet").glob("[!.]*.json"):
        content = path.read_bytes()
        found[path.name] = (hashlib.sha256(content).hexdigest(), path.stat().st_mtime_ns)
    for record in Records(results).of("lenet"):
        network = results / "runs" / "lenet" / record.attached["network"].file
        assert hashlib.sha256(network.read_bytes()).hexdigest() == record.attached["network"].sha256
    return found


def losses(record):
    return (record.history or {}).get("train_loss")


def timeless(path):
    """A table without its columns of times."""
    frame = pd.read_csv(path)
    return frame[[column for column in frame if "seconds" not in column]]


def trained(results, workers=1):
    """Starts a study of real training."""
    return start([*STUDY, "--workers", str(workers), "--results", str(results)])


def scripted(results):
    """Starts a study of a hundred runs that train nothing, each with a network of a few kilobytes, and its table."""
    code = f"from tests.lab.store.test_durable import write_scripted; write_scripted({str(results)!r})"
    environment = {**os.environ, "EXECUTIONS": f"{results}.executions"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def write_scripted(results):
    records = Records(Path(results))
    runs = [Run("lenet", "network", "digits", Training("lenet1"), seed) for seed in range(100)]
    outcome = WorkerPool(Job("tests.support.work.Scripted", records), Counting(), 2).execute(RunList(runs))
    assert (len(outcome.ended), outcome.failed) == (100, {})
    tables.write(catalogue.find("lenet"), records)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The results of the study of real training, undisturbed and by two workers, and the seconds it took."""
    folder, began = tmp_path_factory.mktemp("calm"), time.monotonic()
    assert trained(folder, workers=2).communicate()[1] == ""
    return folder, time.monotonic() - began


@pytest.fixture(scope="module")
def calm_scripted(tmp_path_factory):
    folder, began = tmp_path_factory.mktemp("calm") / "scripted", time.monotonic()
    assert scripted(folder).communicate()[1] == ""
    return folder, time.monotonic() - began


@pytest.mark.parametrize(
    ("study", "undisturbed", "wanted", "earliest", "latest"),
    [(trained, "calm", IN_TRAINING, 0.5, 0.6), (scripted, "calm_scripted", EACH, 0.1, 1.2)],
)
@pytest.mark.slow
def test_a_study_killed_at_random_moments_gives_the_table_of_an_undisturbed_one(
    tmp_path, request, study, undisturbed, wanted, earliest, latest
):
    """From `earliest` seconds on, up to `latest` times what the undisturbed study takes."""
    calm, calm_seconds = request.getfixturevalue(undisturbed)
    chance = random.Random(1)
    latest = (study is trained and 2 * SPACING) or latest * calm_seconds
    kept, kills, wiped, began = {}, 0, 0, time.monotonic()
    while True:
        process = study(tmp_path / "stormy")
        try:
            process.wait(timeout=chance.uniform(earliest, latest) if kills < wanted else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        _, errors = process.communicate()
        assert "Set aside" not in errors
        now = finished(tmp_path / "stormy")
        assert kept.items() <= now.items(), "a finished run was lost or repeated"
        kept = now
        if process.returncode == 0:
            if kills >= wanted:
                break
            shutil.rmtree(tmp_path / "stormy")  # it ended before the last kill: start it again
            kept, wiped = {}, wiped + 1
    stormy_seconds = (time.monotonic() - began) / (wiped + 1)
    a_kill = (time.monotonic() - began - (wiped + 1) * calm_seconds) / kills
    print(
        f"\nundisturbed {calm_seconds:.1f} s; {kills} kills in {wiped + 1} studies: {stormy_seconds:.1f} s a study, "
        f"{stormy_seconds / calm_seconds:.2f} times; a kill costs {a_kill:.1f} s"
    )
    # Nor does the number of workers matter: real training has two undisturbed, and one that is killed.
    pd.testing.assert_frame_equal(timeless(tmp_path / "stormy/lenet.csv"), timeless(calm / "lenet.csv"))
    one, other = (Records(folder).of("lenet") for folder in (tmp_path / "stormy", calm))
    assert [record.misread for record in one] == [record.misread for record in other]
    assert [losses(record) for record in one] == [losses(record) for record in other]
    assert not list((tmp_path / "stormy").rglob(".part-*"))


WRITER = """
import sys
from pathlib import Path
from lab.declare.work import Attachment
from lab.store.records import Records
from lab.declare.recipe import Training
from lab.declare.run import Run
records = Records(Path(sys.argv[1]))
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    run = Run("lenet", "lenet1", "digits", Training("lenet1"), seed)
    with records.lock(run):
        if not records.find(run):
            outcome = {"status": "finished", "facts": {}, "metrics": {"value": seed}, "misread": {"test": [seed] * 50}}
            weights = bytes([seed % 256]) * 30_000
            records.save(run, outcome, Attachment(".keras", lambda path: path.write_bytes(weights)))
"""


def writer(results, first, last):
    command = [sys.executable, "-c", WRITER, str(results), str(first), str(last)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_a_writer_killed_at_random_moments_loses_no_record_and_leaves_no_temporary_file(tmp_path):
    chance, kept = random.Random(2), {}
    for _ in range(EACH):
        process = writer(tmp_path, 0, 1_000_000)
        # The kill falls at any moment of writing, but only after some more records, however long the start takes.
        more = len(kept) + chance.randrange(1, 100)
        until(lambda more=more: len(list(tmp_path.glob("runs/lenet/[!.]*.json"))) >= more, process)
        process.kill()
        assert not process.communicate()[1]
        now = finished(tmp_path)
        assert kept.items() <= now.items()
        kept = now
    last = len(kept) + 10
    assert not writer(tmp_path, 0, last).communicate()[1]
    assert kept.items() <= finished(tmp_path).items()
    assert sorted(record.metrics["value"] for record in Records(tmp_path).of("lenet")) == list(range(last))
    assert not list(tmp_path.rglob(".part-*"))
    assert not list(tmp_path.rglob("*.set-aside"))


def test_a_table_writer_killed_at_random_moments_leaves_the_old_or_the_new_table(tmp_path):
    (tmp_path / "runs" / "lenet").mkdir(parents=True)
    records = Records(tmp_path)
    for seed in range(50):
        run = Run("lenet", "lenet1", "digits", Training("lenet1"), seed)
        records.save(run, {"status": "finished", "facts": {}, "metrics": {"test_error_percent": float(seed)}})
    began = time.monotonic()
    assert start(["tables", "--results", str(tmp_path)]).communicate()[1] == ""
    needed = time.monotonic() - began
    whole = (tmp_path / "lenet.csv").read_bytes()
    chance = random.Random(3)
    for _ in range(KILLS - IN_TRAINING - 2 * EACH):
        (tmp_path / "lenet.csv").write_bytes(b"old")
        process = start(["tables", "--results", str(tmp_path)])
        time.sleep(chance.uniform(0.6, 1.1) * needed)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert (tmp_path / "lenet.csv").read_bytes() in (b"old", whole)
    assert start(["tables", "--results", str(tmp_path)]).communicate()[1] == ""
    assert (tmp_path / "lenet.csv").read_bytes() == whole
    assert not list(tmp_path.glob(".part-*"))


def test_simultaneous_calls_leave_a_complete_table_and_figure(tmp_path):
    shutil.copytree(ROOT / "results" / "reference" / "runs" / "parameters", tmp_path / "runs" / "parameters")
    calls = [start(["tables", "--results", str(tmp_path)]) for _ in range(6)]
    assert [(call.communicate()[1], call.returncode) for call in calls] == [("", 0)] * 6
    for file in ("parameters.csv", "parameters.svg"):
        assert (tmp_path / file).read_bytes() == (ROOT / "results" / "reference" / file).read_bytes()
    assert not list(tmp_path.glob(".part-*"))


def test_sixteen_processes_write_a_hundred_records_each(tmp_path):
    processes = [writer(tmp_path, 100 * n, 100 * (n + 1)) for n in range(16)]
    assert [process.communicate()[1] for process in processes] == [""] * 16
    values = [record.metrics["value"] for record in Records(tmp_path).of("lenet")]
    assert sorted(values) == list(range(1_600))


FULL_DISK = """
import subprocess, sys
from pathlib import Path
from lab.report.table import tables
from lab.declare.work import Attachment
from lab.store.records import Records
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
from lab.declare.run import Run

disk = Path(sys.argv[1])
experiment = Experiment("lenet", "?", "", (), (Variant("lenet1", Training("lenet1")),))
runs = [Run("lenet", "lenet1", "digits", Training("lenet1"), seed) for seed in range(3)]

def study(records):
    for run in runs:
        with records.lock(run):
            if not records.find(run):
                outcome = {"status": "finished", "facts": {}, "metrics": {"value": run.seed}}
                records.save(run, outcome, Attachment(".keras", lambda path: path.write_bytes(b"w" * 9_000)))
    tables.write(experiment, records)

for pages in range(1, 60):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "tmpfs", disk], check=True)
    if pages == 1:
        (disk / "filler").write_bytes(b"0" * 4096)
    records = Records(disk / "results")
    try:
        study(records)
        outcome = "whole"
    except OSError as error:
        assert error.errno == 28, error
        outcome = "full"
    kept = {path: path.read_bytes() for path in disk.glob("results/runs/lenet/*.json")}
    assert len(records.of("lenet")) == len(kept), "a part was taken for a record"
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    study(records)
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert len(records.of("lenet")) == 3
    assert not list(disk.rglob(".part-*"))
    subprocess.run(["umount", disk], check=True)
    print(pages, outcome, len(kept))
    if outcome == "whole":
        break
"""


@pytest.fixture
def namespace():
    """A command prefix for its own mount namespace, in which small real file systems are created."""
    words = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system allows no mount namespace, so no small disk can be made")
    return words


def test_a_disk_that_fills_up_at_any_write_loses_nothing(tmp_path, namespace):
    done = subprocess.run(
        [*namespace, sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = [line.split() for line in done.stdout.splitlines()]
    assert [outcome for _, outcome, _ in outcomes] == ["full"] * (len(outcomes) - 1) + ["whole"]
    assert {int(kept) for *_, kept in outcomes} == {
        0,
        1,
        2,
        3,
    }  # it was full before, between and after records


@pytest.mark.slow
def test_a_full_disk_gives_one_line_and_the_next_call_goes_on(tmp_path, namespace):
    study = "run lenet --dataset digits --variants lenet1 --seeds 2 --epochs 1 --workers 1 --results"
    script = f"""
        mount -t tmpfs -o size=60k tmpfs {tmp_path} || exit 99
        {sys.executable} -m experiments {study} {tmp_path}/r 2>&1 >/dev/null; echo "exit $?"
        mount -o remount,size=9m {tmp_path}
        {sys.executable} -m experiments {study} {tmp_path}/r 2>&1 >/dev/null; echo "exit $?"
        ls {tmp_path}/r/runs/lenet/*.json | wc -l
    """
    done = subprocess.run([*namespace, "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    first, *rest = done.stdout.strip().splitlines()
    assert first.startswith("error: ")
    assert "No space left on device" in first
    assert rest == ["exit 2", "exit 0", "2"]
