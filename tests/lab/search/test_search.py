"""Searches: KerasTuner chooses, no trial is lost or repeated, and a killed process costs at most one trial."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import cnn_models
from cnn_models.search_space import Choice, space
from lab.command.main import main
from lab.declare import catalogue, search
from lab.declare.experiment import TRIAL
from lab.declare.recipe import HANDWRITING, Measures, Training
from lab.declare.search import Search, Trial
from lab.errors import UsageError
from lab.execute.job import Job
from lab.execute.pool import WorkerPool
from lab.learn.training import Trainer
from lab.report.answers import ledger
from lab.report.draw import figures
from lab.report.table import csv_files, tables
from lab.store.record import Record
from lab.store.records import Records
from tests.support.listening import Counting
from tests.support.waiting import until

# KerasTuner uses deprecated names of the module `threading`.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).parents[3]
TUNE = catalogue.find("tune")


def asked(tuner="random", trials=6, epochs=9, model="lenet5-relu", seeds=1):
    return Search("tune", Training(model), "digits", tuner, epochs, seeds, trials)


@pytest.mark.parametrize(("tuner", "same"), [("random", True), ("bayesian", False), ("hyperband", False)])
def test_a_larger_search_continues_a_smaller_one_if_their_first_trials_are_equal(tuner, same):
    assert (asked(tuner, trials=6).name == asked(tuner, trials=12).name) is same


# The space


@pytest.mark.parametrize("model", cnn_models.MODELS)
def test_every_point_of_the_search_space_is_a_recipe(model):
    from lab.search import oracles

    known = oracles.hyperparameters(asked(model=model))
    for seed in range(50):
        values = {hp.name: hp.random_sample(seed * 100 + place) for place, hp in enumerate(known.space)}
        training = asked(model=model).training(values)
        assert training.splits == "search"
        assert training.batch_size <= 1_257  # the number of pictures of the smallest data set


def test_every_network_of_the_space_of_lenet5_has_the_parameters_of_its_width():
    options = {name: bounds.values for name, bounds in space("lenet5").items() if isinstance(bounds, Choice)}
    for width in options["width"]:
        c1, c3, c5, f6 = (round(width * count) for count in (6, 16, 120, 84))
        params = 26 * c1 + (25 * c1 + 1) * c3 + (25 * c3 + 1) * c5 + (c5 + 1) * f6 + (f6 + 1) * 10
        for activation in options["activation"]:
            for pooling in options["pooling"]:
                model = cnn_models.build("lenet5", width=width, activation=activation, pooling=pooling)
                assert model.count_params() == params


def test_distortion_grows_from_none_to_full_strength():
    assert search.distortion(0.0) is None
    assert search.distortion(1.0) == HANDWRITING
    assert search.distortion(0.25).rotation_degrees == 2.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Training("lenet5", options={"widht": 2}),
        lambda: Training("linear", options={"width": 2}),
        lambda: Training("lenet5", splits="test"),
        lambda: Training("lenet5", splits="final", measures=Measures(field_layer="c3")),
    ],
)
def test_impossible_recipes_are_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


# The splits


def test_a_trial_trains_like_any_run_but_never_reads_the_test_split(digits):
    blind = dataclasses.replace(digits, test=None)
    recipe = Training("linear", epochs=2)
    trial = Trainer(dataclasses.replace(recipe, splits="search"), blind).run(3)
    run = Trainer(recipe, digits).run(3)
    assert not [name for name in trial["metrics"] if "test" in name]
    assert trial["misread"] == {}
    assert trial["history"]["validation_loss"] == run["history"]["validation_loss"]


def test_a_final_run_learns_from_training_and_validation_pictures(digits):
    trainer = Trainer(Training("linear", epochs=1, splits="final"), digits)
    assert trainer.feed.examples == len(digits.train.labels) + len(digits.validation.labels)
    outcome = trainer.run(0)
    assert "test_accuracy" in outcome["metrics"]
    assert not [name for name in outcome["history"] if "validation" in name]
    assert "validation_accuracy" not in outcome["metrics"]


# Decisions


class Stage:
    """A search without an engine. Up to three trials are in progress; they end in random order."""

    def __init__(self, asked, folder, chance):
        self.asked, self.folder, self.chance = asked, folder, chance
        self.scored = {}
        self.reload()

    def reload(self):
        """Replaces the process by a new one, which knows only the files on disk."""
        self.trials = trials_of(self.asked, self.folder)
        self.busy = []

    def step(self):
        """Begins another run or ends one in progress. Returns False at the end of the search."""
        if self.busy and (len(self.busy) == 3 or self.chance.random() < 0.5):
            task = self.busy.pop(self.chance.randrange(len(self.busy)))
            assert task.facts["trial"] not in self.scored, "an ended trial was repeated"
            self.scored[task.facts["trial"]] = task.run.key
            self.trials.ended(task, scored(task))
        elif task := self.trials.next():
            self.busy.append(task)
        return bool(self.busy) or not self.trials.finished()


def trials_of(asked, folder):
    """The trials of a search whose journal lies in a results folder."""
    from lab.search.journal import journal
    from lab.search.oracles import Decisions
    from lab.search.trials import Trials

    return Trials(asked, Decisions(asked, journal(asked, Records(folder))))


def scored(task):
    score = 0.9 + task.run.settings.learning_rate + task.run.settings.epochs / 1000
    return Record({}, "finished", metrics={"validation_accuracy": score})


@pytest.mark.parametrize("tuner", search.TUNERS)
def test_an_interrupted_search_remembers_every_decision(tuner, tmp_path):
    trials = {"hyperband": None, "random": 12, "bayesian": 7}[tuner]
    stage = Stage(asked(tuner, trials), tmp_path, random.Random(3))
    while stage.step():
        if stage.chance.random() < 0.15:
            ended = stage.trials.trials()
            stage.reload()
            assert stage.trials.trials() == ended
    count = trials or 23
    assert len(stage.scored) == len(set(stage.scored.values())) == count
    stage.reload()
    assert stage.trials.finished()
    assert stage.trials.left == 0
    assert len(stage.trials.trials()) == count


def test_random_search_makes_the_same_trials_in_any_order_of_their_ends(tmp_path):
    keys = []
    for seed in range(2):
        stage = Stage(asked("random", 8), tmp_path / str(seed), random.Random(seed))
        while stage.step():
            pass
        keys.append(set(stage.scored.values()))
    assert keys[0] == keys[1]
    more = Stage(asked("random", 10), tmp_path / "1", random.Random(5))  # a larger search continues it
    assert len(more.trials.trials()) == 8
    assert more.trials.left == 2


def test_hyperband_gives_the_best_trials_more_epochs(tmp_path):
    stage = Stage(asked("hyperband", None), tmp_path, random.Random(0))
    while stage.step():
        pass
    recipes = [trial.training for trial in stage.trials.trials()]
    assert sorted({recipe.epochs for recipe in recipes}) == [1, 3, 9]
    first = sorted((r for r in recipes[:9] if r.epochs == 1), key=lambda r: r.learning_rate)
    promoted = [r.learning_rate for r in recipes if r.epochs == 3]
    assert first[-1].learning_rate in promoted


def test_a_trial_of_several_seeds_scores_their_mean_or_0_if_one_failed(tmp_path):
    trials = trials_of(asked("random", 2, seeds=3), tmp_path)
    tasks = [trials.next() for _ in range(6)]
    assert [task.run.seed for task in tasks] == [100, 101, 102] * 2
    for task, score in zip(tasks, (0.7, 0.8, 0.9), strict=False):
        trials.ended(task, Record({}, "finished", metrics={"validation_accuracy": score}))
    for task, record in zip(tasks[3:], (scored(tasks[3]), None, scored(tasks[5])), strict=True):
        trials.ended(task, record)
    assert [trial.score for trial in trials.trials()] == [pytest.approx(0.8), 0.0]
    assert trials.finished()


def test_a_diverged_trial_scores_0(tmp_path):
    trials = trials_of(asked("random", 1), tmp_path)
    trials.ended(trials.next(), Record({}, "diverged", metrics={"validation_accuracy": 0.9}))
    assert [trial.score for trial in trials.trials()] == [0.0]


@pytest.mark.parametrize(
    "events",
    [
        [("created", 0, {"learning_rate": 1.0})],
        [("created", "tuner-0", "00", {"learning_rate": 1.0}), ("released", "tuner-0")],  # written by an older version
        [("ended", 3, 0.5)],
    ],
)
def test_a_journal_that_contradicts_the_oracle_is_discarded(events, tmp_path, capsys):
    from lab.search.journal import journal
    from lab.search.trials import open_trials

    kept = journal(asked(), Records(tmp_path))
    for event in events:
        kept.append(*event)
    with open_trials(asked(), Records(tmp_path), force=False) as trials:
        assert trials.next().facts["trial"] == 1
    assert "starts again" in capsys.readouterr().out


def test_a_damaged_journal_is_set_aside_and_the_search_starts_again(tmp_path, capsys):
    from lab.search.journal import journal

    trials_of(asked(), tmp_path).next()
    kept = journal(asked(), Records(tmp_path))
    kept.path.write_bytes(kept.path.read_bytes()[:-9])
    assert not trials_of(asked(), tmp_path).finished()
    assert "Set aside" in capsys.readouterr().err


# The recipes that a search finds


def test_the_best_recipes_are_chosen_each_once(digits):
    low, high = Training("linear", learning_rate=1e-3), Training("linear", learning_rate=2e-3)
    trials = [
        Trial(1, dataclasses.replace(low, epochs=1), 0.8),
        Trial(2, dataclasses.replace(low, epochs=3), 0.9),
        Trial(3, dataclasses.replace(high, epochs=3), 0.85),
        Trial(4, Training("linear", learning_rate=1e-1), 0.0),
    ]
    assert [trial.number for trial in search.best(trials, 3)] == [2, 3]
    found = search.finals(TUNE, asked(model="linear"), None, trials).variants
    assert [variant.name for variant in found] == ["default", "tuned", "runner-up"]
    assert {variant.settings.splits for variant in found} == {"final"}
    assert {variant.settings.model for variant in found} == {"linear"}
    assert [variant.settings.epochs for variant in found] == [15, 3, 3]
    assert search.finals(TUNE, asked(model="linear"), 2, trials).variants[0].settings.epochs == 2


# Processes


class Remembering(Counting):
    """A listener that also remembers the failed runs, and whether each is tried again."""

    def __init__(self):
        super().__init__()
        self.failures = []

    def failed(self, run, reason, again):
        super().failed(run, reason, again)
        self.failures.append((run.settings.batch_size, again))


@pytest.fixture
def executions(tmp_path, monkeypatch):
    file = tmp_path / "executions"
    file.touch()
    monkeypatch.setenv("EXECUTIONS", str(file))
    return file


def searched(results, trials, listener, workers=2, force=False):
    """Runs a search in worker processes; returns its trials and the reasons of failed runs."""
    from lab.search.trials import open_trials

    job = Job("tests.support.work.Scored", Records(results), lost_retries=1, force=force)
    with open_trials(asked("random", trials, model="linear"), job.records, force) as source:
        outcome = WorkerPool(job, listener, workers).execute(source)
        return source.trials(), outcome.failed


def test_the_search_goes_on_after_trials_that_diverge_raise_or_kill_their_worker(tmp_path, executions, monkeypatch):
    monkeypatch.setenv("WAYS", "raise kill diverge")
    trials, reasons = searched(tmp_path, 7, listener := Remembering())
    sizes = {trial.training.batch_size for trial in trials}
    assert len(trials) == 7
    assert sizes == {32, 64, 128, 256}, "the space or the seed has changed: choose other trials"
    assert all((trial.score > 0) == (trial.training.batch_size == 256) for trial in trials)
    for size, reason in ((32, "this trial raises"), (64, "SIGKILL")):
        assert [again for one, again in listener.failures if one == size].count(False) >= 1
        assert any(reason in text for text in reasons.values())
    frame = tables.write(TUNE, Records(tmp_path)).set_index("batch_size")
    status = {32: "failed", 64: "failed", 128: "diverged", 256: "finished"}
    assert len(frame) == 7
    assert all(frame.loc[[size], "status"].eq(word).all() for size, word in status.items())
    assert frame["learning_rate"].notna().all()
    assert sorted(frame["trial"]) == list(range(1, 8))
    lines = executions.read_text().split()[::2]
    by_size = {key: lines.count(key) for key in lines}
    killed = [key for key, reason in reasons.items() if "SIGKILL" in reason]
    assert all(by_size[key] == (2 if key in killed else 1) for key in by_size)
    searched(tmp_path, 7, Counting())
    assert executions.read_text().split()[::2] == lines, "an ended trial was repeated"


def test_only_one_process_runs_a_search(tmp_path, executions):
    from lab.search.trials import open_trials

    records = Records(tmp_path)
    with (
        open_trials(asked("random", 2, model="linear"), records, False),
        pytest.raises(UsageError, match="Another process"),
    ):
        searched(tmp_path, 2, Counting())


def test_a_search_on_the_hosts_of_tf_config_is_refused(monkeypatch, tmp_path, capsys):
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert main(["run", "tune", "--dataset", "digits", "--results", str(tmp_path / "r")]) == 2
    assert "by CLUSTER" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet", "--trials", "3"], "takes no --trials"),
        (["filters", "--tuner", "random"], "takes no --tuner"),
        (["tune", "--variant", "lenet5-rely"], "Did you mean lenet5-relu"),
        (["tune", "--devices", "cpu:3"], "do not divide a batch"),
    ],
)
def test_an_impossible_search_is_refused_before_anything_starts(words, message, tmp_path, capsys):
    assert main(["run", *words, "--results", str(tmp_path / "r")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


# Whole searches by the command line


STUDY = ["run", "tune", "--dataset", "digits", "--variant", "linear", "--tuner", "random"]
SHORT = ["--trials", "5", "--epochs", "2", "--seeds", "1"]
KILLED_AFTER = 2  # trials


def start(results, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", *STUDY, *SHORT, *words, "--results", str(results)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def written(results):
    """The names of the trials' records, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (results / "runs/tune").glob("trial*.json")}


