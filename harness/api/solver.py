"""The interface of a submission's entry class."""

from typing import Protocol, runtime_checkable

from harness.api.blackbox import BlackBox
from harness.api.types import Solution, Task

__all__ = ["Solver"]


@runtime_checkable
class Solver(Protocol):
    """A gradient-free tuner. `solver.toml` names the class; its `[params]` are passed to `__init__`.

    A solver may also define ::

        @staticmethod
        def predict(response: Response, state: Mapping[str, Array]) -> IntArray: ...

    It runs in a fresh process with only its arguments, must be row-wise (the prediction of a row may
    not depend on other rows), and returns int64 (B,). Without it the prediction is the argmax of the
    mean softmax over members, the lowest index on ties.
    """

    def solve(self, task: Task, model: BlackBox) -> Solution:
        """Tune on the task within `model.info.max_calls` calls and return the solution."""
        ...
