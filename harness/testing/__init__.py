"""The published conformance suite for solvers: one check per requirement of the contract.

From a shell: ``python -m harness.testing PATH``. From pytest::

    import pytest
    from harness.testing import CHECKS, SolverUnderTest

    @pytest.fixture(scope="module")
    def solver():
        return SolverUnderTest("mysolver")

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_solver_conforms(check, solver):
        check(solver)

The checks run on the embedded toy model, with the same sandbox, meter and scoring as a round.
"""

from harness.testing.checks import CHECKS, Check, NotConforming
from harness.testing.subject import SolverUnderTest

__all__ = ["CHECKS", "Check", "NotConforming", "SolverUnderTest"]
