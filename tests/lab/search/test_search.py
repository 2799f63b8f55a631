"""Searches: KerasTuner decides, nothing is lost or repeated, and whoever dies costs a trial at most."""

import copy
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pandas as pd
import pytest

import cnn_models
from cnn_models.search_space import Choice, space
from lab.command.main import main
from lab.declare import catalogue
from lab.declare.experiment import TRIAL
from lab.declare.machine import Devices, Layout
from lab.declare.recipe import Training
from lab.errors import UsageError
from lab.learn.training import Trainer
from lab.report import figures, ledger, tables
from lab.search import search
from lab.search.chief import Chief
from lab.search.crew import Terms, assist
from lab.search.search import Address, Search, Trial
from lab.store.records import Records
from tests.support.waiting import SECONDS, free_ports, until

# KerasTuner asks for threads by their old names.
pytestmark = [pytest.mark.alone, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROOT = Path(__file__).parents[3]
TUNE = catalogue.find("tune")


def asked(tuner="random", trials=6, epochs=9, model="lenet5-relu", seeds=1):
    return Search("tune", Training(model), "digits", tuner, epochs, seeds, trials)


@pytest.mark.parametrize(("tuner", "same"), [("random", True), ("bayesian", False), ("hyperband", False)])
def test_a_search_of_more_trials_goes_on_from_a_smaller_one_where_the_first_trials_are_the_same(tuner, same):
    assert (asked(tuner, trials=6).name == asked(tuner, trials=12).name) is same


def oracle_of(asked, journal, losses=1):
    from lab.search import oracles

    oracle = oracles.make(asked)
    oracle.remember(journal, losses)
    return oracle


# The space


@pytest.mark.parametrize("model", cnn_models.MODELS)
def test_any_point_of_the_search_space_is_a_recipe(model):
    from lab.search import oracles

    known = oracles.hyperparameters(asked(model=model))
    for seed in range(50):
        values = {hp.name: hp.random_sample(seed * 100 + place) for place, hp in enumerate(known.space)}
        training = asked(model=model).training(values)
        assert training.splits == "search"
        assert training.batch_size <= 1_257  # the smallest data set has so many pictures


def test_every_network_of_lenet5s_space_builds_with_the_parameters_of_its_width():
    options = {name: bounds.values for name, bounds in space("lenet5").items() if isinstance(bounds, Choice)}
    for width in options["width"]:
        c1, c3, c5, f6 = (round(width * count) for count in (6, 16, 120, 84))
        params = 26 * c1 + (25 * c1 + 1) * c3 + (25 * c3 + 1) * c5 + (c5 + 1) * f6 + (f6 + 1) * 10
        for activation in options["activation"]:
            for pooling in options["pooling"]:
                model = cnn_models.build("lenet5", width=width, activation=activation, pooling=pooling)
                assert model.count_params() == params


def test_distortion_grows_from_none_to_that_of_lenet():
    assert search.distortion(0.0) is None
    assert search.distortion(1.0) == search.DISTORTION
    assert search.distortion(0.25).rotation_degrees == 2.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Training("lenet5", options={"widht": 2}),
        lambda: Training("linear", options={"width": 2}),
        lambda: Training("lenet5", splits="test"),
        lambda: Training("lenet5", splits="final", field_layer="c3"),
    ],
)
def test_recipes_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError):
        wrong()


# The splits


def test_a_trial_never_reads_the_test_split_and_is_otherwise_a_run(digits):
    blind = dataclasses.replace(digits, test=None)
    recipe = Training("linear", epochs=2)
    trial = Trainer(dataclasses.replace(recipe, splits="search"), blind).run(3)
    run = Trainer(recipe, digits).run(3)
    assert not [name for name in trial["metrics"] if "test" in name]
    assert trial["misread"] == {}
    assert trial["history"]["validation_loss"] == run["history"]["validation_loss"]


def test_a_final_run_learns_from_training_and_validation_pictures_and_is_tested(digits):
    trainer = Trainer(Training("linear", epochs=1, splits="final"), digits)
    assert trainer.examples == len(digits.train.labels) + len(digits.validation.labels)
    outcome = trainer.run(0)
    assert "test_accuracy" in outcome["metrics"]
    assert not [name for name in outcome["history"] if "validation" in name]
    assert "validation_accuracy" not in outcome["metrics"]


# Decisions


