"""One suite over every packaged solver: baselines, the template and the examples."""

import pytest

from harness.records import Verdict
from harness.rounds.intake import baseline_folder, packaged_baselines
from harness.sandbox import require_mode
from harness.session.arena import Arena
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.submission import read_submission
from harness.store.seeds import solver_seed

BUDGET = 130
SOLVERS = [*packaged_baselines(), "submissions/template", "submissions/examples/random_search"]


@pytest.fixture(scope="module")
def arena(toy_arena):
    """The toy round with a budget that takes seconds; data and model are those loaded already."""
    small = tuple(
        task.model_copy(update={"budget_calls": BUDGET, "test_limit": 200}) for task in toy_arena.config.task
    )
    return Arena(toy_arena.config.model_copy(update={"task": small}))


@pytest.fixture(params=SOLVERS)
def attempt(request, arena, repository, tmp_path):
    name = request.param
    is_baseline = name in packaged_baselines()
    path = baseline_folder(name) if is_baseline else repository / name
    submission = read_submission(path, arena.config.limits.submission_bytes)

    def run(task, folder, kshot_seed=8):
        spec = RunSpec(
            submission=submission,
            params=solver_params(arena.config, submission, is_baseline=is_baseline),
            task=task,
            kshot_seed=kshot_seed,
            solver_seed=solver_seed(arena.config.digest(), task, kshot_seed),
        )
        (tmp_path / folder).mkdir()
        return run_attempt(arena, spec, tmp_path / folder, require_mode())

    return run


@pytest.mark.parametrize("task", ["sst2", "snli"])
def test_solver_ends_well_within_its_budget(attempt, task):
    artifact = attempt(task, "one")
    assert artifact.verdict is Verdict.OK, artifact.message + artifact.log
    assert artifact.usage.calls <= BUDGET
    assert artifact.usage.invalid_queries == 0
    assert not artifact.is_flagged
    assert artifact.scores is not None


def test_solver_asks_the_same_under_the_same_seed(attempt):
    first, second = (attempt("sst2", folder) for folder in ("one", "two"))
    assert first.trace == second.trace
    assert first.predictions == second.predictions
