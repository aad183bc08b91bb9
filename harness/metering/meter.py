"""The meter of one attempt.

Theory of operation. A meter belongs to one attempt and lives in the worker, out of reach of the solver
process. A query passes through three steps:

1. `reserve` computes its cost and refuses the query if the cost exceeds the calls left. Otherwise it
   charges the calls in memory and in the journal, before anything is computed. Charges are final: a
   cached result costs as much as a computed one.
2. The engine runs.
3. `settle` records the tokens and seconds of the forward pass, which are not charged.

If the worker dies in between, the attempt is void: its journal stays on disk as evidence, none of its
charges reaches the store, and the run starts from zero with the same seeds. So no call is charged twice,
and there are no partial refunds.
"""

from harness.errors import BudgetExhausted
from harness.metering.call import call_cost
from harness.metering.journal import Journal, JournalEntry
from harness.records import Usage

__all__ = ["Meter"]


class Meter:
    """Counts the calls of one attempt and refuses queries that exceed its budget."""

    def __init__(self, budget_calls: int, n_train: int, journal: Journal) -> None:
        """Start at zero.

        Args:
            budget_calls: most calls that may be charged.
            n_train: |train|, the examples that one call covers.
            journal: gets each charge before the forward pass.
        """
        self._budget = budget_calls
        self._n_train = n_train
        self._journal = journal
        # Plain attributes, not a frozen Usage per query: the solver waits for every update.
        self._calls = 0
        self._queries = 0
        self._examples = 0
        self._tokens = 0
        self._engine_s = 0.0
        self._refused_queries = 0
        self._test_examples = 0

    @property
    def usage(self) -> Usage:
        """Resources used so far."""
        return Usage(
            calls=self._calls,
            queries=self._queries,
            examples=self._examples,
            tokens=self._tokens,
            engine_s=self._engine_s,
            refused_queries=self._refused_queries,
            test_examples=self._test_examples,
        )

    @property
    def calls(self) -> int:
        """Calls charged so far."""
        return self._calls

    @property
    def calls_left(self) -> int:
        """Calls left."""
        return self._budget - self._calls

    def reserve(self, n_candidates: int, n_rows: int) -> int:
        """Charge a query before it is computed and return its cost in calls.

        Raises:
            BudgetExhausted: the query costs more than is left; nothing was charged.
            InfrastructureError: the journal cannot be written; nothing was charged.
        """
        cost = call_cost(n_candidates, n_rows, self._n_train)
        if cost > self.calls_left:
            self._refused_queries += 1
            raise BudgetExhausted(
                f"this query costs {cost} calls ({n_candidates} candidates on {n_rows} rows, "
                f"{self._n_train} rows per call), {self.calls_left} of {self._budget} are left; nothing was charged"
            )
        self._journal.append(JournalEntry(self._queries + 1, cost, self._calls + cost))
        self._calls += cost
        self._queries += 1
        self._examples += n_candidates * n_rows
        return cost

    def settle(self, tokens: int, engine_s: float) -> None:
        """Record tokens and seconds of the reserved query's forward pass.

        Args:
            tokens: real tokens over all candidate-example pairs.
            engine_s: seconds in the engine.
        """
        self._tokens += tokens
        self._engine_s += engine_s

    def note_test(self, examples: int) -> None:
        """Record examples of the test phase; not charged."""
        self._test_examples += examples