class Stage:
    """A search without processes: workers are names, a trial's score follows from its recipe."""

    def __init__(self, asked, folder, chance):
        self.asked, self.folder, self.chance = asked, folder, chance
        self.scored = {}
        self.reload()

    def reload(self):
        """The chief dies, and another begins with what is on the disk."""
        folder = Records(self.folder)
        self.oracle = oracle_of(self.asked, search.journal(self.asked, folder))
        self.busy = {}

    def step(self):
        """One worker, any, asks for a trial or ends the one it has. False when all is over."""
        tuner = self.chance.choice(["a", "b", "c"])
        if tuner in self.busy:
            trial = self.busy.pop(tuner)
            run = self.asked.runs(trial.hyperparameters.values)[0]
            score = 0.9 + run.settings.learning_rate + run.settings.epochs / 1000
            self.oracle.update_trial(trial.trial_id, {"validation_accuracy": score})
            trial.status = "COMPLETED"
            self.oracle.end_trial(trial)
            assert trial.trial_id not in self.scored, "a trial that has ended was made again"
            self.scored[trial.trial_id] = run.key
        else:
            trial = self.oracle.create_trial(tuner)
            if trial.status == "RUNNING":
                self.busy[tuner] = trial
        return not self.oracle.over()


@pytest.mark.parametrize("tuner", search.TUNERS)
def test_a_search_interrupted_at_any_moment_remembers_every_decision(tuner, tmp_path):
    trials = {"hyperband": None, "random": 12, "bayesian": 7}[tuner]
    stage = Stage(asked(tuner, trials), tmp_path, random.Random(3))
    while stage.step():
        if stage.chance.random() < 0.15:
            ended = [trial.trial_id for trial in stage.oracle.ended()]
            stage.reload()
            assert [trial.trial_id for trial in stage.oracle.ended()] == ended
    count = trials or 23
    assert len(stage.scored) == len(set(stage.scored.values())) == count
    assert stage.oracle.trials_in_all() == count
    stage.reload()
    assert not stage.oracle.anything_left()


def test_random_search_makes_the_same_trials_whoever_makes_them(tmp_path):
    keys = []
    for seed in range(2):
        stage = Stage(asked("random", 8), tmp_path / str(seed), random.Random(seed))
        while stage.step():
            pass
        keys.append(set(stage.scored.values()))
    assert keys[0] == keys[1]
    more = Stage(asked("random", 10), tmp_path / "1", random.Random(5))  # a larger number goes on
    assert len(more.oracle.ended()) == 8


def test_hyperband_gives_the_best_more_epochs(tmp_path):
    stage = Stage(asked("hyperband", None), tmp_path, random.Random(0))
    while stage.step():
        pass
    recipes = [stage.asked.training(trial.hyperparameters.values) for trial in stage.oracle.ended()]
    assert sorted({recipe.epochs for recipe in recipes}) == [1, 3, 9]
    first = sorted((r for r in recipes[:9] if r.epochs == 1), key=lambda r: r.learning_rate)
    promoted = [r.learning_rate for r in recipes if r.epochs == 3]
    assert first[-1].learning_rate in promoted


def test_a_lost_trial_is_tried_again_and_then_ends_with_nothing(tmp_path):
    oracle = oracle_of(asked("random", 2), search.journal(asked("random", 2), Records(tmp_path)))
    first = oracle.create_trial("a")
    lost, again = oracle.lose_worker("a")
    assert (lost.trial_id, again) == (first.trial_id, True)
    assert oracle.create_trial("b").trial_id == first.trial_id
    assert oracle.silent(1) == []
    assert oracle.silent(-1) == ["b"]
    assert oracle.lose_worker("b")[1] is False
    assert oracle.lose_worker("nobody") is None
    assert [trial.score for trial in oracle.ended()] == [0.0]


@pytest.mark.parametrize("others", [[], ["b"]])
def test_a_trial_of_a_worker_that_was_taken_for_dead_counts_once(others, tmp_path):
    kept = search.journal(asked("random", 1), Records(tmp_path))
    oracle = oracle_of(asked("random", 1), kept)
    trial = oracle.create_trial("a")
    oracle.lose_worker("a")
    for other in others:
        assert oracle.create_trial(other).trial_id == trial.trial_id
    for _ in range(2):
        late = copy.copy(trial)
        late.status = "COMPLETED"
        if not oracle.ended():
            oracle.update_trial(late.trial_id, {"validation_accuracy": 0.5})
        oracle.end_trial(late)
        assert [trial.score for trial in oracle.ended()] == [0.5]
    again = oracle_of(asked("random", 1), search.journal(asked("random", 1), Records(tmp_path)))
    assert [trial.score for trial in again.ended()] == [0.5]
    assert not again.anything_left()


def test_a_journal_of_other_decisions_is_not_followed(tmp_path):
    kept = search.journal(asked(), Records(tmp_path))
    kept.append("created", "a", "0", {"learning_rate": 1.0})
    with pytest.raises(ValueError, match="made otherwise"):
        oracle_of(asked(), kept)


