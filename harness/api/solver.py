"""The solver contract: what a submission's entry class looks like."""

from typing import Protocol, runtime_checkable

from harness.api.blackbox import BlackBox
from harness.api.types import Solution, Task

__all__ = ["Solver"]


@runtime_checkable
class Solver(Protocol):
    """A gradient-free tuner. `solver.toml` names the class; its `[params]` go to `__init__`.

    A solver may also define ::

        @staticmethod
        def predict(response: Response, state: Mapping[str, Array]) -> IntArray: ...

    It runs in a fresh process that knows nothing but its arguments, must be row-wise (the
    prediction of a row may not depend on the other rows), and returns int64 (B,). Without it
    the prediction is the argmax of the mean softmax over members, lowest index on ties.
    """

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Tune on the task within `model.info.max_calls` calls and return the solution."""
        ...
