"""The colour experiment: the first layer's counts by hand, and its filters as pictures."""

import numpy as np

import cnn_models
from experiments.colour import EXPERIMENT, by_formula
from experiments.colour.figure import SQUARE, sheet_of
from experiments.colour.measure import first_layer


def test_the_first_layer_has_the_parameters_of_the_slide_s_formula():
    for channels, count in ((3, (27 + 1) * 8), (1, (9 + 1) * 8)):
        found = first_layer(cnn_models.build("convnet-8", (32, 32, channels)))
        assert found == {"first_layer_params": count, "first_layer_formula": count}
        assert by_formula(3, 3, channels, 8) == count


def test_rows_differ_in_what_they_see_alone():
    colour, grey = (variant.settings for variant in EXPERIMENT.variants)
    assert grey.view.grey
    assert not colour.view.grey
    assert (colour.model, colour.epochs, colour.measures) == (grey.model, grey.epochs, grey.measures)


def test_a_filter_is_a_picture_from_its_smallest_weight_to_its_largest():
    kernels = np.random.default_rng(0).normal(size=(3, 3, 3, 4))
    sheet = sheet_of(kernels)
    assert sheet.shape == (3 * SQUARE, 4 * 3 * SQUARE + 3 * (SQUARE // 2), 3)
    for number in range(4):
        left = number * (3 * SQUARE + SQUARE // 2)
        shown = sheet[::SQUARE, left : left + 3 * SQUARE : SQUARE]
        own = kernels[..., number]
        assert (shown.min(), shown.max()) == (0, 255)
        assert np.argmax(shown) == np.argmax(own)
        np.testing.assert_allclose(shown / 255, (own - own.min()) / np.ptp(own), atol=0.5 / 255 + 1e-9)
    assert sheet_of(kernels[:, :, :1]).ndim == 2
