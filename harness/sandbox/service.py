"""The protocol of the object that answers a solver process: the meter and the engine."""

from typing import Protocol

from harness.api.outputs import Response
from harness.api.types import ModelInfo, Solution
from harness.records import FloatArray, QueryRequest, WordingRequest

__all__ = ["BlackBoxService"]


class BlackBoxService(Protocol):
    """The host's side of the black box. Called from one thread, one request at a time.

    The sandbox has checked types, ranks and exact byte counts. The service checks what depends on
    the model, the task or the meter: shapes, rows, handles, finite and bounded values, the budget.
    It refuses a request by raising `BudgetExhausted` or `InvalidQuery`, which are relayed to the
    solver; a refused request is not charged, except for prompts that overflow the model.
    `ProtocolViolation` ends the attempt with that verdict. Any other exception is a platform error
    and voids the attempt.
    """

    @property
    def info(self) -> ModelInfo:
        """The model's sizes and limits, as the solver sees them."""
        ...

    @property
    def calls_left(self) -> int:
        """Calls left in the budget, >= 0."""
        ...

    def place(self, prompt: FloatArray) -> int:
        """Store a deep prompt, float32 (L, M, D); return its handle. The shape is not yet checked.

        Raises:
            InvalidQuery: the shape or a value is wrong.
        """
        ...

    def query(self, request: QueryRequest) -> Response:
        """Charge and evaluate.

        Raises:
            BudgetExhausted: the query would exceed the budget.
            InvalidQuery: the query is malformed, or its outputs are not finite.
        """
        ...

    def answered(self) -> None:
        """Do the work that can follow the answer to the last request, or its refusal.

        It must be short and bounded by the query: no limit on the solver's time ends it.
        """
        ...

    def wording(self, request: WordingRequest) -> int:
        """Store a wording; return its handle, > 0 (0 is the official one).

        Raises:
            InvalidQuery: the wording cannot be used, or there are too many.
        """
        ...

    def checkpoint(self, solution: Solution) -> None:
        """Store the incumbent. The sandbox has checked it as a final solution.

        Raises:
            InvalidQuery: the solution cannot be used.
        """
        ...
