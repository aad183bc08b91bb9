"""What gradient references cost on the RoBERTa-large shape: random weights, fp32, no checkpointing.

Two claims, each as a ratio in one run:

1. `lpt` against `prompt_tuning`: at least 1.3 times faster per training step, and with less peak
   memory. Both read the same 78 tokens of text per example; prompt tuning adds 50 in front, late
   prompts 5 in the middle.
2. `pe_transfer` (its second stage, through the bridge) against `lora`: at most half of the peak
   memory, at 128 tokens.

Peak memory is the largest resident set during training less the resident set just before. Each case
runs in a process of its own; the seconds of claim 1 are medians over interleaved steps of both.
Prints one JSON line per case and one per claim; exit 1 if one does not hold.

    python tests/bench/bench_references.py [--batch 32] [--speed-batch 8] [--steps 3]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch
from torch.nn import functional
from transformers import RobertaConfig, RobertaForMaskedLM

from harness.bench.workload import ROBERTA_LARGE
from harness.references import Batch, load_reference

TEXT_TOKENS, WIDE_TOKENS, N_PROMPT = 78, 128, 50


def resident_bytes(key):
    """VmRSS (now) or VmHWM (largest since the last reset)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def adapted(name, shape, **params):
    torch.manual_seed(0)
    model = RobertaForMaskedLM(RobertaConfig(**ROBERTA_LARGE | shape))
    module = load_reference(name).build(**params).adapt(model, N_PROMPT)
    if name == "pe_transfer":
        module.begin()
    return module


def make_batch(n_rows, n_tokens):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1000, 5000, (n_rows, n_tokens), generator=generator)
    return Batch(ids, torch.ones_like(ids), torch.full((n_rows,), n_tokens - 2))


def trainer(module, batch):
    tuned = [values for values in module.parameters() if values.requires_grad]
    optimizer = torch.optim.AdamW(tuned, 1e-3)
    labels = torch.arange(len(batch.read)) % 2

    def step():
        started = time.perf_counter()
        module.train()
        loss = functional.cross_entropy(module(batch)[:, [205, 372]], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not torch.isfinite(loss):
            raise RuntimeError("the loss is not finite: nothing to report")
        return time.perf_counter() - started

    return step


def memory_case(name, n_rows, n_tokens, shape, steps=1):
    """Return the peak above the resident set before training."""
    module = adapted(name, shape)
    step = trainer(module, make_batch(n_rows, n_tokens))
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    seconds = [step() for _ in range(steps)]
    return {
        "case": f"memory {name}", "batch": n_rows, "tokens": n_tokens,
        "peak_above_start_bytes": resident_bytes("VmHWM") - before, "s_per_step": min(seconds),
    }  # fmt: skip


def speed_case(n_rows, shape, steps):
    """Return medians of interleaved steps of both methods."""
    steppers = {
        name: trainer(adapted(name, shape), make_batch(n_rows, TEXT_TOKENS)) for name in ("prompt_tuning", "lpt")
    }
    seconds = {name: [] for name in steppers}
    for number in range(steps + 1):
        for name, step in steppers.items():
            taken = step()
            if number:  # the first is the warm-up
                seconds[name].append(taken)
    return {
        "case": "speed", "batch": n_rows, "tokens": TEXT_TOKENS, "steps": steps,
        **{f"{name}_s_per_step": round(median(values), 3) for name, values in seconds.items()},
        "ratio": round(median(seconds["prompt_tuning"]) / median(seconds["lpt"]), 2),
    }  # fmt: skip


def in_process(*arguments):
    done = subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True)
    line = done.stdout.strip().splitlines()[-1]
    print(line, flush=True)
    return json.loads(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--speed-batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--layers", type=int, default=24, help="fewer for a quick look")
    parser.add_argument("--case")
    options = parser.parse_args()
    shape = {"num_hidden_layers": options.layers}
    if options.case == "speed":
        print(json.dumps(speed_case(options.speed_batch, shape, options.steps)))
        return
    if options.case:
        n_tokens = WIDE_TOKENS if options.case in {"lora", "pe_transfer"} else TEXT_TOKENS
        n_rows = options.batch if n_tokens == WIDE_TOKENS else options.speed_batch
        print(json.dumps(memory_case(options.case, n_rows, n_tokens, shape)))
        return
    common = (
        "--batch",
        options.batch,
        "--speed-batch",
        options.speed_batch,
        "--steps",
        options.steps,
        "--layers",
        options.layers,
    )
    memory = {name: in_process("--case", name, *common) for name in ("lora", "pe_transfer", "prompt_tuning", "lpt")}
    speed = in_process("--case", "speed", *common)

    def peak_ratio(name, reference):
        return round(memory[name]["peak_above_start_bytes"] / memory[reference]["peak_above_start_bytes"], 3)

    late_peak, bridge_peak = peak_ratio("lpt", "prompt_tuning"), peak_ratio("pe_transfer", "lora")
    late_holds, bridge_holds = speed["ratio"] >= 1.3 and late_peak < 1, bridge_peak <= 0.5
    print(json.dumps({
        "claim": "lpt against prompt_tuning: at least 1.3 times faster, less memory", "holds": late_holds,
        "speed_ratio": speed["ratio"], "peak_ratio": late_peak, "batch": options.speed_batch,
        "torch": torch.__version__, "threads": torch.get_num_threads(), "layers": options.layers,
    }))  # fmt: skip
    print(json.dumps({
        "claim": "pe_transfer against lora: at most half of the memory", "holds": bridge_holds,
        "peak_ratio": bridge_peak, "batch": options.batch, "tokens": WIDE_TOKENS, "layers": options.layers,
    }))  # fmt: skip
    sys.exit(not (late_holds and bridge_holds))


if __name__ == "__main__":
    main()
