"""Cache of a layer's input states for the next query of a one-layer search."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import torch

from harness.engine.tunables.prompt import PromptCandidates

__all__ = ["Frontier", "LayerCache"]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Shared states of a search up to one layer.

    Attributes:
        layer: the layer whose input `states` are, before its prompt is added.
        prompts_digest: SHA-256 over the prompts of the layers below.
        rows_digest: SHA-256 over the query's rows, in order, and their tokens.
        states: (S, D), all rows' tokens, one example after the other, shortest first.
    """

    layer: int
    prompts_digest: bytes
    rows_digest: bytes
    states: torch.Tensor

    @property
    def n_bytes(self) -> int:
        """Size of the states in bytes."""
        return self.states.numel() * self.states.element_size()


class LayerCache:
    """Least-recently-used cache of one frontier per attempt and split.

    Layers are computed one at a time, with shapes that depend on the rows alone. The states before
    a layer therefore have the same bits from a frontier as from the word vectors: eviction costs
    time and never changes a result.

    Args:
        max_bytes: bound over all frontiers; 0 disables the cache.
    """

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache."""
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self.hits = 0
        self.misses = 0
        self._frontiers: OrderedDict[Hashable, Frontier] = OrderedDict()
        # One thread may drop its attempt's frontiers while another computes.
        self._lock = threading.RLock()

    @property
    def hit_rate(self) -> float | None:
        """Share of lookups that found a frontier; None before the first lookup."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    def find(self, key: Hashable, rows_digest: bytes, prompts: PromptCandidates) -> Frontier | None:
        """Return the key's frontier if the query shares its rows and its prompts up to that layer."""
        with self._lock:
            frontier = self._frontiers.get(key)
            if (
                frontier is None
                or frontier.rows_digest != rows_digest
                or frontier.layer > prompts.n_shared_layers
                or frontier.prompts_digest != prompts.shared_digest(frontier.layer)
            ):
                self.misses += 1
                return None
            self.hits += 1
            self._frontiers.move_to_end(key)
            return frontier

    def keep(self, key: Hashable, frontier: Frontier) -> None:
        """Replace the key's frontier; drop the new one if it is larger than the whole cache."""
        with self._lock:
            self.drop(key)
            if frontier.n_bytes > self.max_bytes:
                return
            self._frontiers[key] = frontier
            self.n_bytes += frontier.n_bytes
            while self.n_bytes > self.max_bytes:
                self.drop(next(iter(self._frontiers)))

    def drop(self, key: Hashable) -> None:
        """Remove the key's frontier, if there is one."""
        with self._lock:
            frontier = self._frontiers.pop(key, None)
            if frontier is not None:
                self.n_bytes -= frontier.n_bytes

    def drop_owner(self, owner: Hashable) -> None:
        """Remove all frontiers of an attempt; keys are (attempt, split)."""
        with self._lock:
            for key in [key for key in self._frontiers if isinstance(key, tuple) and key[0] == owner]:
                self.drop(key)
