"""Check that a solution from a sandbox can be scored."""

from collections.abc import Collection, Mapping

import numpy as np

from harness.api.outputs import OUTPUTS
from harness.api.types import ModelInfo, Solution, Wording
from harness.records import MAX_ABS_VALUE, Array, FloatArray
from harness.sandbox.policy import SandboxPolicy

__all__ = ["BadSolutionError", "build_solution"]


class BadSolutionError(Exception):
    """The solution cannot be scored; the message is for the participant."""


def build_solution(
    prompts: FloatArray,
    wordings: tuple[int, ...],
    outputs: tuple[str, ...],
    state: Mapping[str, Array],
    *,
    info: ModelInfo,
    policy: SandboxPolicy,
    known_wordings: Collection[int],
    has_predict: bool,
) -> Solution:
    """Check the fields received from the solver process and return them as a solution.

    Raises:
        BadSolutionError: a field is wrong; the message has its value and what was expected.
    """
    shape = (info.n_layers, info.n_prompt_tokens, info.hidden_size)
    largest = min(policy.max_ensemble, info.max_ensemble)
    n_members = prompts.shape[0] if prompts.ndim else 0
    if prompts.ndim != len(shape) + 1 or prompts.shape[1:] != shape or not 1 <= n_members <= largest:
        expected = f"(E, L, M, D) = (1..{largest}, {', '.join(map(str, shape))})"
        msg = f"Solution.prompts has shape {prompts.shape}, expected {expected}"
        raise BadSolutionError(msg)
    if not np.isfinite(prompts).all():
        msg = "Solution.prompts contains NaN or infinity, expected finite values"
        raise BadSolutionError(msg)
    if np.abs(prompts).max() > MAX_ABS_VALUE:
        msg = f"Solution.prompts contains {np.abs(prompts).max():g}, expected magnitudes up to {MAX_ABS_VALUE:g}"
        raise BadSolutionError(msg)
    if len(wordings) not in (0, n_members) or not set(wordings) <= {0, *known_wordings}:
        msg = f"Solution.wordings is {wordings}, expected none, or one of the model's per member ({n_members})"
        raise BadSolutionError(msg)
    if not outputs or len(set(outputs)) != len(outputs) or not set(outputs) <= set(info.outputs):
        msg = f"Solution.outputs is {outputs}, expected a subset of {info.outputs} without duplicates"
        raise BadSolutionError(msg)
    if not any(OUTPUTS[name].has_rows for name in outputs):
        msg = f"Solution.outputs is {outputs}, which has no rows to predict: add another output"
        raise BadSolutionError(msg)
    if not has_predict and "logits" not in outputs:
        msg = f"Solution.outputs is {outputs}, expected 'logits' among them; or define `predict`"
        raise BadSolutionError(msg)
    _check_state(state, policy.state_bytes)
    return Solution(
        prompts=prompts, wordings=tuple(Wording(handle) for handle in wordings), outputs=outputs, state=dict(state)
    )


def _check_state(state: Mapping[str, Array], state_bytes: int) -> None:
    size = sum(array.nbytes for array in state.values())
    if size > state_bytes:
        msg = f"Solution.state has {size} bytes, expected at most {state_bytes}"
        raise BadSolutionError(msg)
    for name, array in state.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            msg = f"Solution.state[{name!r}] contains NaN or infinity, expected finite values"
            raise BadSolutionError(msg)
