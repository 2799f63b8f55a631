"""Judging: each statement and each verdict can come out each way."""

import dataclasses
import itertools

import pytest

from lab.declare import catalogue
from lab.declare.claims import CLAIMS
from lab.declare.evidence import (
    Answer,
    Difference,
    Evidence,
    Fact,
    Identity,
    Mean,
    Ratio,
    Statement,
)
from lab.declare.experiment import Experiment, Variant
from lab.declare.recipe import Training
from lab.report.answers.evidence_rows import NotJudged
from lab.report.answers.judge import Estimate, Finding, Outcome, Verdict, estimate, filled, judge, judged, verdict
from tests.support import worlds

NAMES = catalogue.names()
ALL = [(name, evidence) for name in NAMES for evidence in catalogue.find(name).evidence]
ERROR = "test_error_percent"
EXPERIMENT = Experiment(
    "lenet", "?", "", (), (Variant("a", Training("lenet1")), Variant("b", Training("lenet5"))), baseline="b"
)


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_bears_on_a_claim_of_the_lecture(name):
    experiment = catalogue.find(name)
    assert experiment.evidence or experiment.search  # a search bears on no claim of the lecture
    for evidence in experiment.evidence:
        assert evidence.claim in CLAIMS
        assert evidence.core
        assert evidence.checked
        assert evidence.rules
        names = {quantity.variant for quantity in evidence.answer.quantities.values()}
        rows = {
            f"{variant}{on}" for variant in experiment.rows for on in ("", *(f" on {d}" for d in experiment.also_on))
        }
        for statement in (*evidence.core, *evidence.limits):
            names |= {bound.of.variant for bound in statement.bounds}
            names |= {bound.of.than for bound in statement.bounds if hasattr(bound.of, "than")}
        assert names <= rows, names - rows


def outcome_of(name, evidence, facts, metrics):
    """The verdict where an experiment's rows have these numbers, those of derived measures too."""
    experiment = dataclasses.replace(catalogue.find(name), derived="")
    found = judged(name, evidence, worlds.rows(experiment, facts, metrics))
    return found, "; ".join(f"{each.statement.words}: {each.outcome.value} ({each.numbers})" for each in found.core)


@pytest.mark.parametrize(("name", "evidence"), ALL, ids=[f"{name}-{evidence.claim}" for name, evidence in ALL])
def test_each_verdict_can_come_out(name, evidence):
    """From numbers that a solver finds for the declared statements themselves."""
    count, measured = len(evidence.core), worlds.measured(evidence)
    contradicted = False
    found, words = outcome_of(name, evidence, *worlds.solved(evidence, [True] * count))
    assert found.verdict is (Verdict.REPRODUCED if measured else Verdict.CONSTRUCTED), words
    for number in range(count):
        failing = worlds.solved(evidence, [each != number for each in range(count)])
        if failing is not None and (number in measured) == bool(measured):  # one that must hold by another's holding
            found, words = outcome_of(name, evidence, *failing)
            alone = count == 1 or measured in ([number], [])
            assert found.verdict is (Verdict.CONTRADICTED if alone else Verdict.MIXED), words
            contradicted = contradicted or alone
            assert [each.outcome is Outcome.HOLDS for each in found.core] == [each != number for each in range(count)]
    failing = worlds.solved(evidence, [each not in measured and bool(measured) for each in range(count)])
    if failing is not None:  # some identities say one thing twice
        found, words = outcome_of(name, evidence, *failing)
        assert found.verdict is Verdict.CONTRADICTED, words
    assert failing is not None or contradicted
    if measured and not isinstance(evidence.core[measured[0]].bounds[0].of, Fact):
        shaken = worlds.solved(evidence, [True] * count, shaken=measured[0])
        found, words = outcome_of(name, evidence, *shaken)
        assert found.verdict is Verdict.UNDECIDED, words


