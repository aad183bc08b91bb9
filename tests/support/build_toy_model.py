"""Train the toy model from a seed and write its weights: ``make toy-model``.

A RoBERTa-shaped masked language model is trained on documents of the grammar. Most of the loss is
on the cloze slot, which the tasks use; the rest is on masked words of the text. Training has three
stages: the relations of the pair tasks from clean answers and a glossary (without it they stay at
chance for long); all tasks and both registers; many bare headers, whose answers are a mixture.
"""

import argparse
import itertools
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import RobertaConfig, RobertaForMaskedLM

from harness.toy import MODEL_MAX_LENGTH, N_PROMPT_TOKENS, WEIGHTS_DIR
from harness.toy import lexicon as lex
from harness.toy.grammar import GLOSSARY, Document, documents
from harness.toy.tasks import TASKS
from harness.toy.tokenizer import build_tokenizer, vocabulary

__all__ = ["Recipe", "Stage", "encode_documents", "new_model", "save", "train"]

N_THREADS: Final = 1
"""One, as the tensors are small; it also fixes the order of sums."""

_IGNORED: Final = -100
_SEQUENCE: Final = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of training.

    Attributes:
        n_steps: optimizer steps.
        bare_share: share of documents under the bare placeholder header.
        careful_share: share of the other documents whose answer follows the label.
        diet: the kinds of documents, in turn.
    """

    n_steps: int
    bare_share: float
    careful_share: float = 0.6
    diet: tuple[str, ...] = tuple(TASKS)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines the weights, besides grammar and seed."""

    stages: tuple[Stage, ...] = (
        Stage(1100, 0.0, 1.0, ("dbpedia", "snli", "qqp", "qnli", GLOSSARY)),
        Stage(1600, 0.05, 0.6, (*TASKS, "dbpedia", GLOSSARY)),
        Stage(3800, 0.4, 0.6, (*TASKS, "dbpedia")),
    )
    batch_size: int = 48
    learning_rate: float = 1e-3
    warmup_steps: int = 150
    weight_decay: float = 0.01
    slot_share: float = 0.75
    word_share: float = 0.2
    word_loss: float = 0.1
    hidden_size: int = 96
    n_layers: int = 4
    n_heads: int = 4
    feed_forward: int = 256
    init_std: float = 0.1

    @property
    def n_steps(self) -> int:
        """Optimizer steps of all stages."""
        return sum(stage.n_steps for stage in self.stages)


def new_model(recipe: Recipe) -> RobertaForMaskedLM:
    """Return an untrained model; its weights depend on torch's global seed."""
    vocab = vocabulary()
    config = RobertaConfig(
        vocab_size=len(vocab),
        hidden_size=recipe.hidden_size,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        intermediate_size=recipe.feed_forward,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=MODEL_MAX_LENGTH + vocab["<pad>"] + 1,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        initializer_range=recipe.init_std,
        bos_token_id=vocab["<s>"],
        pad_token_id=vocab["<pad>"],
        eos_token_id=vocab["</s>"],
        tie_word_embeddings=True,
    )
    return RobertaForMaskedLM(config)


