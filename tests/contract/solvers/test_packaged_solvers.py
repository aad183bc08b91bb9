"""The published conformance suite over every packaged solver: baselines, the template, the examples."""

import pytest

from harness.references import packaged_references
from harness.rounds.intake import baseline_folder, packaged_baselines
from harness.testing import CHECKS, SolverUnderTest

OTHERS = ["submissions/template", "submissions/examples/random_search"]


@pytest.fixture(scope="module", params=[*packaged_baselines(), *OTHERS])
def solver(request, repository):
    name = request.param
    if name in OTHERS:
        return SolverUnderTest(repository / name)
    return SolverUnderTest(baseline_folder(name), is_baseline=True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_packaged_solver_conforms(check, solver):
    check(solver)


def test_every_example_is_under_test(repository):
    found = {path.parent for path in (repository / "submissions").glob("**/solver.toml")}
    assert found == {repository / name for name in OTHERS}


@pytest.mark.parametrize("name", [*packaged_baselines(), *packaged_references()])
def test_packaged_method_has_its_page(name):
    text = (baseline_folder("manual").parent / name / "README.md").read_text()
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles[1:4] == ["## Formula", "## Settings", "## Differences and why"]
