import numpy as np
import pytest

from harness.metrics.official import score


def test_accuracy_is_the_share_of_right_rows():
    assert score("accuracy", np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), 2) == 75.0


def test_macro_f1_counts_a_class_that_nobody_predicts_as_zero():
    labels, predictions = np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])
    # F1: class 0 = 1, class 1 = 2/3, class 2 = 0.
    assert score("f1_macro", labels, predictions, 3) == pytest.approx(100 * (1 + 2 / 3 + 0) / 3)


def test_macro_f1_averages_over_all_classes_even_absent_ones():
    assert score("f1_macro", np.array([0, 0]), np.array([0, 0]), 2) == 50.0


@pytest.mark.parametrize("predictions", [np.array([0, 2]), np.array([-1, 0]), np.array([0]), np.array([], np.int64)])
def test_score_of_impossible_predictions_is_refused(predictions):
    labels = np.array([0, 1]) if predictions.size else predictions
    with pytest.raises(ValueError, match="must"):
        score("accuracy", labels, predictions, 2)
