"""BBT: gradient-free tuning of one input prompt by CMA-ES in a random subspace.

Objective: z* = argmin_z Loss(f(A z + p0; X), Y), z in R^d, A fixed and random, z0 = 0.

Source: Sun et al. 2022, "Black-Box Tuning for Language-Model-as-a-Service", arXiv 2201.03514,
equation 3 and the authors' public code. Differences: README.md beside this file.
"""

import cma
import numpy as np

from harness.api import BlackBox, FloatArray, Solution, Task, Wording
from harness.api.losses import LOSSES
from harness.api.projections import normal_projection, uniform_projection


class BBT:
    """CMA-ES over the prompt of the first layer's input."""

    def __init__(
        self,
        intrinsic_dim: int = 500,
        population_size: int = 20,
        sigma: float = 1.0,
        alpha: float = 1.0,
        mode: str = "add",
        projection: str = "uniform",
        loss: str = "advised",
        eval_every: int = 100,
    ) -> None:
        """Store the settings.

        Args:
            intrinsic_dim: d.
            population_size: candidates per generation.
            sigma: CMA-ES's first step size.
            alpha: scale of the normal projection.
            mode: "add" to the placeholder's embeddings, or "cat" to replace them.
            projection: "uniform" or "normal".
            loss: "ce", "hinge", "perf", or "advised": hinge for pairs of texts, ce otherwise.
            eval_every: calls on train between two dev evaluations.

        Raises:
            ValueError: the mode, projection or loss is unknown.
        """
        for name, value, known in (
            ("mode", mode, ("add", "cat")),
            ("projection", projection, ("uniform", "normal")),
            ("loss", loss, (*LOSSES, "advised")),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        self.intrinsic_dim = intrinsic_dim
        self.population_size = population_size
        self.sigma = sigma
        self.alpha = alpha
        self.mode = mode
        self.projection = projection
        self.loss = loss
        self.eval_every = eval_every

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Search; return the best prompt on dev."""
        info = model.info
        generations = self.plan_generations(info.max_calls)
        is_pair = len(task.train.texts[0]) == 2
        loss = LOSSES[("hinge" if is_pair else "ce") if self.loss == "advised" else self.loss]
        matrix = self.draw_projection(model, task.solver_seed)
        # Mode "add" uses the official wording.
        wording = model.wording(task.template, task.words, mode="cat") if self.mode == "cat" else None
        search = cma.CMAEvolutionStrategy(
            self.intrinsic_dim * [0.0],
            self.sigma,
            {"popsize": self.population_size, "seed": task.solver_seed, "verbose": -9},
        )
        selected = np.zeros((info.n_prompt_tokens, info.hidden_size), np.float32)
        selected_score, calls = -1.0, 0
        for _ in range(generations):
            points = search.ask()
            candidates = (np.float32(points) @ matrix.T).reshape(-1, *selected.shape)
            response = model.query(candidates, layer=0, wording=wording)
            search.tell(points, loss(response.logits, task.train.labels).tolist())
            first, calls = calls, calls + len(points)
            for call in range(first + 1, calls + 1):
                if call % self.eval_every == 0:
                    score = dev_score(candidates[call - first - 1], task, model, wording)
                    if score > selected_score:
                        selected, selected_score = candidates[call - first - 1], score
                        model.checkpoint(solution_of(selected, model, wording))
        best = (matrix @ np.float32(search.result.xbest)).reshape(selected.shape)
        if dev_score(best, task, model, wording) > selected_score:
            selected = best
        return solution_of(selected, model, wording)

    def plan_generations(self, max_calls: int) -> int:
        """Return the number of generations, without the calls of all dev evaluations.

        Raises:
            ValueError: not even one fits.
        """
        generations = (max_calls - 1) // self.population_size
        while generations > 0 and 1 + self.train_and_dev_calls(generations) > max_calls:
            generations -= 1
        if generations < 1:
            raise ValueError(
                f"the budget is too small: got {max_calls} calls, a generation takes {self.population_size}"
            )
        return generations

    def train_and_dev_calls(self, generations: int) -> int:
        """Return the calls of some generations, without the last dev evaluation."""
        calls = generations * self.population_size
        return calls + calls // self.eval_every

    def draw_projection(self, model: BlackBox, seed: int) -> FloatArray:
        """Draw A: float32 (M * D, d)."""
        info = model.info
        generator = np.random.default_rng(seed)
        n_values = info.n_prompt_tokens * info.hidden_size
        if self.projection == "uniform":
            return uniform_projection(generator, n_values, self.intrinsic_dim)
        return normal_projection(
            generator, n_values, self.intrinsic_dim, std=info.embedding_std, alpha=self.alpha, sigma=self.sigma
        )


def dev_score(prompt: FloatArray, task: Task, model: BlackBox, wording: Wording | None) -> float:
    """Return the accuracy of an input prompt (M, D) on dev; takes a query on dev."""
    logits = model.query(prompt[None], layer=0, split="dev", wording=wording).logits
    return float((logits[0].argmax(axis=-1) == task.dev.labels).mean())


def solution_of(prompt: FloatArray, model: BlackBox, wording: Wording | None) -> Solution:
    """Return the solution with an input prompt (M, D) and zeros at the other layers."""
    deep = np.zeros((1, model.info.n_layers, *prompt.shape), np.float32)
    deep[0, 0] = prompt
    return Solution(deep, wordings=() if wording is None else (wording,))
