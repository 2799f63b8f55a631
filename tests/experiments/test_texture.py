"""The texture experiment: its rows differ in what they learn from alone."""

import dataclasses

from experiments.texture import ALTERED, EXPERIMENT, LEARNED
from lab.declare.recipe import View


def test_rows_differ_in_what_they_learn_from_alone():
    plain = {dataclasses.replace(variant.settings, view=View()) for variant in EXPERIMENT.variants}
    assert len(plain) == 1
    assert [variant.settings.view.alteration for variant in EXPERIMENT.variants] == list(LEARNED.values())
    assert {name for name in LEARNED.values() if name} <= set(ALTERED) == set(plain.pop().measures.test_alterations)