def workers(parent):
    """The process ids of a call's workers."""
    out = subprocess.run(
        ["ps", "-ww", "-o", "pid=", "-o", "args=", "--ppid", str(parent)], capture_output=True, text=True
    ).stdout
    return [int(line.split()[0]) for line in out.splitlines() if "spawn_main" in line]


@pytest.fixture(scope="module")
def survived(tmp_path_factory):
    """The results of a search; one of its two workers was killed."""
    folder = tmp_path_factory.mktemp("survived")
    process = start(folder, "--workers", "2")
    until(lambda: len(workers(process.pid)) == 2, process)
    victim = workers(process.pid)[0]
    until(lambda: len(written(folder)) >= 1, process)
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "absl::InitializeLog" not in output  # KerasTuner imports TensorFlow
    return folder


@pytest.mark.slow
def test_a_killed_worker_loses_no_trial(survived):
    assert len(written(survived)) == 5
    frame = csv_files.read(survived / "tune.csv")
    assert frame["variant"].tolist() == ["default", "tuned", "runner-up", *[TRIAL] * 5]
    assert (frame["failed"] == 0).all()
    assert (survived / "tune.svg").stat().st_size > 1_000
    assert frame.loc[frame["variant"] == TRIAL, "test_accuracy_mean"].isna().all()
    assert frame.loc[frame["variant"] != TRIAL, "comparison"].str.contains("baseline|too few seeds: 1").all()


