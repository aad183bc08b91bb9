"""The language model and its tokenizer, loaded once and shared by every run."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoTokenizer

from harness.engine.families import ADAPTERS, Adapter, Family, SpecialIds
from harness.engine.profile import DTYPES, NumericProfile
from harness.errors import GradfreeError, ModelError, UsageError

__all__ = ["ATTENTION", "Backbone", "load_backbone"]

ATTENTION = "sdpa"
"""Attention implementation of the transformers model, which `reference.py` runs."""


@dataclass(frozen=True)
class Backbone:
    """A frozen language model.

    Attributes:
        family: the model as the engine runs it.
        model: the same weights as a transformers model, in eval mode, for `reference.py`.
        tokenizer: our own copy, without truncation, padding and special-token parsing, so that
            a text that spells a special token stays text.
        specials: ids that frame an input.
        unknown_id: id of the unknown token, or None where the tokenizer has none.
        source: the folder or hub id it was loaded from.
        revision: the hub revision asked for.
    """

    family: Family
    model: Any
    tokenizer: Any
    specials: SpecialIds
    unknown_id: int | None
    source: str
    revision: str | None

    @classmethod
    def adapt(
        cls, model: Any, tokenizer: Any, *, source: str = "memory", revision: str | None = None
    ) -> "Backbone":
        """Adapt a transformers model and its (fast) tokenizer.

        Raises:
            ModelError: the architecture is not supported, the tokenizer is not a fast one, lacks
                a special token, parses special tokens out of plain text, or has more tokens than
                the model.
        """
        adapter = _adapter(model.config, source)
        family = adapter(model.eval().requires_grad_(requires_grad=False))
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelError(
                f"{source}: the tokenizer {type(tokenizer).__name__} has no fast backend; "
                "expected a tokenizer.json"
            )
        own = Tokenizer.from_str(backend.to_str())
        own.no_truncation()
        own.no_padding()
        own.encode_special_tokens = True
        if isinstance(own.model, models.Unigram):
            _split_special_tokens(own, tokenizer.all_special_tokens)
        if set(own.get_vocab()) <= set(tokenizer.all_special_tokens):
            # transformers makes an empty tokenizer where the files are missing, and says nothing.
            raise ModelError(
                f"{source}: the tokenizer has no words; expected tokenizer files beside the model"
            )
        if own.get_vocab_size() > len(family.word_embeddings):
            raise ModelError(
                f"{source}: the tokenizer has {own.get_vocab_size()} tokens, the model "
                f"{len(family.word_embeddings)}: they do not belong together"
            )
        specials = _specials(adapter, tokenizer, source)
        for number in specials.all_ids:
            token = own.id_to_token(number)
            if number in own.encode(f"a {token} b", add_special_tokens=False).ids:
                raise ModelError(
                    f"{source}: the tokenizer reads {token!r} in a plain text as a special token, so texts "
                    "could forge it; expected a tokenizer that splits it"
                )
        return cls(family, model, own, specials, tokenizer.unk_token_id, source, revision)

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Tokenize plain text: nothing is added, and special tokens are not recognised."""
        # One by one: batch encoding starts a thread pool, and the worker forks sandboxes later.
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def weights_digest(self) -> str:
        """SHA-256 (hex) over names, types, shapes and bytes of all tensors, sorted by name."""
        total = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
            total.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return total.hexdigest()

    @cached_property
    def tokenizer_digest(self) -> str:
        """SHA-256 (hex) of the tokenizer as the engine uses it, special ids included."""
        text = f"{self.tokenizer.to_str()}|{self.specials}"
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def embedding_std(self) -> float:
        """Unclipped population standard deviation of the word embeddings, computed in float64."""
        return float(self.family.word_embeddings.double().std(correction=0))


