"""The stride-versus-pooling experiment: its arms differ in one thing. What that changes is tested with the networks."""

import cnn_models
from experiments.stride_vs_pooling import ARMS, EXPERIMENT


def test_arms_are_the_nine_reductions_and_differ_in_network_and_learning_rate_alone():
    recipes = {(v.settings.epochs, v.settings.batch_size, v.settings.examples) for v in EXPERIMENT.variants}
    assert len(recipes) == 1
    networks = {f"reduce-{arm}" for arm in ARMS}
    assert {v.settings.model for v in EXPERIMENT.variants} == networks
    assert {model for model in cnn_models.MODELS if model.startswith("reduce-")} == networks