@pytest.mark.slow
def test_a_killed_search_goes_on_where_it_stopped(survived, tmp_path):
    process = start(tmp_path, "--workers", "1")
    until(lambda: len(written(tmp_path)) >= KILLED_AFTER, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = written(tmp_path)
    process = start(tmp_path, "--workers", "1")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    now = written(tmp_path)
    assert kept.items() <= now.items(), "a finished execution was lost or repeated"
    assert now.keys() == written(survived).keys(), "the trials differ from those of the other search"
    mine, other = (csv_files.read(folder / "tune.csv").set_index("specification") for folder in (tmp_path, survived))
    same = ["variant", "validation_accuracy_mean", "test_error_percent_mean"]
    pd.testing.assert_frame_equal(mine[same], other[same])


@pytest.mark.slow
def test_replicas_share_the_batches_of_a_trial(tmp_path):
    process = start(tmp_path, "--trials", "1", "--workers", "1", "--devices", "cpu:2", "--variants", "tuned")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    records = Records(tmp_path).of("tune")
    assert {record.variant for record in records} == {TRIAL, "tuned"}
    assert {record.environment["devices"] for record in records} == {"cpu:2"}


def test_a_search_does_not_change_the_answers_of_the_report(tmp_path):
    shutil.copytree(
        ROOT / "results" / "reference",
        tmp_path,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("runs", "networks", "demo", "claims.csv", "tune.csv"),
    )
    before = ledger.entries(tmp_path)
    assert {entry.verdict.value for entry in before} > {"reproduced", "true by construction"}
    records = Records(tmp_path)
    records.folder("tune").mkdir(parents=True)
    for number, run in enumerate(asked().runs(point())):
        metrics = {"validation_accuracy": 0.9, "train_seconds": 60.0}
        facts = {"trial": number + 1, "tuner": "random"}
        outcome = {"status": "finished", "facts": facts, "metrics": metrics, "ended_unix_seconds": 1.0}
        records.save(run, outcome)
    frame = tables.write(TUNE, records)
    assert figures.draw(TUNE, frame, records)
    assert ledger.entries(tmp_path) == before


def point():
    """The first point of the random search."""
    from lab.search import oracles

    known = oracles.hyperparameters(asked())
    return {hp.name: hp.random_sample(1) for hp in known.space}
