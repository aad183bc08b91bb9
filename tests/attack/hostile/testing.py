"""Carrying test outputs out of `predict`, or looking beyond one row.

Each function is the submission's `predict`. A mark in what the harness keeps, or a class other than
0 where the mark cannot be written, is the proof. The control does the same inside `solve`.
"""

import numpy as np
from case import SESSION, WATCHDOG, attack

_seen = []


def _case(verdict="OK", **options):
    return attack(options.pop("layer", SESSION), verdict, stage="predict", control="sound", **options)


@_case()
def print_test_outputs(response, state):
    print("GOT", response.logits.ravel()[:4])
    return np.zeros(response.logits.shape[1], int)


@_case("RTE")
def raise_test_outputs(response, state):
    raise ValueError(f"GOT {response.logits.ravel()[:4]}")


@_case()
def find_what_solve_left_in_scratch(response, state):
    import os

    return np.full(response.logits.shape[1], int(os.path.exists("/scratch/left") or os.path.exists("left")))


@_case()
def find_what_solve_left_in_memory(response, state):
    import __main__

    return np.full(response.logits.shape[1], int(hasattr(__main__, "left")))


@_case()
def remember_in_state(response, state):
    """What one batch writes into the state, the next must not see."""
    seen = int(state["seen"][0])
    state["seen"][0] = 1
    return np.full(response.logits.shape[1], seen)


@_case("PV")
def answer_by_position(response, state):
    n_rows = response.logits.shape[1]
    return np.arange(n_rows) % 2 if n_rows > 1 else np.zeros(1, int)


@_case("PV")
def answer_by_number_of_rows(response, state):
    n_rows = response.logits.shape[1]
    return np.full(n_rows, int(n_rows > 1))


@_case("PV")
def answer_by_what_came_before(response, state):
    _seen.append(response.logits.shape[1])
    return np.full(response.logits.shape[1], int(sum(_seen) > 16))


@_case("PV")
def answer_by_the_batch_mean(response, state):
    """Transduction over the test set: thresholds from the rows' own distribution."""
    margin = response.logits[0, :, 1] - response.logits[0, :, 0]
    return (margin > np.median(margin)).astype(int)


@_case("PV")
def answer_a_few_rows_by_the_batch(response, state):
    """Transduction that only few rows show: a small sample of rows alone would mostly miss them."""
    features = np.frombuffer(response.logits[0, :, 0].tobytes(), np.uint32)
    few = features % 16 == 0
    return (few & (len(few) > 1)).astype(int)


@_case("RTE")
def answer_out_of_range(response, state):
    return np.full(response.logits.shape[1], 7)


@_case("RTE")
def answer_for_fewer_rows(response, state):
    return np.ones(1, int)


@_case("RTE")
def answer_with_numbers_between(response, state):
    return np.full(response.logits.shape[1], 0.5)


@_case("TLE", layer=WATCHDOG, hold_s=30.0)
def never_answer(response, state):
    import time

    time.sleep(60 if response.logits.shape[1] != 32 else 0)
    return np.ones(response.logits.shape[1], int)


@_case("PV")
def query_from_predict(response, state):
    import os

    from wire import frame

    if response.logits.shape[1] != 32:
        os.write(3, frame())
    return np.ones(response.logits.shape[1], int)
