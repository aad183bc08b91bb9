"""What a solver imports: the solver contract, its data types, its errors, and what many solvers share.

numpy and the standard library only; importable in well under 0.2 s.
"""

from harness.api import losses, projections
from harness.api.blackbox import BlackBox
from harness.api.outputs import Response
from harness.api.solver import Solver
from harness.api.types import Base, ModelInfo, Solution, Split, Task, Wording
from harness.errors import BudgetExhausted, InvalidQuery
from harness.records import Array, FloatArray, IntArray

API_VERSION = "1"
"""What `api` in a submission's `solver.toml` must say."""

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
