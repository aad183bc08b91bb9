"""The black box: a solver's only access to the language model."""

from collections.abc import Sequence
from typing import Protocol

from harness.api.outputs import Response
from harness.api.types import Base, ModelInfo, Solution, Wording
from harness.records import FloatArray, IntArray

__all__ = ["BlackBox"]


class BlackBox(Protocol):
    """A metered language model.

    The budget unit is the *call*: one candidate prompt evaluated on at most |train| examples.
    A query for P candidates on n rows costs ``P * ceil(n / |train|)`` calls, on train and dev alike.
    A query that would exceed the budget is refused as a whole.
    """

    @property
    def info(self) -> ModelInfo:
        """Public facts about the model, and the budget."""
        ...

    @property
    def calls_left(self) -> int:
        """Calls left in the budget."""
        ...

    def place(self, prompt: FloatArray) -> Base:
        """Store a deep prompt on the server, so that a one-layer search sends only that layer.

        At most `limits.max_bases` are stored; a new one replaces the oldest.

        Args:
            prompt: float32 (L, M, D), finite, |value| <= 1e4.

        Raises:
            InvalidQuery: wrong shape or values.
        """
        ...

    def query(
        self,
        values: FloatArray,
        *,
        layer: int | None = None,
        base: Base | None = None,
        split: str = "train",
        rows: Sequence[int] | IntArray | None = None,
        wording: Wording | None = None,
        outputs: Sequence[str] = ("logits",),
    ) -> Response:
        """Evaluate P candidate prompts on rows of a split.

        Args:
            values: float32 (P, L, M, D) whole deep prompts, or (P, M, D) with `layer`.
                P >= 1, finite, |value| <= 1e4.
            layer: the layer that `values` replaces; the others come from `base`.
            base: a prompt from `place`; None means zeros. Only with `layer`.
            split: "train" or "dev".
            rows: unique row numbers, not empty; None means the whole split.
            wording: None means the task's official wording.
            outputs: fields of the response to fill; see `Response`.

        Raises:
            BudgetExhausted: the query would exceed the budget; nothing was charged.
            InvalidQuery: the query is malformed; nothing was charged. Exception: an overflow of the
                model's arithmetic is found only by computing, and stays charged.
        """
        ...

    def wording(
        self,
        template: str,
        words: Sequence[str | Sequence[str]],
        *,
        placeholder: str | None = None,
        mode: str = "add",
        probe_words: Sequence[str] = (),
    ) -> Wording:
        """Store another template or other label words; at most `limits.max_wordings` per attempt.

        Args:
            template: text with `{p}`, the task's fields once each and exactly one `[M]`.
            words: one word per class, or several; the class's logit is their mean.
            placeholder: text for the M prompt positions, cut after M tokens; a shorter one is
                filled from the official ids.
            mode: "add" to the placeholder's hidden states at every layer, or "cat" at the input.
            probe_words: further words whose logits a query may request.

        Raises:
            InvalidQuery: a bad template, two classes that share a token, or too many wordings.
        """
        ...

    def checkpoint(self, solution: Solution) -> None:
        """Report the incumbent, which is scored and flagged if a limit ends the attempt.

        Raises:
            InvalidQuery: the solution has a wrong shape or values.
        """
        ...
