"""Signs of starved training: each rule at both sides of its bound, and what a starved row may not say."""

import dataclasses

import pytest

from lab.declare import catalogue
from lab.declare.run import Run
from lab.report.answers.evidence_rows import NotJudged, read
from lab.report.table import tables
from lab.report.table.starvation import EDGE, STILL, UNDERFIT, Ending, ending, signs
from lab.store.record import Record
from lab.store.records import Records


def endings(validation, falls, training=0.0, test=1.0):
    return [Ending(validation, fall, training, test) for fall in falls]


@pytest.mark.parametrize(
    ("validation", "falls", "expected"),
    [
        (10.0, (1.2, 1.3, 1.1), (STILL,)),  # by more than a tenth of what is left
        (10.0, (0.9, 0.8, 0.9), ()),  # by less
        (10.0, (9.0, -5.0, 0.1), ()),  # seeds disagree
        (10.0, (-1.2, -1.3, -1.1), ()),  # it rose
        (10.0, (1.2,), (STILL,)),
        (0.0, (0.0, 0.0, 0.0), ()),
    ],
)
def test_validation_that_still_improves(validation, falls, expected):
    assert signs(endings(validation, falls), at_edge=False) == expected


@pytest.mark.parametrize(
    ("training", "expected"),
    [(2.0, (UNDERFIT,)), (0.5, ()), (1.2, ())],  # the last: 1 % of 10,000 pictures, by chance up to 0.27 points more
)
def test_a_training_error_above_the_test_error(training, expected):
    assert signs(endings(1.0, (0.0, 0.0), training), at_edge=False) == expected


def test_a_rate_at_an_edge_and_several_signs_at_once():
    assert signs(endings(1.0, (0.0,)), at_edge=True) == (EDGE,)
    assert signs(endings(1.0, (0.5, 0.51), 3.0), at_edge=True) == (STILL, UNDERFIT, EDGE)
    assert signs([], at_edge=False) == ()


def record(validation=(), train=(), **metrics):
    history = {"validation_accuracy": list(validation), "train_accuracy": list(train)}
    return Record({}, "finished", metrics=metrics, history={name: values for name, values in history.items() if values})


def test_the_last_tenth_is_one_epoch_at_least():
    assert ending(record([0.5, 0.8])).fall == pytest.approx(30)
    assert ending(record([0.5])) == Ending(50.0, None, None, None)
    assert ending(record([0.1] * 10 + [0.5] * 8 + [0.6, 0.7])).fall == pytest.approx(20)  # two epochs of twenty
    assert ending(record()) == Ending(None, None, None, None)


def test_the_training_error_is_the_one_measured_at_the_end_where_there_is_one():
    assert ending(record(train=[0.9, 0.95])).training == pytest.approx(5)
    assert ending(record(train=[0.9, 0.95], train_error_percent=1.0)).training == 1


def test_a_starved_row_is_marked_and_no_evidence(tmp_path):
    lenet, records = catalogue.find("lenet"), Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    settings = lenet.named["lenet5-1998"].settings
    for seed in range(3):
        outcome = {"status": "finished", "facts": {}, "metrics": {"test_error_percent": 1.0 + seed / 10}}
        outcome["history"] = {"validation_accuracy": [0.5, 0.6 + seed / 100]}
        records.save(Run("lenet", "lenet5-1998", "mnist", settings, seed), outcome)
    (row,) = tables.write(lenet, records).to_dict("records")
    assert row["starved"] == STILL
    with pytest.raises(NotJudged, match=f"lenet5-1998 was probably trained too little \\({STILL}\\)"):
        read(lenet, tmp_path).values("lenet5-1998", "test_error_percent")
    budget = dataclasses.replace(lenet, budget=True)  # how much training it takes is the question
    assert "starved" not in tables.write(budget, records)


def test_a_row_that_looks_into_a_starved_network_is_marked_as_that_is(tmp_path):
    features, records = catalogue.find("features"), Records(tmp_path)
    records.folder("features").mkdir(parents=True)
    for name, outcome in {
        "bn-6": {"metrics": {}, "history": {"validation_accuracy": [0.5, 0.6]}},
        "bn-6-relu1": {"metrics": {"pattern_pixels": 3.0}},
        "bn-6-random-weights-relu1": {"metrics": {"pattern_pixels": 3.0}},
    }.items():
        run = Run("features", name, "mnist", features.named[name].settings, 0)
        records.save(run, {"status": "finished", "facts": {}} | outcome)
    rows = tables.write(features, records).set_index("variant")
    assert rows.loc["bn-6", "starved"] == rows.loc["bn-6-relu1", "starved"] == STILL
    assert not isinstance(rows.loc["bn-6-random-weights-relu1", "starved"], str)


def test_a_row_whose_rate_was_at_an_edge_is_marked(tmp_path):
    lenet, records = catalogue.find("lenet"), Records(tmp_path)
    records.folder("lenet").mkdir(parents=True)
    run = Run("lenet", "lenet1", "mnist", lenet.named["lenet1"].settings, 0)
    records.save(run, {"status": "finished", "facts": {}, "metrics": {"test_error_percent": 1.0}})
    short = dataclasses.replace(run, settings=dataclasses.replace(run.settings, epochs=1))
    records.save(short, {"status": "finished", "facts": {}, "metrics": {"test_error_percent": 1.0}})
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "lenet.csv").write_text(
        "variant,dataset,learning_rate,at_edge\nlenet1,mnist,0.1,True\nlenet1,mnist,0.2,False\n"
    )
    rows = tables.write(lenet, records).set_index("declared")
    assert rows.loc[True, "starved"] == EDGE
    assert not isinstance(rows.loc[False, "starved"], str)  # another recipe's rate was not chosen from this grid
