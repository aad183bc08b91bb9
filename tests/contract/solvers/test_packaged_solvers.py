"""The published conformance suite over every packaged solver: baselines, the template, the examples."""

import functools

import pytest

from harness.references import packaged_references
from harness.rounds.intake import baseline_folder, packaged_baselines
from harness.testing import CHECKS, SolverUnderTest

OTHERS = ["submissions/template", "submissions/examples/random_search"]


# Checks that make whole attempts. BBTv2 stands for the long searches here; the others run them in `make test-slow`.
LONG_CHECKS = {
    "ends_well_with_many_classes",
    "ends_well_with_another_prompt_length",
    "asks_the_same_under_the_same_seed",
}
LONG_SEARCHES = {"ajo", "bbt", "bbt_rgb", "random_search"}


def _cases():
    for name in (*packaged_baselines(), *OTHERS):
        for check in CHECKS:
            is_slow = name in LONG_SEARCHES and check.__name__ in LONG_CHECKS
            marks = [pytest.mark.slow] if is_slow else []
            yield pytest.param(name, check, marks=marks, id=f"{name}-{check.__name__}")


@pytest.fixture(scope="module")
def solver_named(repository):
    """Solvers by name, each with the attempts that its checks share."""

    @functools.cache
    def named(name):
        if name in OTHERS:
            return SolverUnderTest(repository / name)
        return SolverUnderTest(baseline_folder(name), is_baseline=True)

    return named


@pytest.mark.parametrize(("name", "check"), list(_cases()))
def test_packaged_solver_conforms(name, check, solver_named):
    check(solver_named(name))


def test_every_example_is_under_test(repository):
    found = {path.parent for path in (repository / "submissions").glob("**/solver.toml")}
    assert found == {repository / name for name in OTHERS}


@pytest.mark.parametrize("name", [*packaged_baselines(), *packaged_references()])
def test_packaged_method_has_its_page(name):
    text = (baseline_folder("manual").parent / name / "README.md").read_text()
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles[1:4] == ["## Formula", "## Settings", "## Differences and why"]