@pytest.mark.parametrize(("name", "evidence"), ALL, ids=[f"{name}-{evidence.claim}" for name, evidence in ALL])
def test_a_row_that_is_missing_leaves_the_claim_unjudged_with_its_reason(name, evidence):
    facts, metrics = worlds.solved(evidence, [True] * len(evidence.core))
    lost = evidence.core[-1].bounds[-1].of.variant
    facts.pop(lost)
    metrics.pop(lost)
    found, _ = outcome_of(name, evidence, facts, metrics)
    assert found.verdict is Verdict.NOT_JUDGED
    assert f"{lost} was not run" in found.reason


HOLDS, FAILS, UNDECIDED, MISSING = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED, Outcome.MISSING


@pytest.mark.parametrize(
    ("bound", "a", "b", "expected"),
    [
        (Mean("a", ERROR).at_most(2), [1.0, 1.1, 1.2], [], HOLDS),
        (Mean("a", ERROR).at_most(2), [2.9, 3.0, 3.1], [], FAILS),
        (Mean("a", ERROR).at_most(2), [1.0, 2.0, 3.0], [], UNDECIDED),
        (Mean("a", ERROR).at_most(2), [1.0, 1.0], [], MISSING),
        (Mean("a", ERROR).at_least(2), [2.9, 3.0, 3.1], [], HOLDS),
        (Mean("a", ERROR).at_least(2), [1.0, 1.1, 1.2], [], FAILS),
        (Mean("a", ERROR).below(2), [2.0, 2.0, 2.0], [], FAILS),
        (Mean("a", ERROR).above(2), [2.0, 2.0, 2.0], [], FAILS),
        (Difference("a", "b", ERROR).above(1), [4.0, 4.1, 4.3], [2.0, 2.1, 2.3], HOLDS),
        (Difference("a", "b", ERROR).above(1), [2.5, 2.6, 2.8], [2.0, 2.1, 2.3], Outcome.LESS),
        (Difference("a", "b", ERROR).above(1), [1.0, 1.1, 1.3], [2.0, 2.1, 2.3], Outcome.REVERSED),
        (Difference("a", "b", ERROR).above(1), [1.9, 2.2, 2.3], [2.0, 2.1, 2.3], FAILS),  # about none, surely no 1
        (Difference("a", "b", ERROR).above(1), [2.0, 4.0, 6.0], [2.0, 2.1, 2.3], UNDECIDED),
        (Difference("a", "b", ERROR).below(-1), [1.0, 1.1, 1.3], [3.0, 3.1, 3.3], HOLDS),
        (Difference("a", "b", ERROR).below(-1), [2.0, 2.1, 2.3], [2.5, 2.6, 2.8], Outcome.LESS),
        (Difference("a", "b", ERROR).below(-1), [4.0, 4.1, 4.3], [2.0, 2.1, 2.3], Outcome.REVERSED),
        # Seeds differ by far more than the two arms do: paired it is certain, unpaired it would not be.
        (Difference("a", "b", ERROR).above(0), [1.5, 11.6, 21.5], [1.0, 11.0, 21.0], HOLDS),
        (Difference("a", "b", ERROR).above(0), [4.0, 4.1, 4.3], [2.0, 2.1], MISSING),
        (Ratio("a", "b", ERROR).above(2), [5.0, 10.2, 20.5], [2.0, 4.0, 8.0], HOLDS),
        (Ratio("a", "b", ERROR).above(2), [3.0, 6.1, 12.0], [2.0, 4.0, 8.0], Outcome.LESS),
        (Ratio("a", "b", ERROR).above(2), [1.0, 2.1, 4.0], [2.0, 4.0, 8.0], Outcome.REVERSED),
        (Ratio("a", "b", ERROR).above(2), [2.0, 8.0, 40.0], [2.0, 4.0, 8.0], UNDECIDED),
    ],
)
def test_a_bound_reads_the_whole_interval(bound, a, b, expected):
    values = {"a": a, "b": b}
    metrics = lambda name, _, seed: {ERROR: values[name][seed]} if seed < len(values[name]) else None  # noqa: E731
    found = judge(Statement("so", bound), worlds.rows(EXPERIMENT, metrics=metrics))
    assert found.outcome is expected, found.numbers


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (Fact("a", "params").at_most(5), HOLDS),
        (Fact("a", "params").at_most(4.5), FAILS),
        (Fact("a", "params").at_least(5), HOLDS),
        (Fact("a", "params").at_least(5.5), FAILS),
        (Fact("a", "params").equals(5), HOLDS),
        (Fact("a", "params").equals(6), FAILS),
        (Fact("a", "params").below(5), FAILS),
        (Fact("a", "params").above(5), FAILS),
        (Fact("a", "only_of_b").at_most(5), MISSING),
        (Fact("a", "of_none").at_most(5), MISSING),
        (Fact("c", "params").at_most(5), MISSING),
    ],
)
def test_an_exact_fact_needs_one_run_and_has_no_interval(bound, expected):
    rows = worlds.rows(EXPERIMENT, {"a": {"params": 5}, "b": {"params": 6, "only_of_b": 1}}, seeds=1)
    found = judge(Statement("so", bound), rows)
    assert found.outcome is expected
    assert ("a: params 5" in found.numbers) == (expected is not MISSING)