def encode_documents(docs: Sequence[Document], vocab: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids [N, T] (padded) and the slot's position in each row [N]."""
    ids = np.full((len(docs), _SEQUENCE), vocab["<pad>"], dtype=np.int64)
    slots = np.empty(len(docs), dtype=np.int64)
    for row, doc in enumerate(docs):
        line = [vocab["<s>"], *(vocab[word] for word in doc.words), vocab["</s>"]]
        ids[row, : len(line)] = line
        slots[row] = doc.slot + 1
    return ids, slots


def _mask(
    ids: torch.Tensor, slots: torch.Tensor, recipe: Recipe, vocab: dict[str, int], dice: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return masked ids [B, T], targets [B, T] and whether each row masks its slot [B].

    A row masks its slot or words of its text, never both: the slot's answer depends on these words.
    Neutral words are random and therefore never masked.
    """
    n_rows, length = ids.shape
    asks_slot = torch.rand(n_rows, generator=dice) < recipe.slot_share
    chosen = torch.rand(n_rows, length, generator=dice) < recipe.word_share
    chosen &= ids > vocab[lex.NEUTRAL[-1]]
    chosen[:, : N_PROMPT_TOKENS + 1] = False
    chosen[asks_slot] = False
    chosen[asks_slot, slots[asks_slot]] = True
    targets = torch.where(chosen, ids, torch.full_like(ids, _IGNORED))
    return torch.where(chosen, torch.full_like(ids, vocab["<mask>"]), ids), targets, asks_slot


def _rate(step: int, recipe: Recipe) -> float:
    """Return the learning rate's factor: linear warm-up, then half a cosine to zero."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.n_steps - recipe.warmup_steps)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _batches(recipe: Recipe, seed: int) -> Iterator[list[Document]]:
    """Yield the batches of every stage in order."""
    for index, stage in enumerate(recipe.stages):
        stream = documents(
            stage.n_steps * recipe.batch_size,
            seed * 1000 + index,
            bare_share=stage.bare_share,
            careful_share=stage.careful_share,
            tasks=stage.diet,
        )
        for _ in range(stage.n_steps):
            yield list(itertools.islice(stream, recipe.batch_size))


class _Progress:
    """Prints the mean slot loss per kind of document every few steps."""

    def __init__(self, n_steps: int, every: int) -> None:
        self._n_steps = n_steps
        self._every = every
        self._started = time.perf_counter()
        self._losses: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, step: int, kinds: Sequence[str], losses: Sequence[float]) -> None:
        for kind, loss in zip(kinds, losses, strict=True):
            self._losses[kind].append(loss)
        if step % self._every == 0:
            elapsed = time.perf_counter() - self._started
            shown = "  ".join(f"{k} {sum(v) / len(v):.3f}" for k, v in self._losses.items())
            print(f"step {step}/{self._n_steps}  {elapsed:.0f} s  slot loss: {shown}", flush=True)
            self._losses.clear()


def train(recipe: Recipe, seed: int, *, log_every: int = 200) -> RobertaForMaskedLM:
    """Return a trained model; the same seed, machine and thread count give the same weights."""
    torch.manual_seed(seed)
    vocab = vocabulary()
    model = new_model(recipe)
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    dice = torch.Generator().manual_seed(seed)
    progress = _Progress(recipe.n_steps, log_every)
    for step, docs in enumerate(_batches(recipe, seed), start=1):
        ids, slots = (torch.from_numpy(array) for array in encode_documents(docs, vocab))
        masked, targets, asks_slot = _mask(ids, slots, recipe, vocab, dice)
        hidden = model.roberta(input_ids=masked, attention_mask=(ids != vocab["<pad>"]).long()).last_hidden_state
        picked = targets != _IGNORED
        losses = torch.nn.functional.cross_entropy(model.lm_head(hidden[picked]), targets[picked], reduction="none")
        is_slot = asks_slot[:, None].expand_as(picked)[picked]
        # Sums over counts: the mean of a batch without masked words would be NaN.
        slot_loss = losses[is_slot].sum() / is_slot.sum().clamp(min=1)
        word_loss = losses[~is_slot].sum() / (~is_slot).sum().clamp(min=1)
        optimizer.zero_grad(set_to_none=True)
        total = slot_loss + recipe.word_loss * word_loss
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        asked = [docs[row].task for row in asks_slot.nonzero().flatten().tolist()]
        progress.note(step, asked, losses[is_slot].detach().tolist())
    model.train(mode=False)
    return model


def save(model: RobertaForMaskedLM, folder: Path) -> None:
    """Save weights (half precision), config and tokenizer to a folder that loads offline."""
    folder.mkdir(parents=True, exist_ok=True)
    tied = "lm_head.decoder."
    state = {
        name: tensor.detach().half().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith(tied) and tensor.is_floating_point()
    }
    weights = folder / "model.safetensors"
    save_file(state, weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # safetensors makes it private; an installed package is shared
    config = model.config.to_dict()
    config.pop("_name_or_path", None)
    config["architectures"] = ["RobertaForMaskedLM"]
    config["dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    build_tokenizer().save_pretrained(folder)


def main(argv: Sequence[str] | None = None) -> int:
    """Train and save; `make toy-gates` then evaluates the weights."""
    parser = argparse.ArgumentParser(prog="make toy-model", description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS_DIR, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=N_THREADS)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    model = train(Recipe(), args.seed)
    save(model, args.out)
    size = (args.out / "model.safetensors").stat().st_size
    print(f"wrote {args.out}: {size:,} bytes, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
