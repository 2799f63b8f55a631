"""The cat experiment: its networks differ in what follows the convolutions, its rows in where photographs lie."""

import cnn_models
from experiments.cat import EXPERIMENT, NETS, POSITIONS, SIDE


def test_rows_are_all_networks_at_all_positions_and_learn_alike():
    assert [variant.name for variant in EXPERIMENT.variants] == [
        f"{net}-{place}" for place in POSITIONS for net in NETS
    ]
    settings = [variant.settings for variant in EXPERIMENT.variants]
    assert {(one.epochs, one.examples, one.batch_size, one.measures) for one in settings} == {
        (settings[0].epochs, settings[0].examples, settings[0].batch_size, settings[0].measures)
    }
    assert {variant.settings.view.canvas.moving for variant in EXPERIMENT.variants if "centre" in variant.name} == {
        False
    }


def test_both_convolutional_networks_have_the_same_convolutions():
    flat, pooled = (cnn_models.build("convnet-8", (SIDE, SIDE, 3), head=head) for head in ("flatten", "max"))
    shapes = [
        [layer.name for layer in model.layers if layer.name != head]
        for model, head in ((flat, "flatten"), (pooled, "max"))
    ]
    assert shapes[0] == shapes[1]
    assert flat.get_layer("output").kernel.shape == (8 * 8 * 64, 10)
    assert pooled.get_layer("output").kernel.shape == (64, 10)
