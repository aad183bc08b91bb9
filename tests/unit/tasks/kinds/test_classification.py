import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from small_round import small_round

from harness.errors import DataError
from harness.metrics.official import score
from harness.metrics.registry import TASK_KINDS, metrics_of
from harness.tasks.kinds import KINDS
from harness.tasks.kinds.classification import Classification

default_prediction = Classification.default_prediction
read_target, problem_with = Classification.read_target, Classification.problem_with
TASK = small_round().task[0]


def test_ties_go_to_the_lowest_class():
    assert default_prediction(np.zeros((1, 3, 4), np.float32)).tolist() == [0, 0, 0]


def test_members_are_averaged_as_probabilities_not_as_logits():
    # Member 0 is sure of class 0; members 1 and 2 lean to class 1. Summed logits would say 0.
    logits = np.array([[[30.0, 0.0]], [[0.0, 2.0]], [[0.0, 2.0]]], np.float32)
    assert default_prediction(logits).tolist() == [1]


def test_large_logits_do_not_overflow():
    assert default_prediction(np.array([[[1e30, 0.0], [0.0, 1e30]]], np.float32)).tolist() == [0, 1]


@given(arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(-50, 50, width=32)))
def test_prediction_of_a_row_does_not_depend_on_the_others(logits):
    together = default_prediction(logits)
    alone = [int(default_prediction(logits[:, row : row + 1])[0]) for row in range(logits.shape[1])]
    assert together.tolist() == alone


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0"])
def test_a_class_number_may_be_written_as_text_or_as_a_whole_float(value):
    assert read_target(value, (), TASK, "row 1") == 1


@pytest.mark.parametrize("value", [-1, 2, 0.5, "", None, "bad", float("inf")])
def test_a_label_that_is_no_class_number_is_a_data_error(value):
    with pytest.raises(DataError, match=r"row 1: got label .*, expected a class number 0\.\.1"):
        read_target(value, (), TASK, "row 1")


def test_labels_written_as_words_stand_for_their_place():
    assert read_target("yes", ("no", "yes"), TASK, "row 1") == 1
    with pytest.raises(DataError, match="got label 'Yes', expected one of no, yes"):
        read_target("Yes", ("no", "yes"), TASK, "row 1")


@pytest.mark.parametrize(("predictions", "is_usable"), [([0, 1], True), ([0, 2], False), ([-1, 0], False)])
def test_predictions_must_be_class_numbers(predictions, is_usable):
    assert (problem_with(np.array(predictions), TASK) == "") is is_usable


def test_kinds_are_those_of_the_metrics():
    assert tuple(KINDS) == TASK_KINDS


@pytest.mark.parametrize("name", TASK_KINDS)
def test_every_kind_with_a_metric_exists_and_scores_by_it(name):
    kind, labels = KINDS[name], np.array([0, 1, 1])
    for metric in metrics_of(name):
        found = kind.score(TASK.model_copy(update={"metric": metric}), labels, np.array([0, 1, 0]))
        assert found == score(metric, labels, np.array([0, 1, 0]), 2)
