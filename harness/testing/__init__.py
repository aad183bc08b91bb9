"""The published conformance suite for solvers: any solver, one line per promise of the contract.

From a shell: ``python -m harness.testing PATH``. From pytest::

    import pytest
    from harness.testing import CHECKS, SolverUnderTest

    @pytest.fixture(scope="module")
    def solver():
        return SolverUnderTest("mysolver")

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_solver_conforms(check, solver):
        check(solver)

Everything runs on the embedded toy model, through the same sandbox, meter and scoring as a round.
"""

from harness.testing.checks import CHECKS, Check, NotConforming
from harness.testing.subject import SolverUnderTest

__all__ = ["CHECKS", "Check", "NotConforming", "SolverUnderTest"]
