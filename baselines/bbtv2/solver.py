"""BBTv2: gradient-free tuning of a deep prompt, one CMA-ES per layer.

Objective of layer l, with the other layers at their best so far: z* = argmin_z Loss(f(A_l z)).
A_l is fixed and random, d -> M * D, entries N(0, s_l^2), s_l = alpha * std_l / (sqrt(d) * sigma_l).

Source: Sun et al. 2022, "BBTv2: Towards a Gradient-Free Future with Large Language Models",
arXiv 2205.11200, algorithm 1, equation 5 and the authors' public code.

Differences from the authors' code, all for the sake of an exact budget: the dev evaluations (one
every `eval_every` calls) are charged here, so the rounds are planned after reserving them; std_l
comes from one charged query with a prompt of zeros and leaves padding out.
"""

import cma
import numpy as np

from harness.api import BlackBox, FloatArray, IntArray, Solution, Task

HINGE_MARGIN = 2.0


class BBTv2:
    """Divide and conquer over the layers, bottom to top, round after round."""

    def __init__(
        self,
        intrinsic_dim: int = 500,
        population_size: int = 20,
        sigma_first: float = 1.0,
        sigma_rest: float = 0.2,
        alpha: float = 0.5,
        loss: str = "ce",
        eval_every: int = 100,
    ) -> None:
        """Take the settings.

        Args:
            intrinsic_dim: d, the dimension searched per layer.
            population_size: candidates per generation.
            sigma_first: CMA-ES's first step size at layer 0.
            sigma_rest: the same at the other layers.
            alpha: scale of the projections.
            loss: "ce", "hinge" or "perf".
            eval_every: calls on train between two dev evaluations.
        """
        if loss not in LOSSES:
            raise ValueError(f"loss is {loss!r}, expected one of {', '.join(LOSSES)}")
        self.intrinsic_dim = intrinsic_dim
        self.population_size = population_size
        self.sigma_first = sigma_first
        self.sigma_rest = sigma_rest
        self.alpha = alpha
        self.loss = LOSSES[loss]
        self.eval_every = eval_every

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Search, and hand in the prompt that did best on dev."""
        info = model.info
        shape = (info.n_prompt_tokens, info.hidden_size)
        best = np.zeros((info.n_layers, *shape), np.float32)
        rounds = self.plan_rounds(info.max_calls, info.n_layers)
        projections = self.projections(model, task.solver_seed)
        searches = [
            cma.CMAEvolutionStrategy(
                self.intrinsic_dim * [0.0],
                self.sigma(layer),
                {"popsize": self.population_size, "seed": task.solver_seed + layer, "verbose": -9},
            )
            for layer in range(info.n_layers)
        ]
        selected, selected_score, calls = best.copy(), -1.0, 0
        for _ in range(rounds):
            for layer, search in enumerate(searches):
                points = search.ask()
                candidates = np.stack([projections[layer] @ point for point in np.float32(points)])
                candidates = candidates.reshape(-1, *shape)
                response = model.query(candidates, layer=layer, base=model.place(best))
                losses = self.loss(response.logits, task.train.labels)
                search.tell(points, losses.tolist())
                first, calls = calls, calls + len(points)
                for call in range(first + 1, calls + 1):
                    if call % self.eval_every == 0:
                        current = best.copy()
                        current[layer] = candidates[call - first - 1]
                        score = self.dev_score(current, task, model)
                        if score > selected_score:
                            selected, selected_score = current, score
                            model.checkpoint(Solution(selected[None]))
                best[layer] = (projections[layer] @ np.float32(search.result.xbest)).reshape(shape)
        if self.dev_score(best, task, model) > selected_score:
            selected = best
        return Solution(selected[None])

    def sigma(self, layer: int) -> float:
        """Return the first step size at a layer."""
        return self.sigma_first if layer == 0 else self.sigma_rest

    def plan_rounds(self, max_calls: int, n_layers: int) -> int:
        """Return how many rounds fit, after reserving one call for std and all dev evaluations.

        Raises:
            ValueError: not even one round fits.
        """
        per_round = self.population_size * n_layers
        rounds = (max_calls - 2) // per_round
        while rounds > 0 and 2 + rounds * per_round + rounds * per_round // self.eval_every > max_calls:
            rounds -= 1
        if rounds < 1:
            raise ValueError(
                f"a round costs {per_round} calls (population {self.population_size} x {n_layers} layers); "
                f"the budget of {max_calls} is too small"
            )
        return rounds

    def projections(self, model: BlackBox, seed: int) -> list[FloatArray]:
        """Draw A_l for every layer: L arrays float32 (M * D, d)."""
        info = model.info
        zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        stds = model.query(zeros, outputs=("logits", "layer_std")).layer_std[0]
        generator = np.random.default_rng(seed)
        size = (info.n_prompt_tokens * info.hidden_size, self.intrinsic_dim)
        drawn = []
        for layer, std in enumerate(stds):
            scale = self.alpha * std / (np.sqrt(self.intrinsic_dim) * self.sigma(layer))
            matrix = generator.standard_normal(size, dtype=np.float32)
            matrix *= np.float32(scale)
            drawn.append(matrix)
        return drawn

    def dev_score(self, prompt: FloatArray, task: Task, model: BlackBox) -> float:
        """Return the accuracy of a deep prompt (L, M, D) on dev; costs the calls that dev takes."""
        logits = model.query(prompt[None], split="dev").logits
        return float((logits[0].argmax(axis=-1) == task.dev.labels).mean())


def cross_entropy(logits: FloatArray, labels: IntArray) -> FloatArray:
    """Return the mean softmax cross-entropy over the label words, (P,)."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(wide).sum(axis=-1))
    return (log_sum - wide[:, np.arange(len(labels)), labels]).mean(axis=1)


def hinge(logits: FloatArray, labels: IntArray) -> FloatArray:
    """Return mean_n sum_{j != y} max(0, logit_j - logit_y + margin), (P,)."""
    rows = np.arange(len(labels))
    gaps = np.maximum(0.0, logits - logits[:, rows, labels][..., None] + HINGE_MARGIN)
    gaps[:, rows, labels] = 0.0
    return gaps.sum(axis=-1).mean(axis=1)


def negative_accuracy(logits: FloatArray, labels: IntArray) -> FloatArray:
    """Return minus the accuracy, (P,)."""
    return -(logits.argmax(axis=-1) == labels).mean(axis=1)


LOSSES = {"ce": cross_entropy, "hinge": hinge, "perf": negative_accuracy}
