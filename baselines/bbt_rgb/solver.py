"""BBT-RGB: BBTv2 with a second, derivative-free stage, better label words and initial tokens.

1. Label words: per class the mean over up to five words searched on train; initial tokens: an instruction
   and one demonstration replace the placeholder (`words.py`).
2. BBTv2's CMA-ES with divide and conquer, 8/14 of the search's calls.
3. COBYLA per layer from the best point, 6/14 of the calls, one candidate per call.

Source: Sun et al. 2023, "Make Prompt-based Black-Box Tuning Colorful", arXiv 2305.08088, and the authors'
public code. Differences: README.md beside this file.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import cma
import numpy as np
from scipy.optimize import fmin_cobyla
from words import calls_for_wording, choose_wording, zeros

from harness.api import Array, BlackBox, FloatArray, Solution, Task, Wording
from harness.api.losses import cross_entropy
from harness.api.projections import normal_projection


@dataclass
class BBTRGB:
    """Uses logits and, in one query each, `layer_std` and `word_logits`.

    Attributes:
        intrinsic_dim: d, the dimension searched per layer.
        population_size: candidates per generation of the first stage.
        sigma_first: CMA-ES's first step size at layer 0.
        sigma_rest: CMA-ES's first step size at the other layers.
        alpha: scale of the projections.
        first_share: the first stage's share of the search's calls, 0 to 1.
        radius: COBYLA's first step, in units of the layer's sigma.
        words_per_class: largest number of label words per class.
        max_probe_words: largest number of candidates for label words.
        eval_every: calls between dev evaluations in the first stage.
    """

    intrinsic_dim: int = 500
    population_size: int = 20
    sigma_first: float = 1.0
    sigma_rest: float = 0.2
    alpha: float = 0.5
    first_share: float = 8 / 14
    radius: float = 0.5
    words_per_class: int = 5
    max_probe_words: int = 400
    eval_every: int = 100

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Choose the wording, run both searches, and return the best prompt on dev."""
        info = model.info
        rounds, second_calls = self.plan(info.max_calls - calls_for_wording(task), info.n_layers)
        wording = choose_wording(task, model, self.words_per_class, self.max_probe_words)
        search = LayerSearch(self, task, model, wording)
        for _ in range(rounds):
            for layer in range(info.n_layers):
                search.generation(layer)
        search.offer(search.best)
        for layer in range(info.n_layers):
            search.cobyla(layer, second_calls // info.n_layers)
            search.offer(search.best)
        return search.solution

    def plan(self, calls: int, n_layers: int) -> tuple[int, int]:
        """Return the rounds of the first stage and the calls of the second, without calls for std_l and dev.

        Raises:
            ValueError: the budget is too small for one round.
        """
        per_round = self.population_size * n_layers
        free = calls - 2 - n_layers  # std, dev between the stages, dev after each layer
        rounds = max(1, int(free * self.first_share) // (per_round + per_round // self.eval_every + 1))
        second = free - rounds * per_round - rounds * per_round // self.eval_every
        if second < 0:
            raise ValueError(
                f"the budget is too small: a round takes {per_round} calls (population {self.population_size} x "
                f"{n_layers} layers), but {max(0, free)} are left besides words and dev"
            )
        return rounds, second


class LayerSearch:
    """The state of both stages: the best deep prompt on train, and the best solution on dev."""

    def __init__(self, method: BBTRGB, task: Task, model: BlackBox, wording: Wording | None) -> None:
        """Draw the projections; takes a call for their scale."""
        self.method = method
        self.task = task
        self.model = model
        self.wording = wording
        info = model.info
        self.best: FloatArray = zeros(model)[0]
        stds = model.query(self.best[None], wording=wording, outputs=("layer_std",)).layer_std[0]
        generator = np.random.default_rng(task.solver_seed)
        n_values = info.n_prompt_tokens * info.hidden_size
        self.sigmas = [method.sigma_first, *[method.sigma_rest] * (info.n_layers - 1)]
        self.projections = [
            normal_projection(generator, n_values, method.intrinsic_dim, std=std, alpha=method.alpha, sigma=sigma)
            for std, sigma in zip(stds, self.sigmas, strict=True)
        ]
        self.points: list[Array] = [np.zeros(method.intrinsic_dim) for _ in stds]
        self.searches = [
            cma.CMAEvolutionStrategy(
                method.intrinsic_dim * [0.0],
                sigma,
                {"popsize": method.population_size, "seed": task.solver_seed + layer, "verbose": -9},
            )
            for layer, sigma in enumerate(self.sigmas)
        ]
        self.calls = 0
        self.selected_score = -1.0
        self.solution = self.as_solution(self.best)

    def as_solution(self, prompt: FloatArray) -> Solution:
        """Return a solution with a copy of a deep prompt (L, M, D) under the chosen wording."""
        return Solution(prompt[None].copy(), wordings=() if self.wording is None else (self.wording,))

    def offer(self, prompt: FloatArray) -> None:
        """Select a prompt if it scores strictly better on dev; takes a query on dev."""
        logits = self.model.query(prompt[None], split="dev", wording=self.wording).logits
        score = float((logits[0].argmax(axis=-1) == self.task.dev.labels).mean())
        if score > self.selected_score:
            self.selected_score = score
            self.solution = self.as_solution(prompt)
            self.model.checkpoint(self.solution)

    def losses(self, layer: int, points: Array) -> Array:
        """Return the loss on train of points (P, d) of a layer, (P,); takes P calls."""
        candidates = (np.float32(points) @ self.projections[layer].T).reshape(-1, *self.best.shape[1:])
        base = self.model.place(self.best)
        response = self.model.query(candidates, layer=layer, base=base, wording=self.wording)
        return cross_entropy(response.logits, self.task.train.labels)

    def move_to(self, layer: int, point: Array) -> None:
        """Set a layer of the best prompt to a point (d,)."""
        self.points[layer] = np.asarray(point, dtype=np.float64)
        prompt = self.projections[layer] @ np.float32(point)
        self.best[layer] = prompt.reshape(self.best.shape[1:])

    def generation(self, layer: int) -> None:
        """Run one generation of CMA-ES at a layer, and a dev evaluation if it is due."""
        search = self.searches[layer]
        points = search.ask()
        search.tell(points, self.losses(layer, np.array(points)).tolist())
        due = (self.calls + len(points)) // self.method.eval_every - self.calls // self.method.eval_every
        self.calls += len(points)
        self.move_to(layer, search.result.xbest)
        if due:
            self.offer(self.best)

    def cobyla(self, layer: int, max_calls: int) -> None:
        """Run COBYLA on a layer from its best point, one candidate per call."""
        objective = Counted(lambda point: float(self.losses(layer, point[None])[0]), max_calls)
        radius = self.method.radius * self.sigmas[layer]
        # COBYLA accepts no smaller limit; the objective ends it earlier.
        limit = max(max_calls, self.method.intrinsic_dim + 2)
        with contextlib.suppress(SpentError):
            fmin_cobyla(objective, self.points[layer], [], rhobeg=radius, maxfun=limit)
        if objective.best is not None:
            self.move_to(layer, objective.best)


class SpentError(Exception):
    """All calls of a stage are used."""


class Counted:
    """An objective that stops its optimizer after a number of calls and stores the best point.

    COBYLA starts with d + 1 points along the axes whatever its limit; with fewer calls it is a search
    along the axes, which this class ends.
    """

    def __init__(self, function: Callable[[Array], float], max_calls: int) -> None:
        """Wrap a function of a point (d,)."""
        self.function = function
        self.calls_left = max_calls
        self.best: Array | None = None
        self.best_value = np.inf

    def __call__(self, point: Array) -> float:
        """Return the value at a point.

        Raises:
            SpentError: all calls are used.
        """
        if not self.calls_left:
            raise SpentError
        self.calls_left -= 1
        value = self.function(point)
        if value < self.best_value:
            self.best, self.best_value = point.copy(), value
        return value
