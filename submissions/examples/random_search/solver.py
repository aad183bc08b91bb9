"""Random search with restarts: a worked example of a submission.

It searches only the prompt of one middle layer, and the others stay zero: a call that starts in the
middle of the model takes half the time. Starting at zero, it takes the best of several random steps if
that lowers the loss on train, and halves the step after some queries without progress. Every restart
begins at zero with its share of the budget; the restart with the best score on dev is returned.
"""

import numpy as np

from harness.api import BlackBox, FloatArray, Solution, Task


class RandomSearch:
    """Uses only logits; works with any model and budget."""

    def __init__(self, depth: float = 0.5, batch: int = 10, restarts: int = 3, patience: int = 5) -> None:
        self.depth = depth
        self.batch = batch
        self.restarts = restarts
        self.patience = patience

    def solve(self, task: Task, model: BlackBox) -> Solution:
        info = model.info
        generator = np.random.default_rng(task.solver_seed)
        layer = round(self.depth * (info.n_layers - 1))
        # The scale of the hidden states there; takes a call.
        start = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        scale = model.query(start, outputs=("layer_std",)).layer_std[0, layer]
        # One dev query per restart, and one for the prompt of zeros.
        share = (model.calls_left - self.restarts - 1) // self.restarts
        best = start[0, layer]
        best_accuracy = self.dev_accuracy(best, layer, task, model)
        for _ in range(self.restarts):
            prompt = self.climb(layer, 0.3 * scale, task, model, generator, share)
            accuracy = self.dev_accuracy(prompt, layer, task, model)
            if accuracy > best_accuracy:
                best, best_accuracy = prompt, accuracy
                model.checkpoint(Solution(whole(best, layer, model)))
        return Solution(whole(best, layer, model))

    def climb(
        self, layer: int, step: float, task: Task, model: BlackBox, generator: np.random.Generator, calls: int
    ) -> FloatArray:
        """Spend at most `calls` and return the layer's prompt (M, D)."""
        shape = (model.info.n_prompt_tokens, model.info.hidden_size)
        prompt, loss, idle = np.zeros(shape, np.float32), np.inf, 0
        for _ in range(calls // self.batch):
            steps = generator.standard_normal((self.batch, *shape), dtype=np.float32)
            candidates = prompt + np.float32(step) * steps
            losses = cross_entropy(model.query(candidates, layer=layer).logits, task.train.labels)
            winner = int(losses.argmin())
            if losses[winner] < loss:
                prompt, loss, idle = candidates[winner], losses[winner], 0
            else:
                idle += 1
                if idle >= self.patience:
                    step, idle = step / 2, 0
        return prompt

    def dev_accuracy(self, prompt: FloatArray, layer: int, task: Task, model: BlackBox) -> float:
        logits = model.query(prompt[None], layer=layer, split="dev").logits
        return float((logits[0].argmax(axis=-1) == task.dev.labels).mean())


def whole(prompt: FloatArray, layer: int, model: BlackBox) -> FloatArray:
    """Return an ensemble of one deep prompt (1, L, M, D) that is zero at the other layers."""
    deep = np.zeros((1, model.info.n_layers, *prompt.shape), np.float32)
    deep[0, layer] = prompt
    return deep


def cross_entropy(logits, labels):
    """Return the mean cross-entropy of each candidate: logits (P, B, C), labels (B,) -> (P,)."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -log_probabilities[:, np.arange(len(labels)), labels].mean(axis=1)
