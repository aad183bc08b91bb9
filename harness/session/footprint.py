"""Upper bound of the memory of an attempt: its processes, and the data that the worker holds for it."""

import numpy as np

from harness.api.outputs import OUTPUTS
from harness.sandbox.wire.frames import PAYLOAD_MAX_BYTES
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
    sizes = {"P": limits.max_ensemble, "B": len(task.data.test), "C": len(task.config.label_names)}
    sizes |= {"L": info.n_layers, "D": info.hidden_size, "W": MAX_WORDS}
    kept = [OUTPUTS[name] for name in {"logits", *info.outputs} if OUTPUTS[name].has_rows]
    test_bytes = _COPIES * sum(output.n_bytes(sizes) for output in kept)
    return limits.memory_bytes + limits.scratch_bytes + held + max(_REQUEST_BYTES, test_bytes)