def test_a_damaged_journal_is_set_aside_and_the_search_decides_anew(tmp_path, capsys):
    kept = search.journal(asked(), Records(tmp_path))
    oracle_of(asked(), kept).create_trial("a")
    kept.path.write_bytes(kept.path.read_bytes()[:-9])
    again = search.journal(asked(), Records(tmp_path))
    assert again.events == []
    assert "Set aside" in capsys.readouterr().err
    assert oracle_of(asked(), again).anything_left()


# What is found


def test_the_best_recipes_are_taken_each_once(digits):
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


class Silent:
    """A display that shows nothing and remembers."""

    def __init__(self):
        self.failures, self.ends, self.total = [], [], None

    def expect(self, total):
        self.total = total

    def progress(self, run, event):
        pass

    def kept(self, run, record):
        self.ends.append(record["status"])

    def ended(self, run, record):
        self.ends.append(record["status"])

    def skipped(self, run, reason):
        raise AssertionError(reason)

    def failed(self, run, reason, again):
        self.failures.append((run.settings.batch_size, again))


@pytest.fixture
def executions(tmp_path, monkeypatch):
    file = tmp_path / "executions"
    file.touch()
    monkeypatch.setenv("EXECUTIONS", str(file))
    return file


def terms(results, trials=6, workers=2, **options):
    layout = Layout(Devices(), workers)
    return Terms(
        "tests.support.work.Scored", asked("random", trials, model="linear"), Records(results), {}, layout, **options
    )


def test_trials_that_diverge_raise_or_kill_their_worker_are_rows_and_the_search_goes_on(
    tmp_path, executions, monkeypatch
):
    monkeypatch.setenv("WAYS", "raise kill diverge")
    chief = Chief(terms(tmp_path, 7), display := Silent())
    trials = chief.lead()
    sizes = {trial.training.batch_size for trial in trials}
    assert len(trials) == display.total == 7
    assert sizes == {32, 64, 128, 256}, "the space or the seed has changed: choose other trials"
    assert all((trial.score > 0) == (trial.training.batch_size == 256) for trial in trials)
    for size, reason in ((32, "this trial raises"), (64, "SIGKILL")):
        assert [again for one, again in display.failures if one == size].count(False) >= 1
        assert any(reason in text for text in chief.failed.values())
    frame = tables.write(TUNE, Records(tmp_path)).set_index("batch_size")
    status = {32: "failed", 64: "failed", 128: "diverged", 256: "finished"}
    assert len(frame) == 7
    assert all(frame.loc[[size], "status"].eq(word).all() for size, word in status.items())
    assert frame["learning_rate"].notna().all()
    assert sorted(frame["trial"]) == list(range(1, 8))
    lines = executions.read_text().split()[::2]
    by_size = {key: lines.count(key) for key in lines}
    killed = [key for key, reason in chief.failed.items() if "SIGKILL" in reason]
    assert all(by_size[key] == (2 if key in killed else 1) for key in by_size)
    Chief(terms(tmp_path, 7), Silent()).lead()
    assert executions.read_text().split()[::2] == lines, "an ended trial was made again"


def test_another_host_helps_until_there_is_no_more(tmp_path, executions, monkeypatch):
    monkeypatch.setenv("TOGETHER", "2")  # so each host makes a trial, however long it takes to start
    address = Address("127.0.0.1", *free_ports(1), chief=True)
    chief = Chief(terms(tmp_path / "a", 10, workers=1), Silent(), address)
    found = []
    leading = threading.Thread(target=lambda: found.extend(chief.lead()))
    leading.start()
    assert assist(terms(tmp_path / "b", 10, workers=1), Silent(), address) == {}
    leading.join(SECONDS)
    assert len(found) == 10
    here, there = (written(tmp_path / name) for name in "ab")
    assert len(here) == 10, "the chief has not a record of each trial"
    assert 0 < len(there) < 10
    assert there.keys() < here.keys()
    assert len(executions.read_text().splitlines()) == 10


def test_two_chiefs_do_not_share_a_port(tmp_path, executions):
    from lab.search.service import serving

    oracle = oracle_of(asked(), search.journal(asked(), Records(tmp_path)))
    with (
        serving(oracle, print, None) as port,
        pytest.raises(UsageError, match="cannot answer"),
        serving(oracle, print, Address("127.0.0.1", port, chief=True)),
    ):
        pass


def test_one_search_is_led_by_one_process(tmp_path, executions):
    from lab.search.chief import _alone

    kept = search.journal(terms(tmp_path).search, Records(tmp_path))
    with _alone(kept), pytest.raises(UsageError, match="Another process"):
        Chief(terms(tmp_path), Silent()).lead()


