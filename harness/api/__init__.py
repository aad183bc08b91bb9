"""The solver contract: interfaces, data types, errors, and code that solvers share.

Depends on numpy and the standard library only; imports in under 0.2 s.
"""

from harness.api import losses, projections
from harness.api.blackbox import BlackBox
from harness.api.outputs import Response
from harness.api.solver import Solver
from harness.api.types import Base, ModelInfo, Solution, Split, Task, Wording
from harness.errors import BudgetExhausted, InvalidQuery
from harness.records import Array, FloatArray, IntArray

API_VERSION = "1"
"""Required value of `api` in a submission's `solver.toml`."""

__all__ = [
    "API_VERSION",
    "Array",
    "Base",
    "BlackBox",
    "BudgetExhausted",
    "FloatArray",
    "IntArray",
    "InvalidQuery",
    "ModelInfo",
    "Response",
    "Solution",
    "Solver",
    "Split",
    "Task",
    "Wording",
    "losses",
    "projections",
]
