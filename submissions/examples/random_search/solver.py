"""Random search with restarts: a worked example of a submission.

From the prompt of zeros, take the best of a handful of random steps whenever it lowers the loss on
train; halve the step after a while without progress. Every restart begins again from zero with its
share of the budget, and the dev split says which restart to hand in.
"""

import numpy as np

from harness.api import BlackBox, FloatArray, Solution, Task


class RandomSearch:
    """Needs logits alone; works with any model and budget."""

    def __init__(self, batch: int = 10, restarts: int = 3, patience: int = 8) -> None:
        self.batch = batch
        self.restarts = restarts
        self.patience = patience

    def solve(self, task: Task, model: BlackBox) -> Solution:
        generator = np.random.default_rng(task.solver_seed)
        # One dev query per restart, and one for the prompt of zeros.
        share = (model.calls_left - self.restarts - 1) // self.restarts
        info = model.info
        best = np.zeros((info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        best_accuracy = self.dev_accuracy(best, task, model)
        for _ in range(self.restarts):
            prompt = self.climb(task, model, generator, share)
            accuracy = self.dev_accuracy(prompt, task, model)
            if accuracy > best_accuracy:
                best, best_accuracy = prompt, accuracy
                model.checkpoint(Solution(best[None]))
        return Solution(best[None])

    def climb(self, task: Task, model: BlackBox, generator: np.random.Generator, calls: int) -> FloatArray:
        """Spend `calls` and return a deep prompt (L, M, D)."""
        info = model.info
        shape = (info.n_layers, info.n_prompt_tokens, info.hidden_size)
        prompt = np.zeros(shape, np.float32)
        loss, step, idle = np.inf, 0.3 * info.embedding_std, 0
        for _ in range(calls // self.batch):
            steps = generator.standard_normal((self.batch, *shape), dtype=np.float32) * np.float32(step)
            candidates = prompt + steps
            losses = cross_entropy(model.query(candidates).logits, task.train.labels)
            winner = int(losses.argmin())
            if losses[winner] < loss:
                prompt, loss, idle = candidates[winner], losses[winner], 0
            else:
                idle += 1
                if idle >= self.patience:
                    step, idle = step / 2, 0
        return prompt

    def dev_accuracy(self, prompt: FloatArray, task: Task, model: BlackBox) -> float:
        logits = model.query(prompt[None], split="dev").logits
        return float((logits[0].argmax(axis=-1) == task.dev.labels).mean())


def cross_entropy(logits, labels):
    """Return the mean cross-entropy of each candidate: logits (P, B, C), labels (B,) -> (P,)."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -log_probabilities[:, np.arange(len(labels)), labels].mean(axis=1)
