"""Handles of a solver: the prompts that it placed and the wordings that it added."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from harness.api import Split
from harness.engine import CompiledWording, EncodedSplit
from harness.errors import InvalidQuery
from harness.records import FloatArray, WordingRequest
from harness.session.loaded_round import LoadedRound, LoadedTask
from harness.session.trace import array_digest

__all__ = ["MAX_WORDS", "OFFICIAL_WORDING", "Bases", "PlacedPrompt", "Wordings"]

OFFICIAL_WORDING = 0
"""Handle of the task's official wording."""

MAX_WORDS = 1024
"""Largest number of label words and probe words of one wording, together."""


@dataclass(frozen=True, slots=True)
class PlacedPrompt:
    """A deep prompt that a solver placed.

    Attributes:
        values: float32 (L, M, D), in the model's basis.
        digest: SHA-256 (hex) of the array that the solver sent.
    """

    values: FloatArray
    digest: str


class Bases:
    """The newest prompts placed by an attempt."""

    def __init__(self, limit: int) -> None:
        """Hold at most `limit`."""
        self._limit = limit
        self._n_placed = 0
        self._held: dict[int, PlacedPrompt] = {}

    def add(self, sent: FloatArray, values: FloatArray) -> int:
        """Store `values`, the prompt `sent` in the model's basis; drop the oldest beyond the limit."""
        handle = self._n_placed
        self._n_placed += 1
        self._held[handle] = PlacedPrompt(values, array_digest(sent).hex())
        self._held.pop(handle - self._limit, None)
        return handle

    def __getitem__(self, handle: int) -> PlacedPrompt:
        """Return a placed prompt.

        Raises:
            InvalidQuery: the handle is unknown or dropped.
        """
        if handle not in self._held:
            raise InvalidQuery(
                f"base {handle} is not held: it was never placed, or it is older than the last {self._limit}"
            )
        return self._held[handle]


class Wordings:
    """The wordings of an attempt, the official one first; splits are encoded on first use."""

    def __init__(self, loaded_round: LoadedRound, task: LoadedTask, splits: Mapping[str, Split]) -> None:
        """Start with the official wording.

        Args:
            loaded_round: the round's model and rules.
            task: the task.
            splits: the rows that queries can reach, by name.
        """
        self._round = loaded_round
        self._task = task
        self._splits = splits
        self._compiled = [task.wording]
        self._digests = [""]
        self._encoded: dict[tuple[int, str], EncodedSplit] = {}

    def add(self, request: WordingRequest) -> int:
        """Add a wording and return its handle.

        Raises:
            InvalidQuery: the wording is invalid, or the limit `limits.max_wordings` is reached.
        """
        limit = self._round.config.limits.max_wordings
        if len(self._compiled) > limit:
            raise InvalidQuery(f"this attempt holds {limit} wordings already, the most that the round allows")
        if len(request.words) != len(self._task.config.label_names):
            raise InvalidQuery(
                f"words has {len(request.words)} entries, the task has {len(self._task.config.label_names)} classes"
            )
        n_words = sum(map(len, request.words)) + len(request.probe_words)
        if n_words > MAX_WORDS:
            # Each word adds a column to every response, also for every test row and member.
            raise InvalidQuery(f"words and probe_words hold {n_words} words together, at most {MAX_WORDS}")
        compiled = self._round.compile(self._task.config, request)
        text = json.dumps(asdict(request), sort_keys=True)
        self._compiled.append(compiled)
        self._digests.append(hashlib.sha256(text.encode()).hexdigest())
        return len(self._compiled) - 1

    def __getitem__(self, handle: int) -> CompiledWording:
        """Return the wording of a handle.

        Raises:
            InvalidQuery: the handle is unknown.
        """
        if not 0 <= handle < len(self._compiled):
            raise InvalidQuery(f"wording {handle} does not exist in this attempt; make it with `wording(...)`")
        return self._compiled[handle]

    def digest(self, handle: int) -> str:
        """Return the SHA-256 (hex) of the request for a wording; empty for the official wording."""
        return self._digests[handle]

    def encoded(self, handle: int, split: str) -> EncodedSplit:
        """Return a split under a wording.

        Raises:
            InvalidQuery: the handle is unknown.
        """
        key = (handle, split)
        if key not in self._encoded:
            self._encoded[key] = self._round.encode(self[handle], self._splits[split])
        return self._encoded[key]
