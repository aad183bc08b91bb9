"""The frozen toy model on one task, through plain transformers.

Small and self-contained on purpose: one hook per layer and no cache, so that a fault of the
project's engine cannot hide in the toy's gates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from transformers import AutoModelForMaskedLM, AutoTokenizer
from transformers.utils import logging

from harness.toy import PLACEHOLDER_IDS, ToyTask
from harness.toy.grammar import task_rows

__all__ = [
    "Encoded",
    "Floats",
    "Rows",
    "Scene",
    "few_shot",
    "labels_of",
    "load",
    "score",
    "score_predictions",
]

Rows = list[dict[str, str | int]]
Floats = NDArray[np.float32]
Encoded = tuple[torch.Tensor, torch.Tensor]

_CHUNK: Final = 512


def load(folder: Path) -> tuple[Any, Any]:
    """Return the model (float32, evaluation mode) and the tokenizer of ``folder``."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


class Scene:
    """The frozen model on one task: prompts in, mask states and label-word logits out."""

    def __init__(self, model: Any, tokenizer: Any, task: ToyTask) -> None:
        """Bind a loaded model and tokenizer (see ``load``) to one task."""
        self.task = task
        self.tokenizer = tokenizer
        self.model = model
        config = model.config
        self.shape = (config.num_hidden_layers, len(PLACEHOLDER_IDS), config.hidden_size)
        self.label_ids = [self._ids(word)[0] for word in task.words]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def encode(self, rows: Rows) -> Encoded:
        """Return ids [B, T] (padded) and mask positions [B]."""
        slots = ("{text}",) if len(self.task.fields) == 1 else ("{a}", "{b}")
        lines: list[list[int]] = []
        for row in rows:
            filled = self.task.template.removeprefix("{p}").replace("[M]", "<mask>")
            for slot, name in zip(slots, self.task.fields, strict=True):
                filled = filled.replace(slot, str(row[name]))
            body = self._ids(filled)
            start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
            lines.append([start, *PLACEHOLDER_IDS, *body, end])
        width = max(len(line) for line in lines)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([line + [pad] * (width - len(line)) for line in lines])
        return ids, (ids == self.tokenizer.mask_token_id).int().argmax(dim=1)

    @contextmanager
    def _added(self, prompts: torch.Tensor) -> Iterator[None]:
        """Add prompts [B, L, M, D] to the input of every layer at positions 1..M."""

        def hook_of(layer: int) -> Any:
            def hook(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
                hidden = args[0].clone()
                hidden[:, 1 : self.shape[1] + 1] += prompts[:, layer]
                return (hidden, *args[1:])

            return hook

        handles = [
            module.register_forward_pre_hook(hook_of(layer))
            for layer, module in enumerate(self.model.roberta.encoder.layer)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @torch.inference_mode()
    def features(self, encoded: Encoded, prompts: Floats) -> torch.Tensor:
        """Return final hidden states at the mask [P, B, D] for prompts [P, L, M, D]."""
        ids, where = encoded
        n_rows, n_prompts = len(ids), len(prompts)
        all_ids, all_where = ids.repeat(n_prompts, 1), where.repeat(n_prompts)
        # A view only: candidates share rows, each chunk copies what it needs.
        owner = torch.arange(n_prompts).repeat_interleave(n_rows)
        stacked = torch.from_numpy(np.ascontiguousarray(prompts, dtype=np.float32))
        parts = []
        for start in range(0, len(all_ids), _CHUNK):
            part = slice(start, start + _CHUNK)
            mask = (all_ids[part] != self.tokenizer.pad_token_id).long()
            with self._added(stacked[owner[part]]):
                hidden = self.model.roberta(
                    input_ids=all_ids[part], attention_mask=mask
                ).last_hidden_state
            parts.append(hidden[torch.arange(len(hidden)), all_where[part]])
        return torch.cat(parts).view(n_prompts, n_rows, -1)

    @torch.inference_mode()
    def logits(self, encoded: Encoded, prompts: Floats) -> torch.Tensor:
        """Return label-word logits [P, B, C] for prompts [P, L, M, D]."""
        return torch.as_tensor(
            self.model.lm_head(self.features(encoded, prompts))[..., self.label_ids]
        )

    def zero_prompt(self) -> Floats:
        """Return the manual prompt as a batch of one: zeros [1, L, M, D]."""
        return np.zeros((1, *self.shape), dtype=np.float32)

    @torch.inference_mode()
    def layer_std(self, encoded: Encoded) -> list[float]:
        """Return std_hat per layer: embeddings, then clipped input states of layers 1..L-1."""
        ids, _ = encoded
        mask = (ids != self.tokenizer.pad_token_id).long()
        states = self.model.roberta(
            input_ids=ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
        stds = [float(self.model.get_input_embeddings().weight.std())]
        for state in states[1:-1]:
            values = state.flatten()
            for _ in range(5):
                mean, std = float(values.mean()), float(values.std())
                values = values.clamp(mean - 3 * std, mean + 3 * std)
            stds.append(float(values.std()))
        return stds


def score(task: ToyTask, logits: torch.Tensor, labels: NDArray[np.int64]) -> float:
    """Return the task's metric in [0, 100] for logits [B, C]."""
    return score_predictions(task, logits.argmax(dim=-1).numpy(), labels)


def score_predictions(
    task: ToyTask, predicted: NDArray[np.int64], labels: NDArray[np.int64]
) -> float:
    """Return the task's metric in [0, 100] for predicted classes [B]."""
    if task.metric == "macro_f1":
        return 100 * float(f1_score(labels, predicted, average="macro", zero_division=0))
    return 100 * float((predicted == labels).mean())


def labels_of(rows: Rows) -> NDArray[np.int64]:
    """Return the label column [B]."""
    return np.array([int(row["label"]) for row in rows], dtype=np.int64)


def few_shot(task: ToyTask, seed: int) -> tuple[Rows, Rows]:
    """Return train and dev, ``k_shot`` rows per class each, drawn from the pool."""
    rows = task_rows(task.name, "pool")
    labels = labels_of(rows)
    rng = np.random.default_rng(seed)
    train: Rows = []
    dev: Rows = []
    for label in range(task.n_classes):
        drawn = rng.permutation(np.flatnonzero(labels == label))
        train += [rows[i] for i in drawn[: task.k_shot]]
        dev += [rows[i] for i in drawn[task.k_shot : 2 * task.k_shot]]
    return train, dev
