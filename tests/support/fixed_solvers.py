"""The submissions of the fixed arena, one class each; digests depend on every byte of this file."""

import os

import numpy as np

from harness.api import BudgetExhausted, Solution


def zeros(model):
    info = model.info
    return np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)


def random_prompts(task, model, n, scale=1.0):
    """Return n deep prompts, float32 (n, L, M, D), that follow from the solver seed."""
    generator = np.random.default_rng(task.solver_seed)
    values = generator.standard_normal((n, *zeros(model).shape[1:]), dtype=np.float32)
    return np.float32(scale * model.info.embedding_std) * values


def cross_entropy(logits, labels):
    """Return the mean cross-entropy of each candidate: logits (P, B, C), labels (B,) -> (P,)."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -log_probabilities[:, np.arange(len(labels)), labels].mean(axis=1)


class Climb:
    """Random steps from the best prompt so far, a checkpoint at each gain, until the budget is spent."""

    def __init__(self, batch=7):
        self.batch = batch

    def solve(self, task, model):
        generator = np.random.default_rng(task.solver_seed)
        best, best_loss = zeros(model)[0], np.inf
        try:
            while True:
                steps = generator.standard_normal((self.batch, *best.shape), dtype=np.float32)
                candidates = best + np.float32(0.8 * model.info.embedding_std) * steps
                losses = cross_entropy(model.query(candidates).logits, task.train.labels)
                if losses.min() < best_loss:
                    best, best_loss = candidates[losses.argmin()], losses.min()
                    model.checkpoint(Solution(best[None]))
                    print(f"{model.calls_left} calls left, train loss {best_loss:.3f}")
        except BudgetExhausted:
            return Solution(best[None])


class OneLayer:
    """The best of random prompts of one layer, chosen on dev, in two queries that start at that layer."""

    def solve(self, task, model):
        layer = model.info.n_layers // 2
        scale = float(model.query(zeros(model), outputs=("layer_std",)).layer_std[0, layer])
        prompts = random_prompts(task, model, 12, 1.0)[:, layer]
        prompts *= np.float32(scale / prompts.std())
        losses = cross_entropy(model.query(prompts, layer=layer).logits, task.train.labels)
        finalists = np.argsort(losses, kind="stable")[:3]
        logits = model.query(prompts[finalists], layer=layer, split="dev").logits
        accuracy = (logits.argmax(axis=-1) == task.dev.labels).mean(axis=1)
        deep = zeros(model)
        deep[0, layer] = prompts[finalists[accuracy.argmax()]]
        return Solution(deep)


class Ensemble:
    """Three prompts, one of them of zeros, without a call."""

    def solve(self, task, model):
        return Solution(np.concatenate([zeros(model), random_prompts(task, model, 2)]))


class Failing:
    """Ends in an error on one task of three, after some calls."""

    def solve(self, task, model):
        prompts = random_prompts(task, model, 4)
        model.query(prompts)
        if task.name == "snli":
            raise ValueError("a third class was not expected")
        return Solution(prompts[:1])


class OutOfBudget:
    """The budget ends the run; the last checkpoint is scored."""

    def solve(self, task, model):
        prompts = random_prompts(task, model, 60)
        for number, prompt in enumerate(prompts):
            model.query(prompt[None])
            if number % 9 == 0:
                model.checkpoint(Solution(prompt[None]))
        return Solution(prompts[:1])


class OutOfMemory:
    """The memory limit ends the run; the last checkpoint is scored."""

    def solve(self, task, model):
        prompts = random_prompts(task, model, 3)
        model.query(prompts)
        model.checkpoint(Solution(prompts[1:2]))
        held = []
        while True:
            held.append(bytearray(2**27))


class ByUmask:
    """Follows the umask of the worker, so that a rejudge can differ; has a `predict` of its own."""

    def solve(self, task, model):
        mask = os.umask(0)
        os.umask(mask)
        prompts = random_prompts(task, model, 6 if mask == 0o077 else 4, 1.5)
        logits = model.query(prompts).logits
        best = int(cross_entropy(logits, task.train.labels).argmin())
        shift = np.linspace(0.0, 0.2, logits.shape[-1])
        return Solution(prompts[best : best + 1], state={"shift": shift})

    @staticmethod
    def predict(response, state):
        return (response.logits[0] + state["shift"]).argmax(axis=-1)