def load_backbone(path_or_id: str, *, revision: str | None = None, profile: NumericProfile) -> Backbone:
    """Load a model from a folder or from the Hugging Face hub.

    Args:
        path_or_id: an existing folder, or a hub id such as "FacebookAI/roberta-large". The
            environment variable `HF_HUB_OFFLINE` keeps hub ids to the local cache.
        revision: branch, tag or commit on the hub; None is the default branch.
        profile: where the weights go, and their element type.

    Raises:
        UsageError: a path names no folder.
        ModelError: the model cannot be loaded or its architecture is not supported.
    """
    folder = Path(path_or_id).expanduser()
    if folder.is_dir():
        source = str(folder)
    elif folder.is_absolute() or path_or_id.startswith((".", "~")) or path_or_id.count("/") > 1:
        raise UsageError(
            f"model folder {path_or_id} does not exist; expected one with config.json, model.safetensors and "
            "tokenizer.json: create it with save_pretrained, or name a hub id (owner/name)"
        )
    else:
        source = path_or_id
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
        adapter = _adapter(config, source)
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        model, loading = adapter.auto_class.from_pretrained(
            source,
            revision=revision,
            dtype=DTYPES[profile.dtype],
            attn_implementation=ATTENTION,
            output_loading_info=True,
        )
    except GradfreeError:
        raise
    except Exception as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "")
        hint = f" (HF_HUB_OFFLINE={offline}: only the local cache was searched)" if offline else ""
        raise ModelError(f"cannot load the model {source}{hint}: {error}") from error
    # A tensor that the files lack would be drawn at random: another model at every start.
    lacking = sorted(loading["missing_keys"]) + [str(item) for item in loading["mismatched_keys"]]
    if lacking:
        raise ModelError(
            f"{source}: the files lack or misshape {len(lacking)} tensors of the language model, among them "
            f"{lacking[0]}; expected a checkpoint with its LM head"
        )
    return Backbone.adapt(model.to(profile.device), tokenizer, source=path_or_id, revision=revision)


def _adapter(config: Any, source: str) -> Adapter:
    """Return the family's adapter.

    Raises:
        ModelError: the architecture is not supported.
    """
    model_type = getattr(config, "model_type", None)
    if model_type not in ADAPTERS or getattr(config, "is_decoder", False):
        raise ModelError(
            f"{source}: architecture {model_type!r} is not supported; expected a language model of "
            f"one of the families {', '.join(sorted(ADAPTERS))}"
        )
    return ADAPTERS[model_type]


def _split_special_tokens(tokenizer: Any, tokens: Sequence[str]) -> None:
    """Have a text that spells a special token split after its first character.

    A SentencePiece vocabulary holds them beside its pieces, and the library does not know which of
    its pieces never stand in a text.
    """
    pattern = "|".join(f"{re.escape(token[0])}(?={re.escape(token[1:])})" for token in tokens)
    own = [] if tokenizer.pre_tokenizer is None else [tokenizer.pre_tokenizer]
    splitting = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*own, splitting])


def _specials(adapter: Adapter, tokenizer: Any, source: str) -> SpecialIds:
    """Look up the special tokens of a family.

    Raises:
        ModelError: the tokenizer does not define one.
    """
    names = (adapter.start, adapter.end, adapter.mask)
    start, end, mask = (None if name is None else _special_id(tokenizer, name, source) for name in names)
    # Where there is none, another will do: nothing attends to it.
    pad = _special_id(tokenizer, "eos_token" if tokenizer.pad_token_id is None else "pad_token", source)
    return SpecialIds(() if start is None else (start,), () if end is None else (end,), mask, pad)


def _special_id(tokenizer: Any, name: str, source: str) -> int:
    """Return the id of a special token, by the tokenizer's name for it or by its text.

    Raises:
        ModelError: the tokenizer does not define it.
    """
    number = getattr(tokenizer, f"{name}_id", tokenizer.get_added_vocab().get(name))
    if number is None:
        raise ModelError(f"{source}: the tokenizer defines no {name}, which models of this type need")
    return int(number)
