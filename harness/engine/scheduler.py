"""One engine, many runs: whose turn it is.

A query is computed in steps (`Engine.steps`). Between two of them another run's query may have a
turn; within one, nothing else computes. Requests of different runs are never merged, so a run's
bits are those that it has alone, whatever runs beside it.

Turns go by deficit round-robin over tokens: each run that waits is visited in order and earns a
quantum; it computes when its earnings cover its next step. Over any time in which two runs both
want to compute, their shares differ by less than a quantum and a step each, however many queries
one of them sends and however large they are.

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
"""Token-layers that a waiting run earns per visit: about one step of a large model's layer."""


class DeficitRoundRobin:
    """The order of turns; no threads, no clock.

    Args:
        quantum: earned per visit, >= 1.
    """

    def __init__(self, quantum: int = QUANTUM) -> None:
        """Start with nobody waiting."""
        self._quantum = quantum
        self._waiting: OrderedDict[Hashable, int] = OrderedDict()
        self._earned: dict[Hashable, int] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def ask(self, run: Hashable, cost: int, *, goes_on: bool = False) -> None:
        """Let a run wait for a turn of this cost.

        Args:
            run: which run; it does not wait already.
            cost: >= 0.
            goes_on: it has just had a turn and never stopped wanting: it keeps its place at the
                front and what it has earned.
        """
        self._waiting[run] = cost
        if goes_on:
            self._waiting.move_to_end(run, last=False)
        else:
            self._earned[run] = 0

    def give_up(self, run: Hashable) -> None:
        """Take a run out, whether it waits or not."""
        self._waiting.pop(run, None)
        self._earned.pop(run, None)

    def take(self) -> Hashable:
        """Choose the next run and charge it.

        Raises:
            KeyError: nobody waits.
        """
        if not self._waiting:
            raise KeyError("nobody waits for a turn")
        while True:
            run, cost = next(iter(self._waiting.items()))
            if self._earned[run] >= cost:
                self._earned[run] -= cost
                del self._waiting[run]
                return run
            self._earned[run] += self._quantum
            self._waiting.move_to_end(run)


class Scheduler:
    """Gives the threads of several runs turns, on one engine or on those of several rounds.

    Every run has a thread and at most one query at a time. A thread computes its own steps while
    it has the turn, so a run that is alone pays nothing for this.

    Args:
        quantum: see `DeficitRoundRobin`.
    """

    def __init__(self, quantum: int = QUANTUM) -> None:
        """Start idle."""
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
            engine: what computes.
            run: the run that asks; never None, and no other thread asks for it.
            query: what `Engine.check` returned.
            cache_key: see `Engine.steps`.

        Returns:
            The response, and the seconds of computing it: what it waited for others is left out.
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
        """Give the turn back, if it is this run's, and wait for the next one."""
        with self._changed:
            self._order.ask(run, cost, goes_on=goes_on)
            if goes_on:
                self._is_busy = False
            self._pass_on()
            while not (self._is_busy and self._turn == run):
                self._changed.wait()

    def _leave(self, run: Hashable) -> None:
        """Give the turn back for good."""
        with self._changed:
            if self._is_busy and self._turn == run:
                self._is_busy = False
            self._order.give_up(run)
            self._pass_on()

    def _pass_on(self) -> None:
        """Choose who is next, if nobody computes. The condition is held."""
        if not self._is_busy and len(self._order):
            self._turn, self._is_busy = self._order.take(), True
            self._changed.notify_all()
