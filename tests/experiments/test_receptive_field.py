"""The experiment on receptive fields: measurements against arithmetic."""

import dataclasses

import numpy as np
import pytest

from cnn_models.gradients import effective
from experiments import receptive_field as experiment
from experiments.receptive_field import measure
from lab.command import plan
from lab.declare.call import Call
from lab.declare.run import Run
from lab.errors import Unavailable
from lab.store.records import Records

DECLARED = experiment.EXPERIMENT
VARIANTS = {variant.name: variant for variant in DECLARED.variants}


def execute(name, records, seed=0):
    run = Run("receptive-field", name, "none", VARIANTS[name].settings, seed)
    return measure.FieldWork(records).execute(run, lambda event: None)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("plain-5", 2 * 5 + 1),
        ("stride-5", 2**6 - 1),  # 1 + Σ 2·2^i
        ("pooling-3", 1 + 3 * (2**3 - 1)),  # 1 + Σ (2 + 1)·2^i
        ("dilation-4", 1 + 2 * (2**4 - 1)),  # 1 + Σ 2·2^i, at stride 1
        ("MobileNet", 315),
    ],
)
def test_fields_against_arithmetic_by_hand(tmp_path, name, pixels):
    outcome, _ = execute(name, Records(tmp_path))
    assert outcome["facts"]["receptive_field_pixels"] == pixels


def test_the_gradient_lies_within_the_theoretical_field_and_is_smaller_in_effect(tmp_path):
    outcome, attachment = execute("plain-10", Records(tmp_path))
    attachment.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        rows, columns = np.nonzero(arrays["gradient"])
    assert np.ptp(rows) + 1 <= 21
    assert np.ptp(columns) + 1 <= 21
    assert 1 < outcome["metrics"]["effective_field_pixels"] < 21


def test_effective_side_of_a_known_gradient():
    # A Gaussian exceeds 1 - 0.9545 of its peak within radius σ·sqrt(2·ln(1/0.0455)).
    y, x = np.mgrid[-100:101, -100:101]
    sigma = 20.0
    gaussian = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    radius = sigma * np.sqrt(2 * np.log(1 / 0.0455))
    assert effective.effective_side(gaussian) == pytest.approx(np.sqrt(np.pi) * radius, rel=0.01)
    assert effective.effective_side(np.zeros((3, 3))) == 0


def test_a_trained_network_is_looked_at_where_it_is_and_asked_for_where_not(tmp_path):
    import cnn_models
    from lab.declare.work import Attachment

    records = Records(tmp_path)
    with pytest.raises(Unavailable, match="make lenet first"):
        execute("trained-lenet5-relu", records)
    from lab.declare import catalogue

    lenet = {variant.name: variant for variant in catalogue.find("lenet").variants}["lenet5-relu"]
    run = Run("lenet", "lenet5-relu", "mnist", lenet.settings, 0)
    records.folder("lenet").mkdir(parents=True)
    saved = Attachment(".keras", cnn_models.build("lenet5-relu").save)
    finished = {"status": "finished", "facts": {}, "metrics": {}}
    for change in ({"epochs": 1}, {"precision": "mixed_bfloat16"}):  # networks of other recipes
        other = dataclasses.replace(run, settings=dataclasses.replace(lenet.settings, **change))
        records.save(other, finished, saved)
    with pytest.raises(Unavailable, match=r"as declared \(EPOCHS=15\): make lenet first"):
        execute("trained-lenet5-relu", records)
    records.save(run, finished | {"status": "diverged"}, saved)
    with pytest.raises(Unavailable, match="diverged"):
        execute("trained-lenet5-relu", records)
    records.save(run, finished, saved)
    network = records.path(run).with_suffix(".keras")
    whole = network.read_bytes()
    network.write_bytes(whole[:-1])
    with pytest.raises(Unavailable, match="make lenet first"):
        execute("trained-lenet5-relu", records)
    assert records.find(run) is None  # so that `make lenet` trains it again
    network.write_bytes(whole)
    outcome, _ = execute("trained-lenet5-relu", records)
    assert outcome["facts"]["receptive_field_pixels"] == 16
    assert 0 < outcome["metrics"]["effective_field_pixels"] <= 16


def test_force_reaches_the_networks_of_the_experiment_that_trains_them():
    forced, calm = (Call(("receptive-field",), force=force) for force in (True, False))
    trained = [plan.planned(experiment.EXPERIMENT, call) for call in (forced, calm)]
    (lenet,) = plan.needed_first(trained[:1], forced)
    assert lenet.experiment.name == "lenet"
    assert {(run.variant, run.settings.epochs) for run in lenet.runs} == {("lenet5-relu", 15)}
    assert sorted(run.seed for run in lenet.runs) == list(range(5))
    assert plan.needed_first(trained[1:], calm) == []
    both = dataclasses.replace(forced, names=("lenet", "receptive-field"))
    assert plan.needed_first(trained[:1], both) == []
