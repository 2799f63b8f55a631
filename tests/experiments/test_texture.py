"""The texture experiment: but for the rates that a grid chose, its rows differ only in what they learn from."""

import dataclasses

from experiments.texture import ALTERED, EXPERIMENT, LEARNED
from lab.declare.recipe import View


def test_rows_differ_in_what_they_learn_from_alone():
    rate = EXPERIMENT.rates.tried[0]
    plain = {dataclasses.replace(row.settings, view=View(), learning_rate=rate) for row in EXPERIMENT.variants}
    assert len(plain) == 1
    assert [variant.settings.view.alteration for variant in EXPERIMENT.variants] == list(LEARNED.values())
    assert {name for name in LEARNED.values() if name} <= set(ALTERED) == set(plain.pop().measures.test_alterations)
