"""Upper bound of the memory of an attempt: its processes, and the data that the worker holds for it."""

import numpy as np

from harness.sandbox.frames import PAYLOAD_MAX_BYTES
from harness.session.handles import MAX_WORDS
from harness.session.incumbents import KEPT_STATES, MAX_INCUMBENTS
from harness.session.loaded_round import LoadedRound, LoadedTask

__all__ = ["attempt_bytes"]

_FLOAT_BYTES = np.dtype(np.float32).itemsize
_REQUEST_BYTES = PAYLOAD_MAX_BYTES + PAYLOAD_MAX_BYTES // 2
"""A request and its response."""
_COPIES = 2
"""Test outputs as computed, and again as the batches of `predict`."""


def attempt_bytes(loaded_round: LoadedRound, task: LoadedTask) -> int:
    """Return the largest number of bytes that an attempt at a task holds at once, by its limits.

    Includes the solver's process and its scratch folder and, in the worker, the incumbents and the current
    solution, the placed prompts, the log, and the current request or, later, the test outputs. Excludes what
    all attempts share: the model, the data, the engine's cache and its one step at a time.
    """
    limits, info = loaded_round.config.limits, loaded_round.model_info(task.config)
    prompt = info.n_layers * info.n_prompt_tokens * info.hidden_size * _FLOAT_BYTES
    held = (MAX_INCUMBENTS + 1) * limits.max_ensemble * prompt + limits.max_bases * prompt
    held += (KEPT_STATES + 1) * limits.state_bytes + limits.log_bytes
    widths = {"features": info.hidden_size, "word_logits": MAX_WORDS}
    width = len(task.config.label_names) + sum(widths.get(name, 0) for name in info.outputs)
    test_bytes = _COPIES * limits.max_ensemble * len(task.data.test) * width * _FLOAT_BYTES
    return limits.memory_bytes + limits.scratch_bytes + held + max(_REQUEST_BYTES, test_bytes)
