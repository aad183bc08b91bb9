"""Manual prompt: what the model knows under the official wording, without any tuning.

Source: Sun et al. 2022, "Black-Box Tuning for Language-Model-as-a-Service", row "Manual Prompt".
"""

import numpy as np

from harness.api import BlackBox, Solution, Task


class Manual:
    """Hands in zeros: a deep prompt of zeros leaves the placeholders' own states alone."""

    def solve(self, task: Task, model: BlackBox) -> Solution:  # noqa: ARG002 (the contract)
        """Spend no call."""
        info = model.info
        return Solution(np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32))
