"""Fair scheduling of several runs on one engine.

A query is computed in steps (`Engine.steps`). Other runs may have turns between two steps, never
within one. Queries of different runs are never merged, so a run has the same bits beside other runs
as alone.

Turns follow deficit round-robin over tokens: waiting runs are visited in order and earn a quantum
per visit; a run computes when its credit covers its next step. While two runs both wait, their
shares differ by less than a quantum and a step each, regardless of the number and size of their
queries.

Source: Shreedhar and Varghese 1996, Efficient Fair Queuing using Deficit Round-Robin.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

import torch

from harness.api.outputs import Response
from harness.engine.query import CheckedQuery
from harness.engine.runner import Engine

__all__ = ["QUANTUM", "DeficitRoundRobin", "Scheduler"]

QUANTUM = 1 << 14
"""Token-layers that a waiting run earns per visit; about one step through a layer of a large model."""


class DeficitRoundRobin:
    """The order of turns, without threads or a clock.

    Args:
        quantum: token-layers earned per visit, >= 1.
    """

    def __init__(self, quantum: int = QUANTUM) -> None:
        """Create an empty queue."""
        self._quantum = quantum
        self._waiting: OrderedDict[Hashable, int] = OrderedDict()
        self._earned: dict[Hashable, int] = {}

    def __len__(self) -> int:
        """Return the number of waiting runs."""
        return len(self._waiting)

    def ask(self, run: Hashable, cost: int, *, goes_on: bool = False) -> None:
        """Queue a run for a turn of this cost.

        Args:
            run: the run; must not be waiting already.
            cost: >= 0.
            goes_on: whether it just had a turn of the same query: it keeps its place at the front
                and its credit.
        """
        self._waiting[run] = cost
        if goes_on:
            self._waiting.move_to_end(run, last=False)
        else:
            self._earned[run] = 0

    def give_up(self, run: Hashable) -> None:
        """Remove a run, waiting or not."""
        self._waiting.pop(run, None)
        self._earned.pop(run, None)

    def take(self) -> Hashable:
        """Choose the next run and deduct its cost.

        Raises:
            KeyError: no run is waiting.
        """
        if not self._waiting:
            raise KeyError("no run is waiting for a turn")
        while True:
            run, cost = next(iter(self._waiting.items()))
            if self._earned[run] >= cost:
                self._earned[run] -= cost
                del self._waiting[run]
                return run
            self._earned[run] += self._quantum
            self._waiting.move_to_end(run)


class Scheduler:
    """Schedules the threads of several runs, on the engines of one or several rounds.

    Each run has one thread and at most one query at a time. A thread computes its own steps during
    its turn, so a single run has no overhead.

    Args:
        quantum: see `DeficitRoundRobin`.
    """

    def __init__(self, quantum: int = QUANTUM) -> None:
        """Create an idle scheduler."""
        self._order = DeficitRoundRobin(quantum)
        self._changed = threading.Condition()
        self._turn: Hashable = None
        self._is_busy = False

    @torch.inference_mode()
    def evaluate(
        self, engine: Engine, run: Hashable, query: CheckedQuery, *, cache_key: Hashable = None
    ) -> tuple[Response, float]:
        """Compute a query, taking turns with the queries of other runs.

        Args:
            engine: computes the query.
            run: the run; never None, and used by one thread only.
            query: from `Engine.check`.
            cache_key: see `Engine.steps`.

        Returns:
            The response, and the seconds of computing it, without the time spent waiting for a turn.
        """
        steps = engine.steps(query, cache_key=cache_key)
        cost, goes_on = query.encoded.n_tokens(query.rows), False
        computed_s = 0.0
        try:
            while True:
                self._wait(run, cost, goes_on=goes_on)
                engine.set_threads()
                started = time.perf_counter()
                try:
                    cost, goes_on = next(steps), True
                except StopIteration as done:
                    return done.value, computed_s + time.perf_counter() - started
                computed_s += time.perf_counter() - started
        finally:
            self._leave(run)

    def _wait(self, run: Hashable, cost: int, *, goes_on: bool) -> None:
        """Release the turn, if this run has it, and wait for the next one."""
        with self._changed:
            self._order.ask(run, cost, goes_on=goes_on)
            if goes_on:
                self._is_busy = False
            self._pass_on()
            while not (self._is_busy and self._turn == run):
                self._changed.wait()

    def _leave(self, run: Hashable) -> None:
        """Release the turn and leave the queue."""
        with self._changed:
            if self._is_busy and self._turn == run:
                self._is_busy = False
            self._order.give_up(run)
            self._pass_on()

    def _pass_on(self) -> None:
        """Choose the next run if none is computing. The caller holds the condition."""
        if not self._is_busy and len(self._order):
            self._turn, self._is_busy = self._order.take(), True
            self._changed.notify_all()
