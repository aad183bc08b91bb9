"""Random search: a lower bound for every search.

Every candidate is drawn independently, p_l ~ N(0, (alpha * std_l)^2) at every layer l; the one with the
smallest cross-entropy on train is returned. std_l is the standard deviation of the states to which the
prompt is added.
"""

import numpy as np

from harness.api import BlackBox, Solution, Task
from harness.api.losses import cross_entropy


class RandomSearch:
    """Uses logits and, in one query, `layer_std`; spends the whole budget."""

    def __init__(self, alpha: float = 0.3, population_size: int = 20) -> None:
        """Store the standard deviation of prompts in units of std_l, and the candidates per query."""
        self.alpha = alpha
        self.population_size = population_size

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Draw until the budget is spent; a prompt of zeros is the first candidate."""
        info = model.info
        shape = (info.n_layers, info.n_prompt_tokens, info.hidden_size)
        best = np.zeros(shape, np.float32)
        start = model.query(best[None], outputs=("logits", "layer_std"))
        best_loss = cross_entropy(start.logits, task.train.labels)[0]
        scale = (self.alpha * start.layer_std[0]).astype(np.float32)[:, None, None]
        generator = np.random.default_rng(task.solver_seed)
        while model.calls_left:
            n = min(self.population_size, model.calls_left)
            candidates = scale * generator.standard_normal((n, *shape), dtype=np.float32)
            losses = cross_entropy(model.query(candidates).logits, task.train.labels)
            if losses.min() < best_loss:
                best, best_loss = candidates[losses.argmin()], losses.min()
                model.checkpoint(Solution(best[None]))
        return Solution(best[None])
