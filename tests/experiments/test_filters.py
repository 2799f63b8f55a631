"""The kernels against scipy, the template against loops over NumPy, and verdicts each way."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from experiments import filters
from experiments.filters import measure
from lab.data import datasets
from lab.errors import UsageError
from lab.report.answers.judge import judged
from tests.support import worlds

EVIDENCE = {evidence.claim: evidence for evidence in filters.EXPERIMENT.evidence}
KERNELS = {v.name: v.settings for v in filters.EXPERIMENT.variants if isinstance(v.settings, filters.Filter)}


@pytest.fixture(scope="module")
def measured():
    """What the experiment really measures."""
    work = measure.FiltersWork(None)
    return {variant.name: work.measure(variant.settings)[0] for variant in filters.EXPERIMENT.variants}


def test_what_is_measured_gives_these_verdicts(measured):
    found = {each.claim: worlds.verdict(filters.EXPERIMENT, each.claim, measured) for each in EVIDENCE.values()}
    constructed = "true by construction"
    assert found == {
        "pixels": constructed,
        "colour": constructed,
        "filters": "reproduced",
        "correlation": constructed,
    }


def test_limits_are_found(measured):
    rows = worlds.rows(filters.EXPERIMENT, measured)
    limits = [finding for evidence in EVIDENCE.values() for finding in judged("", evidence, rows).limits]
    assert [finding.outcome.value for finding in limits] == ["holds"] * 3


def test_another_kernel_does_not_pass_for_the_edge_kernel(measured):
    swapped = measured | {"edges": measured["blur"], "sharpen": measured["blur"], "blur": measured["edges"]}
    assert worlds.verdict(filters.EXPERIMENT, "filters", swapped) == "contradicted"


def test_another_normalisation_does_not_pass(monkeypatch):
    monkeypatch.setattr(measure, "normalise", lambda images: images.astype("float32") / 255)
    rows = worlds.rows(filters.EXPERIMENT, {"pixels": measure.pixels()[0]})
    found = judged("filters", EVIDENCE["pixels"], rows)
    assert found.verdict.value == "contradicted"
    failed = [finding.numbers for finding in found.core if finding.outcome.value == "fails"]
    assert failed == ["pixels: network input deviation 0.50"]


def test_the_cat_is_a_photograph_of_300_by_300():
    cat = datasets.cat()
    assert cat.shape == (300, 300, 3)
    assert cat.dtype == np.uint8
    assert datasets.grey(np.full((2, 2, 3), 200, "uint8")).tolist() == [[200, 200], [200, 200]]
    assert datasets.grey(np.array([[[255, 0, 0]]], "uint8")).item() == round(255 * 0.2126)


def test_another_photograph_is_refused(monkeypatch):
    import skimage.data

    monkeypatch.setattr(skimage.data, "cat", lambda: np.zeros((300, 451, 3), "uint8"))
    with pytest.raises(UsageError, match="not the photograph"):
        datasets.cat()


def rounding(name, dtype):
    """The most by which two ways of adding nine products of a kernel with brightnesses up to 255 differ.

    Each way rounds the kernel, its products and eight sums, each time by at most half an epsilon of what the
    products add up to at most.
    """
    kernel = np.array(KERNELS[name].kernel) / KERNELS[name].divisor
    return 2 * (1 + 1 + 8) * np.finfo(dtype).eps / 2 * 255 * np.abs(kernel).sum()


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_keras_gives_what_scipy_gives(name, dtype):
    kernel, bound = np.array(KERNELS[name].kernel) / KERNELS[name].divisor, rounding(name, dtype)
    cat = datasets.cat()
    found = measure.convolve(cat[np.newaxis], kernel, dtype)[0]
    for channel in range(3):
        expected = scipy.signal.correlate2d(cat[..., channel].astype("float64"), kernel, "valid")
        np.testing.assert_allclose(found[..., channel], expected, rtol=0, atol=bound)


def test_deviations_are_rounding(measured):
    for name in KERNELS:
        assert measured[name]["deviation_float64"] <= rounding(name, "float64")
        assert measured[name]["deviation_float32"] <= rounding(name, "float32")
    assert measured["edges"]["flat_response"] == 0


def test_sharpening_is_the_picture_plus_its_edges(measured):
    picture = datasets.grey(datasets.cat()).astype("float64")
    kernel = np.array(KERNELS["sharpen"].kernel)
    expected = picture - scipy.ndimage.laplace(picture)
    found = measure.convolve(picture[np.newaxis, ..., np.newaxis], kernel, "float64")[0, ..., 0]
    np.testing.assert_array_equal(found, expected[1:-1, 1:-1])


def test_edges_are_told_by_rank():
    """Of a picture whose steep tenth answers most, the area under the curve is 1; least: 0."""
    picture = np.zeros((40, 40))
    picture[:, 20:] = 100
    inner = measure._slope(picture)[1:-1, 1:-1]
    assert measure._edges(picture, inner)["edge_auc"] == 1
    assert measure._edges(picture, inner.max() - inner)["edge_auc"] == 0


def test_the_worked_examples(measured):
    found, arrays = measure.classified(filters.Template())
    assert arrays["down"].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert arrays["up"].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    for name in ("down", "up"):
        expected = scipy.signal.correlate2d(arrays[name], np.eye(2), "valid")
        np.testing.assert_array_equal(arrays[f"{name}_response"], expected)
    assert (found["max_own"], found["max_other"], found["pictures"]) == (2, 1, 18)


@pytest.mark.parametrize("settings", [filters.Template(noise=0.3, draws=20), filters.Template(brightness=2.0)])
def test_the_classifier_is_counted_as_a_loop_would(settings):
    hits = []
    for kind, truth in ((np.eye(2), True), (np.fliplr(np.eye(2)), False)):
        for picture in measure._pictures(kind, settings)[..., 0]:
            hits.append((scipy.signal.correlate2d(picture, np.eye(2), "valid").max() > 1.5) == truth)
    assert measure.classified(settings)[0]["correct_percent"] == pytest.approx(100 * np.mean(hits))


def test_every_picture_of_two_bright_pixels_scores_2_only_on_its_own_kind():
    pictures = np.array([[a, b] for a in range(16) for b in range(a)])
    images = np.zeros((len(pictures), 16))
    np.put_along_axis(images, pictures, 1, axis=1)
    scores = measure._largest(images.reshape(-1, 4, 4, 1), np.eye(2))
    own = [abs(a - b) == 5 and a % 4 != 0 for a, b in pictures]
    assert len(images) == 120
    assert (scores == 2).tolist() == own
    assert sum(own) == 9
