"""Agreement of bf16 with fp32 on real text: same model, same fixed prompts, same rows."""

import time

import numpy as np

from harness.bench.line import BenchLine, BenchRefused
from harness.bench.machine import peak_bytes, reset_peak
from harness.config import load_round, shared_folder
from harness.engine import EncodedSplit
from harness.records import FloatArray, IntArray
from harness.session.loaded_round import LoadedRound

__all__ = ["AGREEMENT_ABOUT", "agreement"]

AGREEMENT_ABOUT = "minilm, up to 400 test rows of each real task under fixed prompts: bf16 against fp32"
_N_PROMPTS = 4
_SCALES = (0.0, 0.05, 0.1, 0.2)
"""Scales of the fixed prompts in units of 10 times the word embeddings' std, as in a search."""
_ROWS = 400


def agreement() -> BenchLine:
    """Compare the class logits of both types.

    Raises:
        BenchRefused: the model is missing, or less than 99 % of the predictions agree.
    """
    if not (shared_folder() / "models" / "minilm-mlm").is_dir():
        raise BenchRefused(
            f"no models/minilm-mlm in {shared_folder()}: name the folder with --shared or GRADFREE_SHARED"
        )
    config = load_round("minilm")
    numeric = config.numeric.model_copy(update={"dtype": "bf16"})
    exact, short = LoadedRound(config), LoadedRound(config.model_copy(update={"numeric": numeric}))
    info = exact.engine.info
    generator = np.random.default_rng(7)
    noise = generator.standard_normal((_N_PROMPTS, info.n_layers, info.n_prompt_tokens, info.hidden_size))
    sizes = 10 * info.embedding_std * np.array(_SCALES)[:, None, None, None]
    prompts = (sizes * noise).astype(np.float32)
    agreed, compared, largest, seconds = 0, 0, 0.0, {"fp32": 0.0, "bf16": 0.0}
    per_task = {}
    reset_peak("cpu")
    for task in config.task:
        encoded = exact.task(task.name).encoded_test
        rows = np.arange(min(_ROWS, len(encoded)))
        logits = {}
        for name, arena in (("fp32", exact), ("bf16", short)):
            started = time.perf_counter()
            logits[name] = _logits(arena, encoded, prompts, rows)
            seconds[name] += time.perf_counter() - started
        same = logits["fp32"].argmax(axis=-1) == logits["bf16"].argmax(axis=-1)
        per_task[task.name] = float(same.mean())
        agreed, compared = agreed + int(same.sum()), compared + same.size
        largest = max(largest, float(np.abs(logits["fp32"] - logits["bf16"]).max()))
    share = agreed / compared
    if share < 0.99:
        raise BenchRefused(f"bf16 against fp32: got {100 * share:.2f} % equal of {compared} predictions, expected 99 %")
    return BenchLine(
        case="minilm-agreement-bf16",
        device=short.profile.device,
        dtype="bf16",
        reference_s_per_call=seconds["fp32"] / (_N_PROMPTS * len(config.task)),
        engine_s_per_call=seconds["bf16"] / (_N_PROMPTS * len(config.task)),
        ratio=seconds["fp32"] / seconds["bf16"],
        useful_tflops=None,
        peak_share=None,
        max_abs_diff=largest,
        peak_bytes=peak_bytes("cpu"),
        details={
            "about": AGREEMENT_ABOUT,
            "argmax_agreement": share,
            "per_task": per_task,
            "predictions": compared,
            "note": "the reference is this engine in fp32; a call is one prompt on up to 400 test rows",
        },
    )


def _logits(arena: LoadedRound, encoded: EncodedSplit, prompts: FloatArray, rows: IntArray) -> FloatArray:
    """Evaluate without the scheduler."""
    logits = arena.engine.evaluate(encoded, prompts, rows=rows).logits
    if logits is None:
        raise BenchRefused("the engine returned no logits")
    return logits
