"""The depth sweep: what is compared with what."""

import pytest

import cnn_models
from experiments.depth_sweep import (
    DEPTHS,
    EFFECTIVE,
    ERROR,
    EXPERIMENT,
    FIELD,
    LARGE,
    SIDE,
    SIZES,
    object_pixels,
)
from lab.report.answers.judge import Verdict, judged
from tests.support import worlds


def test_a_diverged_row_is_counted_and_leaves_the_claim_unjudged():
    measured = lambda name, _, seed: None if name == "plain-2" else {ERROR: 9.0, EFFECTIVE: 5.0 + seed}  # noqa: E731
    rows = worlds.rows(EXPERIMENT, {name: {FIELD: 9} for name in EXPERIMENT.rows}, measured)
    assert rows.table.loc["plain-2", ["seeds", "diverged"]].tolist() == [0, 3]
    evidence = EXPERIMENT.evidence[0]
    found = judged(EXPERIMENT.name, evidence, rows)
    assert found.verdict is Verdict.NOT_JUDGED
    assert "plain-1 − plain-2: too few seeds, 0 of at least 3 (3 diverged)" in found.reason


def test_plain_nets_are_compared_with_half_their_layers_others_with_the_plain_net():
    against = {variant.name: variant.against for variant in EXPERIMENT.variants}
    assert against["plain-1"] is None
    assert [against[f"plain-{depth}"] for depth in (2, 4, 8, 16)] == [f"plain-{depth}" for depth in (1, 2, 4, 8)]
    assert against["plain-8-small"] == "plain-4-small"
    assert against["residual-16"] == against["unnormalised-16"] == "plain-16"
    assert against["wide-4"] == "plain-4"


def test_rows_of_a_size_differ_in_network_and_learning_rate_alone():
    for side in SIZES:
        rows = [variant.settings for variant in EXPERIMENT.variants if variant.settings.view.canvas.object_side == side]
        assert len(rows) == sum(len(depths) for (_, own), depths in DEPTHS.items() if own == side)
        recipes = {(row.epochs, row.batch_size, row.examples, row.view) for row in rows}
        assert len(recipes) == 1


def test_fields_stand_on_both_sides_of_the_object():
    """Else nothing could be learned of a field that reaches the object's size."""
    assert LARGE < SIDE
    for side in SIZES:
        fields = [2 * depth + 1 for depth in DEPTHS["plain", side]]
        assert fields[0] < object_pixels(side) < fields[-1]


def test_wide_nets_have_about_as_many_parameters_as_sixteen_layers():
    deep = cnn_models.build("deep-plain-16").count_params()
    for depth in DEPTHS["wide", LARGE]:
        assert cnn_models.build(f"wide-{depth}").count_params() == pytest.approx(deep, rel=0.06)
