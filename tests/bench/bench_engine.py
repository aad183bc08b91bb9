"""Speed of a forward call as a ratio to plain transformers: `make bench`.

Reference: one padded forward of the whole model per candidate, LM head over every token and the whole
vocabulary (`harness/engine/reference.py`). Engine: the same query as a solver would send it. Both run in
this process, in turn, on the same inputs; a case whose outputs differ by more than 1e-4 is not reported.
Prints one JSON line per case and a table; the real model is measured where the shared folder is.
"""

import json
import subprocess
import sys
import time
from statistics import median

import numpy as np

from harness.config import load_round, shared_folder
from harness.engine import evaluate_reference
from harness.session.arena import Arena

SEED = 7
ROUNDS = 3
N_CANDIDATES = 20
N_REFERENCE = 4
"""Candidates that the reference runs: it takes them one by one, so a call costs the same for more."""
TOLERANCE = 1e-4


def measure(arena, task_name, layer):
    """Return one case's figures; `layer` None is a query of whole prompts."""
    task = arena.task(task_name)
    train, _ = arena.task(task_name).data.kshot[42]
    encoded = arena.encode(task.wording, train)
    info = arena.engine.info
    shape = (info.n_layers, info.n_prompt_tokens, info.hidden_size)[0 if layer is None else 1 :]
    generator = np.random.default_rng(SEED)
    values = (0.1 * generator.standard_normal((N_CANDIDATES, *shape))).astype(np.float32)

    def reference():
        return evaluate_reference(
            arena.backbone, encoded, values[:N_REFERENCE], layer=layer, base=None, rows=None
        )

    def engine():
        return arena.engine.evaluate(encoded, values, layer=layer)

    difference = float(np.abs(reference().logits - engine().logits[:N_REFERENCE]).max())
    if difference > TOLERANCE:
        sys.exit(
            f"{arena.config.name} {task_name}, layer {layer}: outputs differ by {difference:.2e}; not reported"
        )
    times = {"reference": [], "engine": []}
    for _ in range(ROUNDS):
        for name, run, calls in (("reference", reference, N_REFERENCE), ("engine", engine, N_CANDIDATES)):
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) / calls)
    slow, fast = median(times["reference"]), median(times["engine"])
    return {
        "case": f"{arena.config.name} {task_name} {'whole prompts' if layer is None else f'layer {layer}'}",
        "device": arena.profile.device,
        "dtype": arena.profile.dtype,
        "threads": arena.profile.threads,
        "reference_s_per_call": slow,
        "engine_s_per_call": fast,
        "ratio": slow / fast,
        "ratio_spread": [
            min(times["reference"]) / max(times["engine"]),
            max(times["reference"]) / min(times["engine"]),
        ],
        "max_abs_diff": difference,
        "versions": dict(arena.profile.versions),
        "commit": commit(),
    }


def commit():
    """Return the commit that is measured, or an empty text outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def main():
    rounds = ["toy"]
    if (shared_folder() / "models" / "minilm-mlm").is_dir():
        rounds.append("minilm")
    else:
        print(f"no real model at {shared_folder()}: measuring the toy alone", file=sys.stderr)
    lines = []
    for name in rounds:
        arena = Arena(load_round(name))
        n_layers = arena.engine.info.n_layers
        for layer in (None, 0, n_layers // 2, n_layers - 1):
            lines.append(measure(arena, "sst2", layer))
            print(json.dumps(lines[-1]), flush=True)
    print(f"\n{'case':32} {'reference':>12} {'engine':>12} {'ratio':>7}")
    for line in lines:
        print(
            f"{line['case']:32} {1000 * line['reference_s_per_call']:9.2f} ms {1000 * line['engine_s_per_call']:9.2f} ms "
            f"{line['ratio']:6.1f}x"
        )


if __name__ == "__main__":
    main()
