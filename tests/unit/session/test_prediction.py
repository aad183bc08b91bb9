import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from harness.session.prediction import default_prediction


def test_ties_go_to_the_lowest_class():
    assert default_prediction(np.zeros((1, 3, 4), np.float32)).tolist() == [0, 0, 0]


def test_members_are_averaged_as_probabilities_not_as_logits():
    # Member 0 is sure of class 0; members 1 and 2 lean to class 1. Summed logits would say 0.
    logits = np.array([[[30.0, 0.0]], [[0.0, 2.0]], [[0.0, 2.0]]], np.float32)
    assert default_prediction(logits).tolist() == [1]


def test_large_logits_do_not_overflow():
    assert default_prediction(np.array([[[1e30, 0.0], [0.0, 1e30]]], np.float32)).tolist() == [0, 1]


@given(
    arrays(
        np.float32, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.floats(-50, 50, width=32)
    )
)
def test_prediction_of_a_row_does_not_depend_on_the_others(logits):
    together = default_prediction(logits)
    alone = [int(default_prediction(logits[:, row : row + 1])[0]) for row in range(logits.shape[1])]
    assert together.tolist() == alone