def test_facts_of_runs_that_did_not_finish_are_missing():
    rows = worlds.rows(EXPERIMENT, {"a": {"params": 5}}, lambda *run: None)
    found = judge(Statement("so", Fact("a", "params").equals(5)), rows)
    assert (found.outcome, found.numbers) == (MISSING, "a: params was not measured (3 diverged)")


def test_a_statement_fails_with_one_of_its_bounds_and_is_missing_with_one():
    values = {"a": [2.0, 2.1, 2.2], "b": [1.0, 4.0, 9.0]}
    rows = worlds.rows(EXPERIMENT, metrics=lambda name, _, seed: {ERROR: values[name][seed]})
    holds, fails = Mean("a", ERROR).at_least(1), Mean("a", ERROR).at_least(3)
    unsure, missing = Mean("b", ERROR).at_least(3), Mean("c", ERROR).at_least(3)
    for bounds, expected in (
        ((holds, holds), HOLDS),
        ((holds, unsure), UNDECIDED),
        ((unsure, fails), FAILS),
        ((fails, missing), MISSING),
    ):
        for order in itertools.permutations(bounds):
            assert judge(Statement("so", *order), rows).outcome is expected


def findings(*outcomes):
    """Outcomes of statements; one that begins with an i is of an identity."""
    by_name = {outcome.name.lower(): outcome for outcome in Outcome}
    return [
        Finding((Identity if word.startswith("i:") else Statement)("so"), by_name[word.removeprefix("i:")])
        for word in outcomes
    ]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["i:holds", "i:holds"], Verdict.CONSTRUCTED),
        (["i:holds", "i:fails"], Verdict.CONTRADICTED),
        (["i:holds", "holds"], Verdict.REPRODUCED),
        (["i:holds", "fails"], Verdict.CONTRADICTED),
        (["i:holds", "undecided"], Verdict.UNDECIDED),
        (["i:fails", "holds"], Verdict.MIXED),
        (["holds", "holds"], Verdict.REPRODUCED),
        (["fails", "reversed", "less"], Verdict.CONTRADICTED),
        (["holds", "less"], Verdict.MIXED),
        (["holds", "undecided"], Verdict.UNDECIDED),
        (["fails", "undecided"], Verdict.UNDECIDED),
        (["holds", "fails", "undecided"], Verdict.MIXED),
        (["holds", "missing"], Verdict.NOT_JUDGED),
        ([], Verdict.NOT_JUDGED),
    ],
)
def test_the_verdict_follows_from_the_outcomes(outcomes, expected):
    assert verdict(findings(*outcomes)) is expected


