"""What admission counts is what an attempt can really make the worker hold."""

import tracemalloc

import numpy as np
import pytest

from harness.api import Solution
from harness.metering import Journal, Meter
from harness.session.blackbox import MeteredBlackBox
from harness.session.footprint import attempt_bytes
from harness.session.incumbents import KEPT_STATES
from harness.session.loaded_round import LoadedRound

MIB = 1 << 20


def with_limits(toy_arena, **limits):
    config = toy_arena.config
    arena = LoadedRound(config.model_copy(update={"limits": config.limits.model_copy(update=limits)}))
    arena.__dict__["backbone"], arena.__dict__["engine"] = toy_arena.backbone, toy_arena.engine
    return arena


@pytest.mark.parametrize("state_bytes", [8 * MIB, 64 * MIB])
def test_checkpoints_with_full_states_stay_below_what_is_counted(toy_arena, tmp_path, state_bytes):
    small, arena = with_limits(toy_arena, state_bytes=1), with_limits(toy_arena, state_bytes=state_bytes)
    counted = attempt_bytes(arena, arena.task("sst2")) - attempt_bytes(small, small.task("sst2"))
    train, dev = arena.task("sst2").data.kshot[8]
    info = arena.model_info(arena.task("sst2").config)
    prompts = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
    with Journal(tmp_path / "journal.jsonl") as journal:
        meter = Meter(400, len(train), journal)
        blackbox = MeteredBlackBox(arena, arena.task("sst2"), {"train": train, "dev": dev}, meter)
        tracemalloc.start()
        for calls in (1, 4, 12, 30, 80, 200, 300, 399):
            meter.reserve(calls - meter.calls, len(train))
            blackbox.checkpoint(Solution(prompts, state={"s": np.zeros(state_bytes, np.uint8)}))
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert KEPT_STATES * state_bytes <= held < peak <= counted + MIB


@pytest.mark.parametrize(
    ("limit", "value", "times"),
    [("memory_bytes", 1 << 40, 1), ("scratch_bytes", 1 << 40, 1), ("state_bytes", 1 << 40, KEPT_STATES + 1)],
)
def test_every_limit_of_memory_counts(toy_arena, limit, value, times):
    arena = with_limits(toy_arena, **{limit: value})
    before = getattr(toy_arena.config.limits, limit)
    more = attempt_bytes(arena, arena.task("sst2")) - attempt_bytes(toy_arena, toy_arena.task("sst2"))
    assert more == times * (value - before)


@pytest.mark.parametrize("limit", ["max_ensemble", "max_bases"])
def test_members_and_placed_prompts_count(toy_arena, limit):
    arena = with_limits(toy_arena, **{limit: 1000})
    assert attempt_bytes(arena, arena.task("sst2")) > attempt_bytes(toy_arena, toy_arena.task("sst2"))
