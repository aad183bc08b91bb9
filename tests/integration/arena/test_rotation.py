"""The secret rotation takes the worth of a prompt that was tuned elsewhere, and nothing of a search's."""

import base64
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.api import Response
from harness.records import Verdict
from harness.rounds.intake import baseline_folder
from harness.sandbox import require_mode
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.rotation import draw_rotation, predict_seed, rotation_seed
from harness.session.submission import read_submission

TASK, KSHOT_SEED = "snli", 8
BAKED = """
import base64
import numpy as np
from harness.api import Solution
class Baked:
    def solve(self, task, model):
        prompt = np.frombuffer(base64.b85decode(PROMPT), np.float16).astype(np.float32)
        info = model.info
        return Solution(prompt.reshape(1, info.n_layers, info.n_prompt_tokens, info.hidden_size))
PROMPT = %r
"""


def test_rotation_is_orthogonal_and_its_seed_is_the_runs_alone():
    rotation = draw_rotation(7, 48)
    assert np.allclose(rotation.matrix @ rotation.matrix.T, np.eye(48))
    seeds = {
        rotation_seed("ab" * 32, *run) for run in ((1, "sst2", 8), (2, "sst2", 8), (1, "snli", 8), (1, "sst2", 13))
    }
    assert len(seeds) == 4
    assert rotation_seed("ab" * 32, 1, "sst2", 8) in seeds
    assert rotation_seed("cd" * 32, 1, "sst2", 8) not in seeds
    assert 0 <= predict_seed("ab" * 32, 1, "sst2", 8) < 2**62
    assert predict_seed("ab" * 32, 1, "sst2", 8) << 2 not in seeds


def test_features_return_in_the_basis_that_prompts_are_sent_in():
    rotation = draw_rotation(7, 48)
    features = np.random.default_rng(0).standard_normal((1, 5, 48)).astype(np.float32)
    seen = rotation.to_solver(Response(features=features)).features
    assert not np.allclose(seen, features)
    assert np.allclose(rotation.to_model(seen), features, atol=1e-5)


@pytest.fixture
def attempt(toy_arena, tmp_path):
    def run(folder, rotation=None):
        submission = read_submission(Path(folder), 2**16)
        is_baseline = Path(folder).name == "bbtv2"
        spec = RunSpec(
            submission,
            solver_params(toy_arena.config, submission, is_baseline=is_baseline),
            TASK,
            KSHOT_SEED,
            5,
            rotation,
        )
        place = tmp_path / f"{submission.manifest.name}-{rotation}"
        place.mkdir()
        return run_attempt(toy_arena, spec, place, require_mode())

    return run


def tuned_elsewhere(toy_arena, tmp_path):
    """What anybody can do: the same search on the same public model, in a process of one's own."""
    from harness.metering import Journal, Meter
    from harness.records import QueryRequest
    from harness.session.blackbox import MeteredBlackBox

    task = toy_arena.task(TASK)
    train, dev = task.data.kshot[KSHOT_SEED]
    sys.path.insert(0, str(baseline_folder("bbtv2")))
    try:
        from solver import BBTv2
    finally:
        sys.path.pop(0)

    class Free:
        """The black box without its wire."""

        def __init__(self, box):
            self.box = box
            self.info = box.info

        def place(self, prompt):
            return self.box.place(prompt)

        def checkpoint(self, solution):
            pass

        def query(self, values, **options):
            return self.box.query(QueryRequest(values, **options))

    class Rows:
        def __init__(self, split, seed):
            self.train, self.dev, self.solver_seed = *split, seed

    with Journal(tmp_path / "free.jsonl") as journal:
        box = MeteredBlackBox(toy_arena, task, {"train": train, "dev": dev}, Meter(400, len(train), journal))
        params = toy_arena.config.solver_params["bbtv2"]
        return BBTv2(**params).solve(Rows((train, dev), 5), Free(box)).prompts


def test_a_baked_in_prompt_loses_its_advantage_and_bbtv2_does_not(toy_arena, attempt, tmp_path):
    prompt = tuned_elsewhere(toy_arena, tmp_path).astype(np.float16)
    baked = tmp_path / "baked"
    baked.mkdir()
    (baked / "solver.toml").write_text('name = "baked"\nentry = "solver:Baked"\n')
    (baked / "solver.py").write_text(BAKED % base64.b85encode(prompt.tobytes()).decode())

    def score(folder, rotation=None):
        artifact = attempt(folder, rotation)
        assert artifact.verdict is Verdict.OK, artifact.message
        return artifact.scores.public

    manual = score(baseline_folder("manual"))
    stolen = score(baked)
    turned = np.mean([score(baked, rotation) for rotation in (1, 2, 3)])
    searched = score(baseline_folder("bbtv2"))
    searched_turned = np.mean([score(baseline_folder("bbtv2"), rotation) for rotation in (1, 2)])
    assert stolen - manual > 15.0, "the prompt is worth something where there is no rotation"
    assert turned - manual < (stolen - manual) / 3
    assert searched_turned - manual > 2 / 3 * (searched - manual)
    # A prompt of zeros is the same in every basis.
    assert score(baseline_folder("manual"), 1) == manual
