"""Translation: what is learned, repeated, measured and read, and every verdict."""

import dataclasses
import hashlib

import numpy as np
import pytest
import skimage.metrics
from PIL import Image

from experiments.image_to_image import EXPERIMENT, Translation, Untrained
from experiments.image_to_image import measure as work
from lab.data import pairs
from lab.declare.run import Run
from lab.store.records import Records

SHORT = Translation(epochs=2, examples=320)


@pytest.fixture(scope="module")
def found():
    return pairs.load("digits")


def fingerprint(translator):
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in translator.model.variables)).hexdigest()


@pytest.fixture(scope="module")
def translators(found):
    """One that only copies and one that is also judged, each traced once for several tests."""
    return [work.Translator(Translation(epochs=1, examples=320, adversarial=judged), found) for judged in (False, True)]


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.slow
def test_equal_seeds_give_equal_weights_whatever_ran_before(found, translators, judged):
    second = translators[judged]
    first = second if judged else work.Translator(second.settings, found)
    one = first.run(3)
    expected = fingerprint(first)
    second.run(4)
    assert fingerprint(second) != expected
    again = second.run(3)
    assert fingerprint(second) == expected
    assert again["history"]["train_l1_levels"] == one["history"]["train_l1_levels"]


@pytest.mark.parametrize("adversarial", [False, True])
@pytest.mark.slow
def test_a_translator_learns_to_be_more_like_digits_than_the_filling(found, adversarial):
    translator = work.Translator(Translation(epochs=4, examples=640, adversarial=adversarial), found)
    events = []
    outcome = translator.run(0, events.append)
    assert outcome["status"] == "finished"
    history = outcome["history"]["validation_l1_levels"]
    assert history[-1] < history[0]
    assert ("discriminator_entropy" in outcome["history"]) == adversarial
    assert [event["done"] for event in events] == [0, 1, 2, 3, 4]  # the first says that the step is compiled
    outputs = translator.translate(found.test.inputs)
    assert outputs.dtype == np.uint8
    assert outputs.shape == found.test.targets.shape
    learned = work.likeness(outputs, found.test.targets)
    filled = work.likeness(work.untrained("fill", found.test), found.test.targets)
    assert learned["test_l1_levels"] < filled["test_l1_levels"]
    assert learned["test_ssim"] > filled["test_ssim"]


@pytest.mark.slow
def test_a_target_that_is_mostly_black_is_not_learned_as_black(found):
    train = dataclasses.replace(found.train, inputs=np.where(found.train.targets > 100, 255, 0).astype("uint8"))
    translator = work.Translator(Translation(epochs=3), dataclasses.replace(found, train=train, validation=train))
    learned = translator.run(0)["history"]["validation_l1_levels"][-1]
    assert learned < 0.7 * train.targets.mean()  # what all black is off; seeds 0 to 3: 0.20 to 0.26 of it


def test_the_discriminator_pulls_on_the_generator(translators):
    plain, pulled = translators
    plain.run(0)
    pulled.reset(0)
    before = [variable.numpy() for variable in pulled.judge.variables]
    pulled.run(0)
    assert fingerprint(plain) != fingerprint(pulled)
    assert any(not np.array_equal(a, b) for a, b in zip(before, pulled.judge.get_weights(), strict=True))


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(found):
    outcome = work.Translator(Translation(epochs=3, examples=320, learning_rate=1e30), found).run(0)
    assert outcome["status"] == "diverged"
    assert "validation_l1_levels" not in outcome["metrics"]


def test_likeness_is_numpys_and_scikit_images(found):
    outputs, targets = found.test.inputs[:50], found.test.targets[:50]
    measured = work.likeness(outputs, targets)
    assert measured["test_l1_levels"] == pytest.approx(np.abs(outputs.astype(float) - targets).mean())
    similar = [
        skimage.metrics.structural_similarity(a[..., 0], b[..., 0], data_range=255)
        for a, b in zip(outputs, targets, strict=True)
    ]
    assert measured["test_ssim"] == pytest.approx(np.mean(similar))
    assert work.likeness(targets, targets) == {"test_l1_levels": 0, "test_ssim": 1, "test_sharpness_percent": 100}
    halved = targets // 2  # every step is half as high, but for rounding down
    assert work.likeness(halved, targets)["test_sharpness_percent"] == pytest.approx(50, abs=1)


@pytest.mark.slow
def test_a_run_is_measured_read_and_keeps_network_and_pictures(tmp_path, monkeypatch):
    # Its own recipe takes six times as many steps.
    monkeypatch.setattr(work, "READER", dataclasses.replace(work.READER, epochs=1, steps_per_epoch=200))
    records, doing = Records(tmp_path), work.TranslationWork(Records(tmp_path))
    records.folder("image-to-image").mkdir(parents=True)
    kept = {}
    for name, settings in (("unet-l1", SHORT), ("digits", Untrained("target")), ("edges", Untrained("edges"))):
        run = Run("image-to-image", name, "digits", settings, 0)
        outcome, attached = doing.execute(run, lambda event: None)
        kept[name] = records.save(run, outcome, attached)
    read = {name: record.metrics["read_percent"] for name, record in kept.items()}
    assert read["digits"] > 90
    assert read["digits"] > read["edges"]
    assert kept["digits"].metrics["test_ssim"] == 1
    assert records.attachment(kept["unet-l1"], "network").suffix == ".keras"
    with np.load(records.attachment(kept["unet-l1"], "arrays")) as arrays:
        assert arrays["outputs"].shape == arrays["targets"].shape == (10, 28, 28, 1)
    assert "network" not in kept["digits"].attached


@pytest.mark.slow
def test_a_folder_of_colour_pairs_is_learned_from_without_a_reader(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(24):
        left = np.kron(generator.integers(0, 2, (4, 4, 3)) * 255, np.ones((4, 4, 1))).astype("uint8")
        Image.fromarray(np.concatenate([left, 255 - left], axis=1)).save(tmp_path / f"{number}.png")
    name = f"pairs:{tmp_path}"
    doing = work.TranslationWork(Records(tmp_path / "r"))
    outcome, attached = doing.execute(
        Run("image-to-image", "unet-l1", name, Translation(epochs=60, batch_size=8), 0), lambda event: None
    )
    assert outcome["status"] == "finished"
    assert "read_percent" not in outcome["metrics"]
    assert outcome["metrics"]["test_l1_levels"] < 60  # the negative was learned: blank pictures are 127 off
    assert len(attached) == 2
    outcome, _ = doing.execute(Run("image-to-image", "fill", name, Untrained("fill"), 0), lambda event: None)
    assert outcome["metrics"]["test_l1_levels"] > 80
    _, attached = doing.execute(Run("image-to-image", "fill", name, Untrained("fill"), 1), lambda event: None)
    assert attached == ()  # only the first seed's pictures are kept


def test_a_net_without_skips_stands_beside_the_one_with_them():
    assert EXPERIMENT.baseline_of("unet-l1") == "fill"
    assert EXPERIMENT.baseline_of("no-skips-l1") == "unet-l1"
