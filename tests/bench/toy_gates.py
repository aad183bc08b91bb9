"""What the embedded model knows and what methods reach on it: `make toy-gates`.

Three gates keep the toy useful as a miniature of the real competition; what the methods reach beyond
them is reported, not tuned for:

1. the model knows every task: logistic regression on the features at the mask (manual prompt, 2,000
   rows) stands at least 15 points above chance;
2. the manual prompt is mediocre: on the mean, chance + 10 points to 75;
3. BBTv2 ends at least 5 points above it on the mean, over 3 k-shot seeds, with at most 600 calls a run.

Solvers run in the real sandbox and meter. Scores are on all test rows: public and private together.
Prints a Markdown table and one line per gate; exits with 1 if a gate fails.
"""

import os
import sys
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from sklearn.linear_model import LogisticRegression
from whole_run import final_score

from harness.api import Split
from harness.config import load_round
from harness.metrics.official import score
from harness.rounds.intake import baseline_folder
from harness.session.loaded_round import LoadedRound
from harness.store.sealed.seeds import solver_seed
from harness.toy.grammar import task_rows

PROBE_ROWS = 2000
EXAMPLE = Path(__file__).resolve().parents[2] / "submissions" / "examples" / "random_search"


def probe(arena: LoadedRound, name: str) -> float:
    """Return the score of a linear probe on the features of the manual prompt."""
    task = arena.task(name)
    rows = task_rows(name, "pool")[:PROBE_ROWS]
    labels = np.array([row["label"] for row in rows])
    split = Split(tuple(tuple(row[field] for field in task.config.fields) for row in rows), labels)
    info = arena.engine.info
    zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)

    def features(encoded):
        return arena.engine.evaluate(encoded, zeros, outputs=("features",)).features[0]

    model = LogisticRegression(max_iter=3000).fit(features(arena.encode(task.wording, split)), labels)
    predictions = model.predict(features(task.encoded_test))
    return score(task.config.metric, task.data.test.labels, predictions, len(task.config.words))


def main() -> int:
    """Measure, print, and return 0 if every gate holds."""
    arena = LoadedRound(load_round("toy"))
    solvers = {
        "manual": (baseline_folder("manual"), True),
        "random search": (EXAMPLE, False),
        "BBTv2": (baseline_folder("bbtv2"), True),
    }
    tasks = arena.config.task
    table = {"chance": {task.name: [100 / len(task.words)] for task in tasks}}
    for name, (path, is_baseline) in solvers.items():
        table[name] = {
            task.name: [
                final_score(
                    arena,
                    path,
                    task.name,
                    seed,
                    solver_seed(arena.config.digest(), task.name, seed),
                    is_baseline=is_baseline,
                )
                for seed in task.kshot_seeds
            ]
            for task in tasks
        }
    table["linear probe, 2,000 rows"] = {task.name: [probe(arena, task.name)] for task in tasks}
    print("| score | " + " | ".join(task.name for task in tasks) + " | mean |")
    print("|---|" + "---|" * (len(tasks) + 1))
    for name, row in table.items():
        cells = [
            f"{fmean(row[task.name]):.1f}" + (f" ± {stdev(row[task.name]):.1f}" if len(set(row[task.name])) > 1 else "")
            for task in tasks
        ]
        print(f"| {name} | {' | '.join(cells)} | {mean(row):.1f} |")
    manual, tuned, chance = mean(table["manual"]), mean(table["BBTv2"]), mean(table["chance"])
    known = table["linear probe, 2,000 rows"]
    gates = {
        "probe >= chance + 15 on every task": all(known[task.name][0] >= 100 / len(task.words) + 15 for task in tasks),
        "chance + 10 <= manual <= 75 on the mean": chance + 10 <= manual <= 75,
        "BBTv2 >= manual + 5 on the mean": tuned >= manual + 5,
        "at most 600 calls a run": all(task.budget_calls <= 600 for task in tasks),
    }
    for gate, holds in gates.items():
        print(f"{'ok  ' if holds else 'FAIL'} {gate}")
    return 0 if all(gates.values()) else 1


def mean(row: dict[str, list[float]]) -> float:
    """Return the mean over tasks of the mean over seeds."""
    return fmean(fmean(values) for values in row.values())


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    sys.exit(main())
