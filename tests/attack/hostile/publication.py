"""Carrying out what the solver was given, or what `predict` sees, to where others read.

"Others" is everybody but the organizer: the public store, the board as files, the round's export,
and the team's own view of its logs. The round shows logs after publication; the control's round
shows them at once.
"""

import json
import os

import numpy as np
from case import PUBLIC, SESSION, attack
from wire import SOLUTION, frame

from harness.api import InvalidQuery

_SECRET = "GOT 0110"  # as if it were labels


def _case(verdict="RTE"):
    return attack(PUBLIC, verdict, stage="arena", logs="published", relaxed={"logs": "open"})


@_case("OK")
def publish_labels_in_the_log(given, model):
    os.write(2, _SECRET.encode())
    return _SECRET


@_case()
def publish_labels_in_an_exception(given, model):
    raise SystemExit(_SECRET)


@_case("PV")
def publish_labels_in_invalid_queries(given, model):
    """The message of the last one names the split that was asked for."""
    values = np.zeros((1, 1, 1, 1), np.float32)
    while True:
        try:
            model.query(values, split=_SECRET)
        except InvalidQuery:
            continue


@_case()
def publish_labels_in_a_bad_solution(given, model):
    """The message names the outputs that were asked for."""
    info = model.info
    shape = [1, info.n_layers, info.n_prompt_tokens, info.hidden_size]
    prompts = {"name": "prompts", "dtype": "<f4", "shape": shape}
    meta = {"wordings": [], "outputs": [_SECRET], "arrays": [prompts]}
    os.write(3, frame(json.dumps(meta).encode(), bytes(4 * int(np.prod(shape))), kind=SOLUTION))
    os._exit(0)


@attack(SESSION, "RTE", stage="arena predict", control="sound", logs="open")
def publish_test_outputs(response, state):
    """On every way out of `predict`, in a round that shows all logs, before and after publication."""
    text = f"GOT {response.logits.ravel()[:4]}"
    os.write(1, text.encode())
    os.write(2, text.encode())
    raise ValueError(text)
