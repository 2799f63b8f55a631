"""The experiment on strides and pooling of photographs: its arms differ in one thing, and have the paper's order."""

import cnn_models
from cnn_models.analysis import cost
from experiments.all_conv import ARMS, EXPERIMENT, PUBLISHED

# Multiply-accumulates of base C with max pooling, layer by layer (Springenberg et al. 2015, table 1).
BASE_C = (
    32 * 32 * 9 * (3 * 96 + 96 * 96) + 16 * 16 * 9 * (96 * 192 + 192 * 192) + 8 * 8 * (9 * 192 * 192 + 192 * 192 + 1920)
)


def test_arms_differ_in_network_and_learning_rate_alone():
    recipes = {(v.settings.epochs, v.settings.batch_size, str(v.settings.options)) for v in EXPERIMENT.variants}
    assert len(recipes) == 1
    assert [v.settings.model for v in EXPERIMENT.variants] == [f"reduce-{arm}" for arm in ARMS]


def test_the_network_has_a_sixteenth_of_base_c_s_multiply_accumulates():
    width = EXPERIMENT.variants[0].settings.options["width"]
    ours = cost.macs(cnn_models.build("reduce-max", (32, 32, 3), width=width))
    assert 1 / 17 < ours / BASE_C < 1 / 15


def test_the_paper_s_order_is_that_of_its_numbers():
    printed = {variant.name: variant.published[PUBLISHED] for variant in EXPERIMENT.variants if variant.published}
    assert sorted(printed, key=printed.get) == ["all-conv", "conv-pool", "max", "strided"]
