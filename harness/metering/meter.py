"""The meter of one attempt.

Theory of operation. A meter belongs to one attempt and lives in the worker; the solver process
never sees it. A query passes through three steps:

1. `reserve` works out its cost and refuses it whole if it would pass the budget. Otherwise the
   calls are charged in memory and journalled. Nothing has been computed yet, and what is
   charged stays charged: a result from a cache costs what a computed one does.
2. the engine runs.
3. `settle` records what the forward pass took (examples, tokens, seconds): cost columns, no money.

If the worker dies in between, the attempt is void: its journal stays on disk as evidence, no
charge of it reaches the store, and the run starts from zero under the same seeds. So nobody is
charged twice, and nothing is refunded piecemeal.
"""

from harness.errors import BudgetExhausted
from harness.metering.call import call_cost
from harness.metering.journal import Journal, JournalEntry
from harness.records import Usage

__all__ = ["Meter"]


class Meter:
    """Counts one attempt's calls exactly, and refuses what would pass the budget."""

    def __init__(self, budget_calls: int, n_train: int, journal: Journal) -> None:
        """Start at zero.

        Args:
            budget_calls: calls that may be charged; exactly that many are allowed.
            n_train: |train|, the examples that one call covers.
            journal: where charges are written before the forward pass.
        """
        self._budget = budget_calls
        self._n_train = n_train
        self._journal = journal
        # Mutable, and by attribute: they change with every query, while a solver waits.
        self._calls = 0
        self._queries = 0
        self._examples = 0
        self._tokens = 0
        self._engine_s = 0.0
        self._refused_queries = 0
        self._test_examples = 0

    @property
    def usage(self) -> Usage:
        """What was used so far."""
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
        """Calls that may still be charged."""
        return self._budget - self._calls

    def reserve(self, n_candidates: int, n_rows: int) -> int:
        """Charge a query before it is computed and return its cost in calls.

        Raises:
            BudgetExhausted: the query would pass the budget; nothing was charged.
            InfrastructureError: the journal could not be written; nothing was charged.
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
        """Record what the forward pass of the reserved query took.

        Args:
            tokens: real tokens over all candidate-example pairs.
            engine_s: seconds in the engine.
        """
        self._tokens += tokens
        self._engine_s += engine_s

    def note_test(self, examples: int) -> None:
        """Record examples of the test phase: never charged."""
        self._test_examples += examples
