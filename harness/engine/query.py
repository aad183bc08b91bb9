"""A query as the engine computes it: everything that can be wrong with it has been looked at."""

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
    """P candidates on some rows of a split. Made by `Engine.check` alone.

    Attributes:
        encoded: the split under the query's wording.
        prompts: the candidates and what they have in common.
        rows: int64, unique row numbers, in the order of the results.
        outputs: fields of the response to fill.
    """

    encoded: EncodedSplit
    prompts: PromptCandidates
    rows: IntArray
    outputs: frozenset[str]

    @property
    def n_tokens(self) -> int:
        """Real tokens over all candidate-example pairs."""
        return len(self.prompts.values) * self.encoded.n_tokens(self.rows)

    def with_values(self, values: FloatArray) -> "CheckedQuery":
        """Return the query with other values of the same shape, within the same bounds."""
        return replace(self, prompts=replace(self.prompts, values=values))


def check_outputs(encoded: EncodedSplit, outputs: Collection[str]) -> frozenset[str]:
    """Return the outputs as a set.

    Raises:
        InvalidQuery: none, an unknown one, or one that the wording cannot give.
    """
    if not outputs or not set(outputs) <= OUTPUTS.keys():
        raise InvalidQuery(f"outputs: {sorted(outputs)}; expected one or more of {', '.join(OUTPUTS)}")
    for name in outputs:
        needs = OUTPUTS[name].needs
        if needs and not getattr(encoded.wording, needs):
            raise InvalidQuery(f"outputs: {name} of a wording without {needs}; give the wording some")
    return frozenset(outputs)
