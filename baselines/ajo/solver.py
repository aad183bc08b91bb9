"""AJO, alternating joint optimisation: the winner of the competition.

Two predictors use the same prompted forward pass: the calibrated label words, p1, and a local classifier
on the hidden state at the mask, p2 = softmax(f(h_mask)). Their joint loss L = mix * L(p1) + (1 - mix) * L(p2)
is minimized alternately: (a) over f by gradient descent, without calls; (b) over the prompt by one round
of CMA-ES, layer by layer as in BBTv2. The prediction is the same mix of p1 and p2.

Calibration uses probabilities: with p the softmax of the label-word logits and p_bar its mean over the
prompted training samples, p1 is proportional to p / p_bar. The published form divides logits by their
means, which is undefined or flips a class if a mean is not positive; p_bar is always positive.

Source: Cao et al. 2023, National Science Review, nwad124. Differences: README.md beside this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from classifier import Classifier, joint_log_probabilities, log_prior

from harness.api import Array, BlackBox, FloatArray, IntArray, Response, Solution, Task
from harness.api.losses import cross_entropy
from harness.api.projections import normal_projection

OUTPUTS = ("logits", "features")


@dataclass
class AJO:
    """Uses logits, features and, in one query, `layer_std`.

    Attributes:
        intrinsic_dim: d, the dimension searched per layer.
        population_size: candidates per generation.
        sigma_first: CMA-ES's first step size at layer 0.
        sigma_rest: CMA-ES's first step size at the other layers.
        alpha: scale of the projections.
        mix: weight of the calibrated label words in loss and prediction, 0 to 1.
        epochs: passes of the classifier over train per round.
        learning_rate: of the classifier.
        batch_size: of the classifier.
        final_epochs: passes over train and dev together at the selected prompt.
        weight_decay: of the classifier in those passes.
    """

    intrinsic_dim: int = 500
    population_size: int = 20
    sigma_first: float = 1.0
    sigma_rest: float = 0.2
    alpha: float = 0.5
    mix: float = 0.5
    epochs: int = 3
    learning_rate: float = 3e-4
    batch_size: int = 4
    final_epochs: int = 300
    weight_decay: float = 10.0

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Alternate; return the best prompt on dev, with a classifier trained at it."""
        info = model.info
        rounds = self.plan_rounds(info.max_calls, info.n_layers)
        generator = np.random.default_rng(task.solver_seed)
        best = np.zeros((info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        train = model.query(best[None], outputs=(*OUTPUTS, "layer_std"))
        layers = self.searches(train.layer_std[0], model, generator, task.solver_seed)
        classifier = Classifier(train.features[0], len(task.words))
        selection = Selection(self, task, model)
        selection.offer(best, train, classifier)
        for _ in range(rounds):
            self.fit(classifier, train.features[0], task.train.labels, generator)
            for layer, (search, projection) in enumerate(layers):
                points = search.ask()
                candidates = (np.float32(points) @ projection.T).reshape(-1, *best.shape[1:])
                response = model.query(candidates, layer=layer, base=model.place(best), outputs=OUTPUTS)
                search.tell(points, self.losses(response, classifier, task.train.labels).tolist())
                best[layer] = (projection @ np.float32(search.result.xbest)).reshape(best.shape[1:])
            train = model.query(best[None], outputs=OUTPUTS)
            selection.offer(best, train, classifier)
        return selection.solution

    def plan_rounds(self, max_calls: int, n_layers: int) -> int:
        """Return the number of rounds: one generation per layer and two calls at the new prompt each.

        Raises:
            ValueError: the budget is too small for one round.
        """
        per_round = self.population_size * n_layers + 2
        rounds = (max_calls - 2) // per_round
        if rounds < 1:
            raise ValueError(f"the budget is too small: got {max_calls} calls, expected at least {per_round + 2}")
        return rounds

    def searches(
        self, stds: Array, model: BlackBox, generator: np.random.Generator, seed: int
    ) -> list[tuple[Any, FloatArray]]:
        """Return a CMA-ES search and a projection (M * D, d) per layer, as in BBTv2."""
        import cma  # noqa: PLC0415 (not needed by `predict`)

        n_values = model.info.n_prompt_tokens * model.info.hidden_size
        found = []
        for layer, std in enumerate(stds):
            sigma = self.sigma_first if layer == 0 else self.sigma_rest
            options = {"popsize": self.population_size, "seed": seed + layer, "verbose": -9}
            search = cma.CMAEvolutionStrategy(self.intrinsic_dim * [0.0], sigma, options)
            projection = normal_projection(
                generator, n_values, self.intrinsic_dim, std=std, alpha=self.alpha, sigma=sigma
            )
            found.append((search, projection))
        return found

    def fit(
        self, classifier: Classifier, features: FloatArray, labels: IntArray, generator: np.random.Generator
    ) -> None:
        """Train the classifier for some epochs on features (B, D)."""
        for _ in range(self.epochs):
            order = generator.permutation(len(labels))
            for start in range(0, len(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                classifier.step(features[rows], labels[rows], self.learning_rate)

    def losses(self, response: Response, classifier: Classifier, labels: IntArray) -> Array:
        """Return the joint loss of each candidate, (P,); each is calibrated by its own mean."""
        calibrated = response.logits - log_prior(response.logits)[:, None]
        words = cross_entropy(calibrated, labels)
        learnt = cross_entropy(classifier.scores(response.features), labels)
        return self.mix * words + (1 - self.mix) * learnt

    @staticmethod
    def predict(response: Response, state: Mapping[str, Array]) -> IntArray:
        """Return the class with the largest mixed probability per row, int64 (B,)."""
        scores = response.features[0].astype(np.float64) @ state["weight"] + state["bias"]
        calibrated = response.logits[0] - state["log_prior"]
        return joint_log_probabilities(calibrated, scores, float(state["mix"])).argmax(axis=-1)


class Selection:
    """The best prompt on dev so far, as a solution with the state for `predict`."""

    def __init__(self, method: AJO, task: Task, model: BlackBox) -> None:
        """Start without a selected prompt."""
        self.method = method
        self.task = task
        self.model = model
        self.merit = (-1.0, -np.inf)
        self.solution = Solution(np.zeros(0, np.float32))

    def offer(self, prompt: FloatArray, train: Response, classifier: Classifier) -> None:
        """Score a prompt (L, M, D) on dev, by accuracy and then by likelihood; takes a query on dev."""
        labels = self.task.dev.labels
        dev = self.model.query(prompt[None], split="dev", outputs=OUTPUTS)
        prior = log_prior(train.logits)[0]
        mixed = joint_log_probabilities(dev.logits[0] - prior, classifier.scores(dev.features)[0], self.method.mix)
        accuracy = float((mixed.argmax(axis=-1) == labels).mean())
        merit = (accuracy, float(mixed[np.arange(len(labels)), labels].mean()))
        if merit <= self.merit:
            return
        self.merit = merit
        features = np.concatenate([train.features[0], dev.features[0]])
        final = Classifier(features, len(self.task.words))
        both = np.concatenate([self.task.train.labels, labels])
        for _ in range(self.method.final_epochs):
            final.step(features, both, 0.01, self.method.weight_decay)
        weight, bias = final.on_raw_features()
        state = {
            "weight": weight,
            "bias": bias,
            "log_prior": log_prior(np.concatenate([train.logits, dev.logits], axis=1))[0],
            "mix": np.array(self.method.mix),
        }
        self.solution = Solution(prompt[None].copy(), outputs=OUTPUTS, state=state)
        self.model.checkpoint(self.solution)
