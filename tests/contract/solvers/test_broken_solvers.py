"""Control of the conformance suite: each broken solver is found, by the check that is meant for it."""

import pytest

from harness.records import Verdict
from harness.testing import CHECKS, NotConforming, SolverUnderTest

BROKEN = {
    # check: lines of `solve` that break it
    "ends_well_on_one_text_tasks": "raise ValueError('always')",
    "ends_well_on_two_text_tasks": "if len(task.train.texts[0]) == 2: raise ValueError('pairs')\nreturn zeros(model)",
    "ends_well_with_many_classes": "assert len(task.words) < 10\nreturn zeros(model)",
    "ends_well_with_another_prompt_length": (
        "info = model.info\nreturn Solution(np.zeros((1, info.n_layers, 10, info.hidden_size), np.float32))"
    ),
    "stays_within_the_budget": ("model.checkpoint(zeros(model))\nwhile True: model.query(zeros(model).prompts)"),
    "never_sends_a_malformed_query": (
        "try: model.query(zeros(model).prompts, split='test')\nexcept InvalidQuery: return zeros(model)"
    ),
    "asks_the_same_under_the_same_seed": (
        "model.query(np.random.default_rng().standard_normal(zeros(model).prompts.shape))\nreturn zeros(model)"
    ),
    "explains_itself_when_the_budget_is_tiny": ("if model.calls_left < 100: time.sleep(600)\nreturn zeros(model)"),
}


ALWAYS_RAISES = "raise ValueError('always')"
ALSO_BROKEN = [
    ("stays_within_the_budget", "while True: model.query(zeros(model).prompts)"),
    (
        "asks_the_same_under_the_same_seed",
        (
            "if len(task.train.texts[0]) == 2:\n"
            "    model.query(np.random.default_rng().standard_normal(zeros(model).prompts.shape))\n"
            "return zeros(model)"
        ),
    ),
    # Without a score a requirement cannot be checked, and is not met.
    ("stays_within_the_budget", ALWAYS_RAISES),
    ("never_sends_a_malformed_query", ALWAYS_RAISES),
    ("asks_the_same_under_the_same_seed", ALWAYS_RAISES),
    ("explains_itself_when_the_budget_is_tiny", ALWAYS_RAISES),
]


def write(folder, lines):
    folder.mkdir()
    (folder / "solver.toml").write_text('name = "broken"\nentry = "solver:Broken"\n')
    body = "\n".join(f"        {line}" for line in lines.splitlines())
    (folder / "solver.py").write_text(
        "import time\nimport numpy as np\nfrom harness.api import InvalidQuery, Solution\n"
        "def zeros(model):\n    info = model.info\n"
        "    shape = (1, info.n_layers, info.n_prompt_tokens, info.hidden_size)\n"
        "    return Solution(np.zeros(shape, np.float32))\n"
        f"class Broken:\n    def solve(self, task, model):\n{body}\n"
    )
    return SolverUnderTest(folder)


def named(name):
    return next(check for check in CHECKS if check.__name__ == name)


@pytest.fixture
def _short_limits(monkeypatch):
    """A solver that sleeps costs the suite seconds."""
    from harness.testing import subject

    config = subject._round()
    limits = config.limits.model_copy(update={"solver_s": 3.0})
    monkeypatch.setattr(subject, "_round", lambda: config.model_copy(update={"limits": limits}))
    subject._arena.cache_clear()
    yield
    subject._arena.cache_clear()


@pytest.mark.usefixtures("_short_limits")
@pytest.mark.parametrize(("name", "lines"), [*BROKEN.items(), *ALSO_BROKEN])
def test_broken_solver_is_found_by_its_check(name, lines, tmp_path):
    with pytest.raises(NotConforming):
        named(name)(write(tmp_path / "broken", lines))


@pytest.mark.parametrize("name", [check.__name__ for check in CHECKS])
def test_solver_of_zeros_passes_the_check(name, tmp_path):
    named(name)(write(tmp_path / "whole", "return zeros(model)"))


def test_oversized_files_are_found(tmp_path):
    solver = write(tmp_path / "large", "return zeros(model)")
    (tmp_path / "large" / "weights.py").write_text("# " + "x" * 2**17)
    with pytest.raises(NotConforming, match="files"):
        named("keeps_its_files_within_the_limits")(solver)


def test_every_check_has_a_control():
    assert {check.__name__ for check in CHECKS} == {*BROKEN, "keeps_its_files_within_the_limits"}


# Two checkpoints that score differently from each other and from zeros, then the whole budget.
SPENDS = """
first = zeros(model)
for seed in (1, 2):
    prompts = np.random.default_rng(seed).standard_normal(first.prompts.shape).astype(np.float32)
    model.checkpoint(Solution(prompts))
for _ in range({n}): model.query(first.prompts)
return Solution(prompts)
"""
HANDS_IN = """
shape = zeros(model).prompts.shape
return Solution({scale} * np.random.default_rng({seed}).standard_normal(shape).astype(np.float32))
"""


@pytest.mark.parametrize("n", ["model.calls_left", "model.calls_left + 1"])
def test_budget_spent_early_or_one_call_late_is_scored_on_the_last_checkpoint(n, tmp_path):
    def attempt(name, lines):
        return write(tmp_path / name, lines).attempt("sst2", budget_calls=20)

    artifact = attempt("spender", SPENDS.format(n=n))
    assert artifact.verdict is Verdict.OK
    assert artifact.usage.calls == 20
    assert artifact.is_checkpoint == ("+ 1" in n)
    zeros, first, last = (
        attempt(f"handed-in-{number}", HANDS_IN.format(scale=scale, seed=seed)).scores
        for number, (scale, seed) in enumerate([(0, 1), (1, 1), (1, 2)])
    )
    assert artifact.scores == last
    assert last not in (zeros, first)


def test_command_prints_a_line_per_check_and_fails_for_a_broken_solver(tmp_path, capsys):
    from harness.testing.__main__ import main

    solver = write(tmp_path / "broken", BROKEN["ends_well_on_two_text_tasks"])
    assert main([str(solver.path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("BROKEN  ends_well_on_two_text_tasks") for line in lines) == 1
    assert sum(line.startswith("ok ") for line in lines) >= 5


def test_command_prints_a_fault_once_and_stops_if_nothing_can_be_checked(tmp_path, capsys):
    from harness.testing.__main__ import main

    solver = write(tmp_path / "broken", ALWAYS_RAISES)
    assert main([str(solver.path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("BROKEN") == len(CHECKS) - 1
    assert printed.count("cannot be checked, because") == 4
    assert printed.count("Traceback") == 1
    (tmp_path / "broken" / "solver.toml").unlink()
    assert main([str(solver.path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("BROKEN") == 1
    assert printed.endswith("The other checks need acceptable files.\n")
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m harness.testing PATH")
