"""The black box: the only way from a solver to the language model."""

from collections.abc import Sequence
from typing import Protocol

from harness.api.outputs import Response
from harness.api.types import Base, ModelInfo, Solution, Wording
from harness.records import FloatArray, IntArray

__all__ = ["BlackBox"]


class BlackBox(Protocol):
    """A model behind a meter.

    The budget unit is the *call*: one candidate prompt evaluated on at most |train| examples.
    A query for P candidates on n rows costs ``P * ceil(n / |train|)``; train and dev are
    charged alike, and a query that would pass the budget is refused whole.
    """

    @property
    def info(self) -> ModelInfo:
        """What is known of the model and the budget."""
        ...

    @property
    def calls_left(self) -> int:
        """Calls that may still be charged."""
        ...

    def place(self, prompt: FloatArray) -> Base:
        """Keep a deep prompt on the server, so that a one-layer search sends only that layer.

        A round keeps a number of them (`limits.max_bases`); a newer one takes the oldest one's place.

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
            base: a placed prompt; None means zeros. Only with `layer`.
            split: "train" or "dev".
            rows: unique row numbers, not empty; None means the whole split.
            wording: None means the task's official wording.
            outputs: which fields of the response to fill; see `Response`.

        Raises:
            BudgetExhausted: the query would pass the budget; nothing was charged.
            InvalidQuery: the query is malformed; nothing was charged. The one exception: prompts that
                overflow the model's arithmetic are found by computing, and stay charged.
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
        """Use another template or other label words; bounded in number per attempt.

        Args:
            template: text with `{p}`, the task's fields once each and exactly one `[M]`.
            words: per class a word, or several whose mean logit is the class's.
            placeholder: text for the M prompt positions: longer is cut, shorter is filled
                from the official range.
            mode: "add" to the placeholder's hidden states at every layer, or "cat" at the input.
            probe_words: words whose logits the output `word_logits` returns.

        Raises:
            InvalidQuery: a bad template, two classes that share a token, or too many wordings.
        """
        ...

    def checkpoint(self, solution: Solution) -> None:
        """Name the incumbent: what is scored, flagged, if a limit ends the attempt.

        Raises:
            InvalidQuery: the solution has a wrong shape or values.
        """
        ...
