from types import SimpleNamespace

import pytest

from harness.config import load_round
from harness.sandbox import SandboxPolicy
from harness.session.loaded_round import LoadedRound

GIB = 1 << 30


@pytest.mark.parametrize(
    ("shape", "budget"), [((4, 10, 96), 400), ((24, 50, 1024), 8000), ((24, 100, 1024), 8000), ((48, 50, 1600), 20000)]
)
def test_a_solver_may_send_its_whole_budget_in_whole_prompts(shape, budget):
    config = load_round("toy")
    tasks = tuple(task.model_copy(update={"budget_calls": budget}) for task in config.task)
    arena = LoadedRound(config.model_copy(update={"task": tasks}))
    names = ("n_layers", "n_prompt_tokens", "hidden_size")
    arena.engine = SimpleNamespace(info=SimpleNamespace(**dict(zip(names, shape, strict=True))))
    prompt_bytes = 4 * shape[0] * shape[1] * shape[2]
    allowed = arena.policy.inbound_bytes
    assert allowed >= 2 * budget * prompt_bytes
    assert allowed >= SandboxPolicy().inbound_bytes == 64 * GIB
    assert allowed <= max(64 * GIB, 8 * budget * prompt_bytes)
