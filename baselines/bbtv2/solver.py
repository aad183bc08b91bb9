"""BBTv2: gradient-free tuning of a deep prompt, one CMA-ES per layer.

Objective of layer l, with the other layers at their best so far: z* = argmin_z Loss(f(A_l z)).
A_l is fixed and random, d -> M * D, entries N(0, s_l^2), s_l = alpha * std_l / (sqrt(d) * sigma_l).

Source: Sun et al. 2022, "BBTv2: Towards a Gradient-Free Future with Large Language Models",
arXiv 2205.11200, algorithm 1, equation 5 and the authors' public code. Differences: README.md beside
this file.
"""

import cma
import numpy as np

from harness.api import BlackBox, FloatArray, Solution, Task
from harness.api.losses import LOSSES
from harness.api.projections import normal_projection, uniform_projection


class BBTv2:
    """Divide and conquer over the layers, from bottom to top, in repeated rounds."""

    def __init__(
        self,
        intrinsic_dim: int = 500,
        population_size: int = 20,
        sigma_first: float = 1.0,
        sigma_rest: float = 0.2,
        alpha: float = 0.5,
        projection: str = "normal",
        loss: str = "advised",
        eval_every: int = 100,
    ) -> None:
        """Store the settings.

        Args:
            intrinsic_dim: d, the dimension searched per layer.
            population_size: candidates per generation.
            sigma_first: CMA-ES's first step size at layer 0.
            sigma_rest: CMA-ES's first step size at the other layers.
            alpha: scale of the projections.
            projection: "normal", or "uniform" as in BBT.
            loss: "ce", "hinge", "perf", or "advised": hinge for pairs of texts, ce otherwise.
            eval_every: calls on train between two dev evaluations.

        Raises:
            ValueError: the loss or projection is unknown.
        """
        for name, value, known in (
            ("loss", loss, (*LOSSES, "advised")),
            ("projection", projection, ("normal", "uniform")),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        self.intrinsic_dim = intrinsic_dim
        self.population_size = population_size
        self.sigma_first = sigma_first
        self.sigma_rest = sigma_rest
        self.alpha = alpha
        self.projection = projection
        self.loss = loss
        self.eval_every = eval_every

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Search; return the best prompt on dev."""
        info = model.info
        shape = (info.n_prompt_tokens, info.hidden_size)
        best = np.zeros((info.n_layers, *shape), np.float32)
        rounds = self.plan_rounds(info.max_calls, info.n_layers)
        is_pair = len(task.train.texts[0]) == 2
        loss = LOSSES[("hinge" if is_pair else "ce") if self.loss == "advised" else self.loss]
        projections = self.draw_projections(model, task.solver_seed)
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
                search.tell(points, loss(response.logits, task.train.labels).tolist())
                first, calls = calls, calls + len(points)
                for call in range(first + 1, calls + 1):
                    if call % self.eval_every == 0:
                        current = best.copy()
                        current[layer] = candidates[call - first - 1]
                        score = dev_score(current, task, model)
                        if score > selected_score:
                            selected, selected_score = current, score
                            model.checkpoint(Solution(selected[None]))
                best[layer] = (projections[layer] @ np.float32(search.result.xbest)).reshape(shape)
        if dev_score(best, task, model) > selected_score:
            selected = best
        return Solution(selected[None])

    def sigma(self, layer: int) -> float:
        """Return the first step size at a layer."""
        return self.sigma_first if layer == 0 else self.sigma_rest

    def plan_rounds(self, max_calls: int, n_layers: int) -> int:
        """Return the number of rounds, without one call for std_l and the calls of all dev evaluations.

        Raises:
            ValueError: the budget is too small for one round.
        """
        per_round = self.population_size * n_layers
        rounds = (max_calls - 2) // per_round
        while rounds > 0 and 2 + rounds * per_round + rounds * per_round // self.eval_every > max_calls:
            rounds -= 1
        if rounds < 1:
            raise ValueError(
                f"the budget is too small: got {max_calls} calls, a round takes {per_round} (population "
                f"{self.population_size} x {n_layers} layers)"
            )
        return rounds

    def draw_projections(self, model: BlackBox, seed: int) -> list[FloatArray]:
        """Draw A_l for every layer: L arrays float32 (M * D, d). Takes a call for std_l."""
        info = model.info
        zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        stds = model.query(zeros, outputs=("logits", "layer_std")).layer_std[0]
        generator = np.random.default_rng(seed)
        n_values = info.n_prompt_tokens * info.hidden_size
        if self.projection == "uniform":
            return [uniform_projection(generator, n_values, self.intrinsic_dim) for _ in stds]
        return [
            normal_projection(
                generator, n_values, self.intrinsic_dim, std=std, alpha=self.alpha, sigma=self.sigma(layer)
            )
            for layer, std in enumerate(stds)
        ]


def dev_score(prompt: FloatArray, task: Task, model: BlackBox) -> float:
    """Return the accuracy of a deep prompt (L, M, D) on dev; takes a query on dev."""
    logits = model.query(prompt[None], split="dev").logits
    return float((logits[0].argmax(axis=-1) == task.dev.labels).mean())
