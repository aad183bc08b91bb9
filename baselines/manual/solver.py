"""Manual prompt: the model under the official wording, without tuning.

Source: Sun et al. 2022, "Black-Box Tuning for Language-Model-as-a-Service", row "Manual Prompt".
"""

import numpy as np

from harness.api import BlackBox, Solution, Task


class Manual:
    """Returns a deep prompt of zeros, which does not change the placeholders' states."""

    def solve(self, task: Task, model: BlackBox) -> Solution:  # noqa: ARG002 (the contract)
        """Return zeros without a query."""
        info = model.info
        return Solution(np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32))
