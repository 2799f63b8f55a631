"""U-Net and the patch discriminator: parameter counts by hand, pictures of any size, and the effect of skips."""

import keras
import numpy as np
import pytest

import cnn_models
from cnn_models.networks.unet import patch_discriminator, unet

ENCODER = (9 + 1) * 8 + (16 * 8 + 1) * 16 + (16 * 16 + 1) * 32 + (16 * 32 + 1) * 64 + 2 * (16 * 64 + 1) * 64
DECODER = 2 * (9 * 128 + 1) * 64 + (9 * 96 + 1) * 32 + (9 * 48 + 1) * 16 + (9 * 24 + 1) * 8
WITHOUT_SKIPS = 2 * (9 * 64 + 1) * 64 + (9 * 64 + 1) * 32 + (9 * 32 + 1) * 16 + (9 * 16 + 1) * 8
OUTPUT = 9 * 8 + 1


def test_parameter_counts_by_hand():
    shape = (28, 28, 1)
    assert unet(name="u", input_shape=shape).count_params() == ENCODER + DECODER + OUTPUT == 358_401
    assert unet(name="u", input_shape=shape, skips=False).count_params() == ENCODER + WITHOUT_SKIPS + OUTPUT == 272_577
    small = (9 + 1) * 8 + (16 * 8 + 1) * 16 + (16 * 16 + 1) * 24 + 3 * (16 * 24 + 1) * 24
    small += 3 * (9 * 48 + 1) * 24 + (9 * 40 + 1) * 16 + (9 * 24 + 1) * 8 + OUTPUT
    assert unet(name="u", input_shape=shape, most_filters=24).count_params() == small == 74_793
    judge = patch_discriminator(name="j", input_shape=shape)
    assert judge.count_params() == (9 * 2 + 1) * 16 + (9 * 16 + 1) * 32 + 9 * 32 + 1 == 5_233


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 3), (9, 21, 1), (64, 32, 3)])
def test_output_pictures_have_the_size_of_the_input(shape, skips):
    model = unet(name="u", input_shape=shape, channels=3, skips=skips)
    outputs = np.asarray(model(np.random.default_rng(0).uniform(-0.5, 0.5, (2, *shape)).astype("float32")))
    assert outputs.shape == (2, *shape[:2], 3)
    answers = patch_discriminator(name="j", input_shape=shape, channels=3)([np.zeros((2, *shape), "float32"), outputs])
    assert answers.shape == (2, -(-shape[0] // 4), -(-shape[1] // 4), 1)


def test_without_skips_all_information_passes_through_one_pixel():
    model = unet(name="u", input_shape=(28, 28, 1), skips=False)
    sides = {layer.name: layer.output.shape[1:3] for layer in model.layers}
    assert sides["encode5"] == (1, 1)
    below = keras.Model(model.get_layer("double4").input, model.output)
    assert below.count_params() == WITHOUT_SKIPS + OUTPUT  # what comes out depends on that pixel alone
    whole = unet(name="u", input_shape=(28, 28, 1))
    with pytest.raises(ValueError, match=r"disconnected|cannot be computed|not connected|Graph"):
        keras.Model(whole.get_layer("double4").input, whole.output)


def test_the_discriminator_sees_patches_of_15_pixels():
    judge = patch_discriminator(name="j", input_shape=(28, 28, 1))
    assert cnn_models.receptive_field(judge, source="judged").size == (15, 15)


def test_saved_and_loaded_gives_the_same_output(tmp_path):
    model = unet(name="u", input_shape=(28, 28, 1))
    model.save(tmp_path / "u.keras")
    inputs = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(cnn_models.open_model(str(tmp_path / "u.keras"))(inputs), model(inputs))
