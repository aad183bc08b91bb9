"""Whole runs of BBTv2 in bf16 beside the same in fp32: `make bench-scores`.

A search amplifies differences: once one candidate in a population ranks otherwise, two runs go
different ways, and what they reach differs as two seeds do. So scores are compared as distributions:
for every task and k-shot seed one run in each type under one solver seed, the difference of the two,
and over all pairs its mean with a 95 % t interval. Scores are on all test rows. Not a gate.

Prints one JSON line per pair and one at the end. Needs the minilm round's model and data.

    python tests/bench/bench_scores.py [--task sst2] [--calls 1000] [--threads 1]
"""

import argparse
import json
import os
from statistics import fmean

from whole_run import final_score

from harness.config import RoundConfig, load_round
from harness.rounds.comparison import mean_interval
from harness.rounds.intake import baseline_folder
from harness.session.loaded_round import LoadedRound
from harness.store.sealed.seeds import solver_seed


def in_type(config: RoundConfig, dtype: str, threads: int, calls: int) -> LoadedRound:
    """Return the round in another type, with another budget."""
    numeric = config.numeric.model_copy(update={"dtype": dtype, "threads": threads})
    tasks = tuple(task.model_copy(update={"budget_calls": calls}) for task in config.task)
    return LoadedRound(config.model_copy(update={"numeric": numeric, "task": tasks}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", action="append", help="of the minilm round; default: sst2; may be repeated")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    config = load_round("minilm")
    arenas = {name: in_type(config, name, options.threads, options.calls) for name in ("fp32", "bf16")}
    pairs = []
    for task in options.task or ["sst2"]:
        for seed in arenas["fp32"].task(task).config.kshot_seeds:
            drawn = solver_seed(config.digest(), task, seed)
            pair = {
                name: final_score(arena, baseline_folder("bbtv2"), task, seed, drawn, is_baseline=True)
                for name, arena in arenas.items()
            }
            pairs.append(pair)
            print(json.dumps({"task": task, "kshot_seed": seed, **pair}), flush=True)
    differences = [pair["bf16"] - pair["fp32"] for pair in pairs]
    mean, low, high = mean_interval(differences)
    summary = {
        "runs_each": len(pairs),
        "calls": options.calls,
        "fp32_mean": fmean(pair["fp32"] for pair in pairs),
        "bf16_mean": fmean(pair["bf16"] for pair in pairs),
        "difference_mean": mean,
        "difference_95": [low, high],
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