def test_no_call_waits_long_for_a_chief_that_is_not_there(monkeypatch):
    from lab.search import service
    from lab.search.oracles import Random

    for name in ("ORACLE_IP", "ORACLE_PORT", "TUNER_ID"):
        monkeypatch.setenv(f"KERASTUNER_{name}", "any")  # and as it was when the test is over
    monkeypatch.setattr(service, "CALL_SECONDS", 0.5)
    client = service.Client(Random(max_trials=1), "127.0.0.1", *free_ports(1))
    with pytest.raises(grpc.RpcError) as caught:
        client.create_trial("a")
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # ours: KerasTuner's own is an hour


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"KERASTUNER_TUNER_ID": "chief"}, "KERASTUNER_ORACLE_PORT"),
        ({"KERASTUNER_TUNER_ID": "a", "KERASTUNER_ORACLE_IP": "b", "KERASTUNER_ORACLE_PORT": "c"}, "port"),
    ],
)
def test_half_an_address_is_refused(variables, message, monkeypatch, tmp_path, capsys):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["run", "tune", "--dataset", "digits", "--results", str(tmp_path / "r")]) == 2
    assert message in capsys.readouterr().err
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
def test_a_search_that_cannot_be_is_refused_before_anything_starts(words, message, tmp_path, capsys):
    assert main(["run", *words, "--results", str(tmp_path / "r")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


# The whole, by the command


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
    """The trials' records, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (results / "runs/tune").glob("trial*.json")}


def workers(parent):
    """The process ids of a call's workers."""
    out = subprocess.run(
        ["ps", "-ww", "-o", "pid=", "-o", "args=", "--ppid", str(parent)], capture_output=True, text=True
    ).stdout
    return [int(line.split()[0]) for line in out.splitlines() if "spawn_main" in line]


@pytest.fixture(scope="module")
def survived(tmp_path_factory):
    """Results of a search one of whose two workers was killed."""
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


def test_one_killed_worker_costs_no_more_than_its_trial(survived):
    assert len(written(survived)) == 5
    frame = tables.read(survived / "tune.csv")
    assert frame["variant"].tolist() == ["default", "tuned", "runner-up", *[TRIAL] * 5]
    assert (frame["failed"] == 0).all()
    assert (survived / "tune.svg").stat().st_size > 1_000
    assert frame.loc[frame["variant"] == TRIAL, "test_accuracy_mean"].isna().all()
    assert frame.loc[frame["variant"] != TRIAL, "comparison"].str.contains("baseline|too few seeds: 1").all()


def test_a_search_that_is_killed_whole_goes_on_where_it_was(survived, tmp_path):
    process = start(tmp_path)
    until(lambda: len(written(tmp_path)) >= KILLED_AFTER, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = written(tmp_path)
    process = start(tmp_path)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    now = written(tmp_path)
    assert kept.items() <= now.items(), "a finished execution was lost or repeated"
    assert now.keys() == written(survived).keys(), "other trials than another search made"
    mine, other = (tables.read(folder / "tune.csv").set_index("specification") for folder in (tmp_path, survived))
    same = ["variant", "validation_accuracy_mean", "test_error_percent_mean"]
    pd.testing.assert_frame_equal(mine[same], other[same])


def test_replicas_share_the_batches_of_a_trial(tmp_path):
    process = start(tmp_path, "--trials", "1", "--workers", "1", "--devices", "cpu:2", "--variants", "tuned")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    records = Records(tmp_path).of("tune")
    assert {record["specification"]["variant"] for record in records} == {TRIAL, "tuned"}
    assert {record["environment"]["devices"] for record in records} == {"cpu:2"}


def test_a_search_does_not_touch_what_the_report_claims(tmp_path):
    reference = ROOT / "results" / "reference"
    for file in reference.glob("*.csv"):
        if file.name not in ("claims.csv", "tune.csv"):
            shutil.copy(file, tmp_path)
    before = ledger.ledger(tmp_path)
    records = Records(tmp_path)
    records.folder("tune").mkdir(parents=True)
    for number, run in enumerate(asked().runs(point())):
        metrics = {"validation_accuracy": 0.9, "train_seconds": 60.0}
        facts = {"trial": number + 1, "tuner": "random"}
        outcome = {"status": "finished", "facts": facts, "metrics": metrics, "ended_unix_seconds": 1.0}
        records.save(run, outcome)
    frame = tables.write(TUNE, records)
    assert figures.draw(TUNE, frame, records)
    assert ledger.ledger(tmp_path).equals(before)


def point():
    """The first point of the random search."""
    from lab.search import oracles

    known = oracles.hyperparameters(asked())
    return {hp.name: hp.random_sample(1) for hp in known.space}
