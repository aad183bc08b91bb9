"""Measure what the toy weights can do: ``python -m harness.toy.gates``.

Three gates keep the toy useful as a miniature of the real competition:

1. every task is known to the model: a linear probe on the mask state stands well above chance;
2. the manual prompt is mediocre: above chance, far from the ceiling;
3. a prompt tuned without gradients (BBTv2) beats the manual prompt by a clear margin.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cma
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from harness.toy import TASKS, WEIGHTS_DIR, ToyTask
from harness.toy.grammar import task_rows
from harness.toy.scene import (
    Floats,
    Scene,
    few_shot,
    labels_of,
    load,
    score,
    score_predictions,
)

__all__ = ["BBTV2", "Bbtv2Settings", "bbtv2", "probe", "report"]

SEEDS: Final = (8, 13, 42)
PROBE_ROWS: Final = 2000
PROBE_ABOVE_CHANCE: Final = 15.0
MANUAL_ABOVE_CHANCE: Final = 10.0
MANUAL_AT_MOST: Final = 75.0
TUNED_ABOVE_MANUAL: Final = 5.0


@dataclass(frozen=True, slots=True)
class Bbtv2Settings:
    """Settings of BBTv2 for one task; ``loss`` is ``ce`` or ``hinge`` (margin 2)."""

    loss: str = "ce"
    alpha: float = 0.3
    sigma: float = 1.0
    intrinsic_dim: int = 50
    population_size: int = 10


BBTV2: Final = {name: Bbtv2Settings() for name in TASKS}
"""Settings per task."""


def probe(scene: Scene) -> float:
    """Return the metric of logistic regression on the mask states under the manual prompt."""
    train = task_rows(scene.task.name, "pool")[:PROBE_ROWS]
    test = task_rows(scene.task.name, "test")
    zero = scene.zero_prompt()
    x_train = scene.features(scene.encode(train), zero)[0].numpy()
    x_test = scene.features(scene.encode(test), zero)[0].numpy()
    model = LogisticRegression(max_iter=2000).fit(x_train, labels_of(train))
    return score_predictions(scene.task, model.predict(x_test), labels_of(test))


def _losses(loss: str, logits: torch.Tensor, labels: torch.Tensor) -> NDArray[np.float64]:
    """Return the mean loss per candidate [P] for logits [P, B, C]."""
    n_prompts, n_rows, n_classes = logits.shape
    if loss == "ce":
        flat = torch.nn.functional.cross_entropy(
            logits.reshape(-1, n_classes), labels.repeat(n_prompts), reduction="none"
        )
        return flat.view(n_prompts, n_rows).mean(dim=1).double().numpy()
    right = logits.gather(-1, labels.expand(n_prompts, n_rows)[..., None])
    margins = (logits - right + 2.0).clamp(min=0.0).sum(dim=-1) - 2.0  # the right class adds 2
    return margins.mean(dim=1).double().numpy()


def bbtv2(scene: Scene, settings: Bbtv2Settings, seed: int) -> tuple[Floats, int]:
    """Tune a deep prompt without gradients: divide and conquer, one CMA-ES per layer.

    Every candidate on the train set is a call, and so is every evaluation on dev (as large as
    train); the task's budget holds both.

    Returns:
        The prompt [L, M, D] that dev liked best, and the calls spent.

    Source: Sun et al. 2022, arXiv 2205.11200, algorithm 1.
    """
    task = scene.task
    train, dev = few_shot(task, seed)
    train_x, dev_x = scene.encode(train), scene.encode(dev)
    train_y, dev_y = torch.from_numpy(labels_of(train)), labels_of(dev)
    n_layers, n_tokens, hidden = scene.shape
    rng = np.random.default_rng(seed)
    projections = [
        rng.normal(
            0.0,
            settings.alpha * std / (np.sqrt(settings.intrinsic_dim) * settings.sigma),
            (settings.intrinsic_dim, n_tokens * hidden),
        ).astype(np.float32)
        for std in scene.layer_std(train_x)
    ]
    searches = [
        cma.CMAEvolutionStrategy(
            np.zeros(settings.intrinsic_dim),
            settings.sigma,
            {"popsize": settings.population_size, "seed": seed * 100 + i + 1, "verbose": -9},
        )
        for i in range(n_layers)
    ]
    best = scene.zero_prompt()[0]
    kept, kept_score = best.copy(), score(task, scene.logits(dev_x, best[None])[0], dev_y)
    calls = 1
    round_cost = n_layers * settings.population_size + 1
    while calls + round_cost <= task.budget:
        for layer, search in enumerate(searches):
            points = search.ask()
            candidates = np.repeat(best[None], len(points), axis=0)
            for i, point in enumerate(points):
                moved = point.astype(np.float32) @ projections[layer]
                candidates[i, layer] = moved.reshape(n_tokens, hidden)
            losses = _losses(settings.loss, scene.logits(train_x, candidates), train_y)
            search.tell(points, losses.tolist())
            found = search.result.xbest.astype(np.float32) @ projections[layer]
            best[layer] = found.reshape(n_tokens, hidden)
        dev_score = score(task, scene.logits(dev_x, best[None])[0], dev_y)
        calls += round_cost
        if dev_score > kept_score:
            kept, kept_score = best.copy(), dev_score
    return kept, calls


def chance(task: ToyTask) -> float:
    """Return the score of guessing, in [0, 100]."""
    return 100.0 / task.n_classes


def report(folder: Path, seeds: Sequence[int] = SEEDS) -> int:
    """Measure and print every gate. Return 0, or 1 if one fails."""
    table: dict[str, tuple[float, float, float, float]] = {}
    print("task      chance  manual   bbtv2   std   probe  s/run")
    model, tokenizer = load(folder)
    for task in TASKS.values():
        scene = Scene(model, tokenizer, task)
        test = task_rows(task.name, "test")
        test_x, test_y = scene.encode(test), labels_of(test)
        manual = score(task, scene.logits(test_x, scene.zero_prompt())[0], test_y)
        ceiling = probe(scene)
        started = time.perf_counter()
        tuned = []
        for seed in seeds:
            prompt, _ = bbtv2(scene, BBTV2[task.name], seed)
            tuned.append(score(task, scene.logits(test_x, prompt[None])[0], test_y))
        spent_s = (time.perf_counter() - started) / len(seeds)
        mean, spread = float(np.mean(tuned)), float(np.std(tuned))
        table[task.name] = (chance(task), manual, mean, ceiling)
        print(
            f"{task.name:8} {chance(task):7.1f} {manual:7.1f} {mean:7.1f} {spread:5.1f} "
            f"{ceiling:7.1f} {spent_s:6.1f}",
            flush=True,
        )
    means = [float(np.mean(column)) for column in zip(*table.values(), strict=True)]
    print(f"{'mean':8} {means[0]:7.1f} {means[1]:7.1f} {means[2]:7.1f} {'':5} {means[3]:7.1f}")
    gates = {
        f"probe >= chance + {PROBE_ABOVE_CHANCE:g} on every task": all(
            row[3] >= row[0] + PROBE_ABOVE_CHANCE for row in table.values()
        ),
        f"chance + {MANUAL_ABOVE_CHANCE:g} <= manual mean <= {MANUAL_AT_MOST:g}": (
            means[0] + MANUAL_ABOVE_CHANCE <= means[1] <= MANUAL_AT_MOST
        ),
        f"bbtv2 mean >= manual mean + {TUNED_ABOVE_MANUAL:g}": (
            means[2] >= means[1] + TUNED_ABOVE_MANUAL
        ),
    }
    for gate, holds in gates.items():
        print(f"{'ok  ' if holds else 'FAIL'}  {gate}")
    return 0 if all(gates.values()) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the report from the command line."""
    parser = argparse.ArgumentParser(prog="python -m harness.toy.gates", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS_DIR)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    return report(args.weights, args.seeds)


if __name__ == "__main__":
    sys.exit(main())
