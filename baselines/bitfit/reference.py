"""BitFit: every bias vector is tuned, every matrix frozen.

Source: Ben Zaken et al. 2022, arXiv 2106.10199. peft has no such module, and none is needed.
"""

from typing import Any

from harness.references import MaskedLM


class BitFit:
    """Tunes the parameters whose name ends in "bias"."""

    def adapt(self, model: Any, n_prompt_tokens: int) -> MaskedLM:  # noqa: ARG002 (the contract)
        """Freeze the matrices."""
        for name, values in model.named_parameters():
            values.requires_grad_(name.endswith("bias"))
        return MaskedLM(model)
