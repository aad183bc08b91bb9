"""What the harness answers a solver process with: the meter and the engine behind one protocol."""

from typing import Protocol

from harness.api.outputs import Response
from harness.api.types import ModelInfo, Solution
from harness.records import FloatArray, QueryRequest, WordingRequest

__all__ = ["BlackBoxService"]


class BlackBoxService(Protocol):
    """The host's side of the black box. Called from one thread, one request at a time.

    The sandbox has checked types, ranks and exact byte counts. Everything that depends on the
    model, the task or the meter is the service's: shapes, rows, handles, finite and bounded
    values, the budget. It says no by raising `BudgetExhausted` or `InvalidQuery`, both relayed
    to the solver; only prompts that overflow the model, found by computing, stay charged.
    `ProtocolViolation` ends the attempt with that verdict. Any other exception is the harness's
    fault and voids the attempt.
    """

    @property
    def info(self) -> ModelInfo:
        """What the solver may know of the model."""
        ...

    @property
    def calls_left(self) -> int:
        """Calls that may still be charged, >= 0."""
        ...

    def place(self, prompt: FloatArray) -> int:
        """Keep a deep prompt, float32 of any three dimensions; return its handle.

        Raises:
            InvalidQuery: wrong shape or values.
        """
        ...

    def query(self, request: QueryRequest) -> Response:
        """Charge and evaluate.

        Raises:
            BudgetExhausted: the query would pass the budget.
            InvalidQuery: the query is malformed, or its outputs are not finite.
        """
        ...

    def answered(self) -> None:
        """Do what the solver need not wait for: its last query's answer, or the refusal of it, has been sent.

        While this lasts no limit on the solver's time ends it, so it must be short and bounded by the query.
        """
        ...

    def wording(self, request: WordingRequest) -> int:
        """Keep a wording; return its handle, > 0 (0 is the official one).

        Raises:
            InvalidQuery: the wording cannot be used, or too many are held.
        """
        ...

    def checkpoint(self, solution: Solution) -> None:
        """Keep the incumbent. The sandbox has checked it as it checks a final solution.

        Raises:
            InvalidQuery: the solution cannot be used.
        """
        ...
