"""The depth sweep: what is compared with what, and each verdict."""

import pytest

import cnn_models
from experiments.depth_sweep import (
    DEPTHS,
    EFFECTIVE,
    ERROR,
    EXPERIMENT,
    FIELD,
    LARGE,
    PLAIN_4,
    SIDE,
    SIZES,
    doublings,
    object_pixels,
)
from lab.declare.run import Run
from lab.report import tables
from lab.report.judge import Verdict, judge
from lab.store.records import Records

DEPTH, FASTER = EXPERIMENT.evidence


def judged(folder, errors, fields, facts=lambda name: 9):
    """The table of a world that gives each variant an error, an effective field and one in theory."""
    records = Records(folder)
    records.folder(EXPERIMENT.name).mkdir(parents=True)
    for variant in EXPERIMENT.variants:
        for seed in range(3):
            metrics = {ERROR: errors(variant.name) + 0.01 * seed, EFFECTIVE: fields(variant.name) + 0.01 * seed}
            run = Run(EXPERIMENT.name, variant.name, "mnist", variant.settings, seed)
            records.save(run, {"status": "finished", "facts": {FIELD: facts(variant.name)}, "metrics": metrics})
    return tables.judged(EXPERIMENT, tables.write(EXPERIMENT, records))


def depth_of(name):
    return int(name.split("-")[1])


def falling(name):
    return 40 / depth_of(name) if name.startswith("plain") else 39.0


def falling_to_eight(name):
    return 40 / min(depth_of(name), 8) if name.startswith("plain") else 39.0


def rising(name):
    return float(depth_of(name))


DEEPER_IS = {
    "seeing more and better": (falling, rising, Verdict.REPRODUCED),
    "better up to eight": (falling_to_eight, rising, Verdict.PARTLY),
    "seeing no more, but better": (falling, lambda name: 5.0 - 0.1 * depth_of(name), Verdict.PARTLY),
    "seeing more, but worse": (rising, rising, Verdict.PARTLY),
    "seeing less and worse": (rising, lambda name: 5.0 - 0.1 * depth_of(name), Verdict.CONTRADICTED),
}


@pytest.mark.parametrize("world", DEEPER_IS)
def test_each_verdict_on_depth_can_come_out(tmp_path, world):
    errors, fields, expected = DEEPER_IS[world]
    verdict, words = judge(DEPTH, judged(tmp_path, errors, fields))
    assert verdict is expected, words


REDUCED = ("stride", "pooling")


@pytest.mark.parametrize(
    ("seen", "effective", "error", "expected"),
    [
        (13, 7.0, 10.0, Verdict.REPRODUCED),
        (13, 7.0, 30.0, Verdict.PARTLY),
        (13, 3.0, 10.0, Verdict.PARTLY),
        (9, 7.0, 10.0, Verdict.PARTLY),
        (9, 3.0, 30.0, Verdict.CONTRADICTED),
    ],
)
def test_each_verdict_on_the_field_can_come_out(tmp_path, seen, effective, error, expected):
    def value(reduced, other):
        return lambda name: reduced if name.startswith(REDUCED) else other

    table = judged(tmp_path, value(error, 20.0), value(effective, 5.0), value(seen, PLAIN_4))
    verdict, words = judge(FASTER, table)
    assert verdict is expected, words


def test_a_diverged_row_is_counted_and_leaves_the_claim_unjudged(tmp_path):
    records = Records(tmp_path)
    records.folder(EXPERIMENT.name).mkdir(parents=True)
    for variant in EXPERIMENT.variants:
        for seed in range(3):
            run = Run(EXPERIMENT.name, variant.name, "mnist", variant.settings, seed)
            metrics = {ERROR: 9.0, EFFECTIVE: 5.0 + seed}
            status = "diverged" if variant.name == "plain-16" else "finished"
            records.save(
                run, {"status": status, "facts": {FIELD: 9}, "metrics": metrics if status == "finished" else {}}
            )
    table = tables.judged(EXPERIMENT, tables.write(EXPERIMENT, records))
    assert table.loc["plain-16", ["seeds", "diverged"]].tolist() == [0, 3]
    assert judge(DEPTH, table)[0] is Verdict.NOT_JUDGED


def test_plain_nets_are_compared_with_half_their_layers_others_with_the_plain_net():
    against = {variant.name: variant.against for variant in EXPERIMENT.variants}
    assert against["plain-1"] is None
    assert all(against[more] == less for less, more in doublings())
    assert len(doublings()) == 4
    assert against["plain-8-small"] == "plain-4-small"
    assert against["residual-16"] == against["unnormalised-16"] == "plain-16"
    assert against["wide-2"] == "plain-2"


def test_rows_of_a_size_differ_in_their_network_alone():
    for side in SIZES:
        rows = [variant.settings for variant in EXPERIMENT.variants if variant.settings.view.canvas.object_side == side]
        assert len(rows) == sum(len(depths) for (_, own), depths in DEPTHS.items() if own == side)
        recipes = {(row.epochs, row.batch_size, row.examples, row.learning_rate, row.view) for row in rows}
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
