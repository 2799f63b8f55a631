"""Ranks, confusions and mistakes, by hand and against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics

from lab.learn.measuring import ranking

LOGITS = np.array([[5, 1, 3, 2], [5, 1, 3, 2], [5, 1, 3, 2], [5, 1, 3, 2], [0, 0, 0, 0]], "float32")


def test_precision_at_a_rank_by_hand():
    labels = np.array([0, 2, 3, 1, 1])
    assert ranking.ranks(LOGITS, labels).tolist() == [1, 2, 3, 4, 2]
    assert ranking.mean_average_precision(LOGITS, labels, 3) == pytest.approx((1 + 1 / 2 + 1 / 3 + 0 + 1 / 2) / 5)
    assert ranking.mean_average_precision(LOGITS, labels, 1) == 1 / 5


def test_rank_one_is_argmax_even_where_answers_are_equal():
    logits = np.random.default_rng(0).integers(0, 3, (500, 6)).astype("float32")
    labels = np.random.default_rng(1).integers(0, 6, 500)
    assert np.array_equal(ranking.ranks(logits, labels) == 1, logits.argmax(axis=1) == labels)
    expected = sklearn.metrics.label_ranking_average_precision_score(np.eye(6)[labels], logits - 1e-3 * np.arange(6))
    assert ranking.mean_average_precision(logits, labels, 6) == pytest.approx(expected)


def test_confusions_are_scikit_learns_matrix():
    generator = np.random.default_rng(2)
    logits, labels = generator.normal(size=(300, 5)), generator.integers(0, 5, 300).astype("uint16")
    matrix = np.zeros((5, 5))
    for own, said, count in ranking.confusions(logits, labels):
        matrix[own, said] = count
    np.testing.assert_array_equal(matrix, sklearn.metrics.confusion_matrix(labels, logits.argmax(axis=1)))


def test_the_most_confident_mistakes_come_first():
    logits = np.array([[9, 0], [1, 0], [4, 0], [0, 7]], "float32")
    found = ranking.confident_mistakes(logits, np.array([1, 1, 1, 1]), 2)
    assert [mistake["picture"] for mistake in found] == [0, 2]
    assert found[0] == {"picture": 0, "class": 1, "said": 0, "percent": pytest.approx(99.99, abs=0.01)}
    assert ranking.confident_mistakes(logits, np.array([0, 0, 0, 1]), 2) == []
