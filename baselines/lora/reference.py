"""LoRA: W + B A with A of rank r, in the query and value maps of every layer; everything else frozen.

Source: Hu et al. 2021, arXiv 2106.09685; the modules are peft's.
"""

from typing import Any

from peft import LoraConfig, inject_adapter_in_model

from harness.references import MaskedLM


class Lora:
    """Tunes 2 * 2 * r * D values per layer."""

    def __init__(self, rank: int = 8) -> None:
        """Store r; the scale is 2 r / r, as usual."""
        self.rank = rank

    def adapt(self, model: Any, n_prompt_tokens: int) -> MaskedLM:  # noqa: ARG002 (the contract)
        """Freeze the model and add peft's low-rank updates."""
        model.requires_grad_(requires_grad=False)
        config = LoraConfig(r=self.rank, lora_alpha=2 * self.rank, target_modules=["query", "value"])
        return MaskedLM(inject_adapter_in_model(config, model))
