"""A query that passed all checks."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from harness.api.outputs import OUTPUTS
from harness.engine.text.encode import EncodedSplit
from harness.engine.tunables.prompt import PromptCandidates
from harness.errors import InvalidQuery
from harness.records import FloatArray, IntArray

__all__ = ["CheckedQuery", "check_outputs"]


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """P candidates on some rows of a split. Only `Engine.check` creates it.

    Attributes:
        encoded: the split under the query's wording.
        prompts: the checked candidates.
        rows: int64, unique row numbers, in the order of the results.
        outputs: fields of the response to fill.
    """

    encoded: EncodedSplit
    prompts: PromptCandidates
    rows: IntArray
    outputs: frozenset[str]

    @property
    def n_tokens(self) -> int:
        """Number of real tokens over all candidate-example pairs."""
        return len(self.prompts.values) * self.encoded.n_tokens(self.rows)

    def with_values(self, values: FloatArray) -> "CheckedQuery":
        """Return the query with other values of the same shape and within the same bounds."""
        return replace(self, prompts=replace(self.prompts, values=values))


def check_outputs(encoded: EncodedSplit, outputs: Collection[str]) -> frozenset[str]:
    """Return the outputs as a set.

    Raises:
        InvalidQuery: no output, an unknown one, or one that the wording does not support.
    """
    if not outputs or not set(outputs) <= OUTPUTS.keys():
        raise InvalidQuery(f"outputs: {sorted(outputs)}; expected one or more of {', '.join(OUTPUTS)}")
    for name in outputs:
        needs = OUTPUTS[name].needs
        if needs and not getattr(encoded.wording, needs):
            raise InvalidQuery(f"outputs: {name} of a wording without {needs}; give the wording some")
    return frozenset(outputs)