@pytest.mark.parametrize(
    ("found", "spec", "words"),
    [
        (Estimate(0.772, 0.7, 0.844, 5, " %"), "", "0.77 % [0.70, 0.84]"),
        (Estimate(0.772, 0.7, 0.844, 5, " %"), "value", "0.77 %"),
        (Estimate(0.772, 0.7, 0.844, 5, " %"), "pictures", "0.77 % [0.70, 0.84]"),
        (
            Estimate(0.772, 0.7, 0.844, 5, " %", (0.63, 0.94)),
            "pictures",
            "0.77 % [0.70, 0.84 over seeds; 0.63, 0.94 over seeds and pictures]",
        ),
        (Estimate(79.91, 76.69, 83.12, 5, " points"), "", "80 points [77, 83]"),
        (Estimate(11756, 9834, 13677, 5, " examples"), "", "11,756 examples [9,834, 13,677]"),
        (Estimate(26, 26, 26, 0), "", "26"),
        (Estimate(8.1e9, 8.1e9, 8.1e9, 0), "", "8,100,000,000"),
        (Estimate(3.27e-14, 3.27e-14, 3.27e-14, 0), "", "3.3e-14"),
        (Estimate(0.803, 0.803, 0.803, 0), "", "0.80"),
        (Estimate(0.004, 0.004, 0.004, 5), "", "0.004 [0.004, 0.004]"),  # seeds without a spread
        (Estimate(0.78, 0.78, 0.78, 3), "", "0.78 [0.78, 0.78]"),
        (Estimate(5.0, -0.02, 10.02, 5), "", "5 [0, 10]"),  # no sign before nothing
    ],
)
def test_numbers_are_rounded_to_their_interval(found, spec, words):
    assert found.said(spec) == words


def test_an_answer_is_filled_from_the_rows_or_is_not_there():
    rows = worlds.rows(EXPERIMENT, {"a": {"params": 26}}, {"a": {ERROR: [1.0, 1.1, 1.2]}})
    answer = Answer("{count} parameters err in {error}.", count=Fact("a", "params"), error=Mean("a", ERROR))
    assert filled(answer, rows) == "26 parameters err in 1.1 % [0.9, 1.3]."
    assert filled(Answer("{error}", error=Mean("b", ERROR)), rows) == ""


def test_numbers_stand_alone_beside_their_statement_and_with_names_elsewhere():
    rows = worlds.rows(EXPERIMENT, {"a": {"params": 26}}, {"a": {ERROR: [1.0, 1.1, 1.2]}})
    both = judge(Statement("so", Mean("a", ERROR).above(0), Fact("a", "params").equals(26)), rows)
    assert both.numbers == "a: test error 1.1 % [0.9, 1.3], n=3; a: params 26"
    assert both.values == "1.1 % [0.9, 1.3]; 26"
    assert judge(Statement("so", Mean("b", ERROR).above(0)), rows).values == ""


def test_reasons_are_said_once():
    statements = tuple(Statement("so", Mean("a", ERROR).at_most(bound)) for bound in (1, 2))
    evidence = Evidence("lenet", Answer("x"), "so", statements)
    assert judged("lenet", evidence, worlds.rows(EXPERIMENT)).reason == "a was not run"


def test_a_quantity_that_seeds_do_not_share_is_not_judged():
    values = {"a": [1.0, 1.1, 1.2], "b": [2.0, None, None]}
    metrics = lambda name, _, seed: None if values[name][seed] is None else {ERROR: values[name][seed]}  # noqa: E731
    rows = worlds.rows(EXPERIMENT, metrics=metrics)
    with pytest.raises(NotJudged, match=r"a − b: too few seeds, 1 of at least 3 \(2 diverged\)"):
        estimate(Difference("a", "b", ERROR), rows)
