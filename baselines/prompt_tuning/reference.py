"""Prompt tuning: M trained vectors in front of the input, everything else frozen.

Source: Lester et al. 2021, arXiv 2104.08691; the module is peft's.
"""

from typing import Any

from peft import PromptTuningConfig, TaskType, get_peft_model

from harness.references import MaskedLM


class PromptTuning:
    """Tunes M * D values."""

    def adapt(self, model: Any, n_prompt_tokens: int) -> MaskedLM:
        """Freeze the model and prepend peft's prompt to the encoder's input."""
        model.requires_grad_(requires_grad=False)
        config = PromptTuningConfig(task_type=TaskType.FEATURE_EXTRACTION, num_virtual_tokens=n_prompt_tokens)
        return MaskedLM(model, get_peft_model(model.base_model, config), n_prompt_tokens)
