"""Learning rates: what is run to choose them, what is chosen, and what its table says."""

import dataclasses

import pytest

from lab.command.main import main
from lab.declare.experiment import Experiment, Variant
from lab.declare.rates import Rates
from lab.declare.recipe import Measures, Training
from lab.declare.run import Run
from lab.errors import UsageError
from lab.report.table import rates
from lab.store.records import Records

GRID = Rates((0.001, 0.003, 0.01), seeds=2, like={"c": "a"})
ROWS = (Variant("a", Training("linear")), Variant("b", Training("lenet1")), Variant("c", Training("linear", epochs=3)))
EXPERIMENT = Experiment("lenet", "?", "", (), ROWS, rates=GRID)


def test_every_row_has_the_same_grid_and_seeds_of_its_own_and_never_reads_the_test_split():
    measured = Training("linear", measures=Measures(test_shifts=(2,)))
    rows = [Run("lenet", name, "digits", measured, 0) for name in ("a", "b", "c")]
    found = GRID.runs([*rows, Run("lenet", "facts", "digits", GRID, 0)])
    assert len(found) == 2 * 3 * 2
    assert {(run.settings.learning_rate, run.seed) for run in found if run.variant == "a"} == {
        (rate, seed) for rate in GRID.tried for seed in (100, 101)
    }
    assert {(run.settings.splits, run.settings.measures) for run in found} == {("search", Measures())}


def test_a_row_may_have_further_rates():
    rows = [Run("lenet", name, "digits", Training("linear"), 0) for name in ("a", "b")]
    grid = dataclasses.replace(GRID, further={"a": (0.0003, 0.003)})
    tried = {name: [run.settings.learning_rate for run in grid.runs(rows) if run.variant == name] for name in "ab"}
    assert tried == {"a": [0.0003] * 2 + [0.001] * 2 + [0.003] * 2 + [0.01] * 2, "b": sorted(GRID.tried * 2)}


@pytest.mark.parametrize("tried", [(0.1,), (0.1, 0.2), (0.3, 0.2, 0.1), (0.1, 0.1, 0.2)])
def test_a_grid_without_a_middle_or_an_order_is_refused(tried):
    with pytest.raises(UsageError, match="at least 3 learning rates, rising"):
        Rates(tried)


@pytest.mark.parametrize("grid", [{"like": {"d": "a"}}, {"like": {"c": "d"}}, {"further": {"d": (0.1,)}}])
def test_rates_of_a_row_that_is_not_there_are_refused(grid):
    with pytest.raises(UsageError, match="lenet: its learning rates name 'd', which is none of its variants"):
        dataclasses.replace(EXPERIMENT, rates=Rates(GRID.tried, **grid))


LINEAR = Training("linear")


def records_of(folder, accuracies, training=LINEAR):
    """Records of row "a": accuracies by rate, a list by seed; None for a run that diverged."""
    records = Records(folder / rates.FOLDER)
    records.folder("lenet").mkdir(parents=True, exist_ok=True)
    for run in GRID.runs([Run("lenet", "a", "digits", training, 0)]):
        accuracy = accuracies[run.settings.learning_rate][run.seed - 100]
        metrics = {} if accuracy is None else {"validation_accuracy": accuracy}
        records.save(run, {"status": "diverged" if accuracy is None else "finished", "facts": {}, "metrics": metrics})


@pytest.mark.parametrize(
    ("accuracies", "chosen", "edge"),
    [
        ({0.001: [0.8, 0.8], 0.003: [0.9, 0.8], 0.01: [0.8, 0.7]}, 0.003, False),
        ({0.001: [0.95, 0.94], 0.003: [0.9, 0.8], 0.01: [0.8, 0.7]}, 0.001, True),
        ({0.001: [0.8, 0.7], 0.003: [0.9, 0.8], 0.01: [0.95, 0.94]}, 0.01, True),
        ({0.001: [0.9, 0.8], 0.003: [0.88, 0.8], 0.01: [0.8, 0.7]}, 0.001, False),  # better by chance alone
        ({0.001: [0.8, 0.8], 0.003: [0.9, None], 0.01: [0.8, 0.7]}, 0.001, True),  # the next one may diverge
        ({0.001: [0.8, 0.8], 0.003: [0.9, 0.8], 0.01: [0.99, None]}, 0.003, False),  # a rate that may diverge
        ({0.001: [0.8, 0.8], 0.003: [0.8, 0.8], 0.01: [0.8, 0.8]}, 0.001, False),  # of equals the least
        ({0.001: [0.8, None], 0.003: [0.9, None], 0.01: [0.8, None]}, 0.001, True),  # all may diverge
    ],
)
def test_the_rate_with_the_lowest_mean_validation_error_is_chosen(tmp_path, accuracies, chosen, edge):
    records_of(tmp_path, accuracies)
    frame = rates.write(EXPERIMENT, tmp_path)
    assert frame["learning_rate"].tolist() == list(GRID.tried)
    (row,) = frame[frame["chosen"]].to_dict("records")
    assert row["learning_rate"] == chosen
    assert row["at_edge"] == edge
    assert rates.at_edge(tmp_path, EXPERIMENT) == ({("a", "digits"), ("c", "digits")} if edge else set())
    finished = [[value for value in by_seed if value is not None] for by_seed in accuracies.values()]
    errors = [100 * (1 - sum(values) / len(values)) for values in finished]
    assert frame["validation_error_percent_mean"].tolist() == pytest.approx(errors)


def test_rates_of_the_declared_recipe_are_compared_not_those_of_an_earlier_one(tmp_path):
    """A recipe that had fewer epochs before has left records of the same rows, rates and seeds."""
    declared = {0.001: [0.8, 0.8], 0.003: [0.9, 0.8], 0.01: [0.8, 0.7]}
    records_of(tmp_path, declared)
    records_of(tmp_path, {0.001: [0.99, 0.99], 0.003: [0.2, 0.2], 0.01: [0.3, 0.3]}, Training("linear", epochs=3))
    frame = rates.write(EXPERIMENT, tmp_path)
    assert frame["learning_rate"].tolist() == list(declared)
    assert frame["seeds"].tolist() == [2, 2, 2]
    errors = [100 * (1 - sum(values) / len(values)) for values in declared.values()]
    assert frame["validation_error_percent_mean"].tolist() == pytest.approx(errors)


def test_a_recipe_that_is_not_declared_is_shown_where_it_alone_was_run(tmp_path):
    accuracies = {0.001: [0.8, 0.8], 0.003: [0.9, 0.8], 0.01: [0.8, 0.7]}
    records_of(tmp_path, accuracies, Training("linear", epochs=1))
    assert rates.write(EXPERIMENT, tmp_path)["seeds"].tolist() == [2, 2, 2]


def test_no_records_make_an_empty_table(tmp_path):
    assert rates.write(EXPERIMENT, tmp_path).empty
    assert rates.at_edge(tmp_path, EXPERIMENT) == set()


@pytest.mark.parametrize(
    ("words", "message"), [(["filters"], "no grid of learning rates"), (["lenet", "--seeds", "3"], "leave out")]
)
def test_a_call_that_has_no_grid_or_wants_other_seeds_is_refused(tmp_path, capsys, words, message):
    assert main(["run", *words, "--rates", "--results", str(tmp_path / "r")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
