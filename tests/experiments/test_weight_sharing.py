"""The weight-sharing experiment: what its rows differ in."""

from experiments.weight_sharing import EXPERIMENT


def test_rows_differ_in_connection_pixels_and_examples_alone():
    settings = [variant.settings for variant in EXPERIMENT.variants]
    assert len({(one.model, one.examples, one.view) for one in settings}) == len(settings) == 12
    for one in settings:
        alike = [other for other in settings if other.examples == one.examples]
        assert len({(other.epochs, other.batch_size, other.steps_per_epoch) for other in alike}) == 1


def test_a_shuffled_convolution_stands_beside_a_shuffled_fully_connected_net():
    against = {variant.name: variant.against for variant in EXPERIMENT.variants}
    assert against["convolution-shuffled-1000"] == "full-shuffled-1000"
    assert against["full-shuffled-1000"] == "full-1000"
    assert against["full-1000"] == against["local-1000"] == "convolution-1000"
    assert against["convolution-1000"] is None
