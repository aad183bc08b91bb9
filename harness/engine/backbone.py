"""The language model and its tokenizer, loaded once and shared by all runs."""

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
"""Attention implementation of the transformers model in `reference.py`."""


@dataclass(frozen=True)
class Backbone:
    """A frozen language model.

    Attributes:
        family: the model as the engine runs it.
        model: the same weights as a transformers model, in eval mode, for `reference.py`.
        tokenizer: a copy without truncation, padding and special-token parsing: the text of a
            special token is tokenized as plain text.
        specials: ids that frame an input.
        unknown_id: id of the unknown token, or None where the tokenizer has none.
        source: the folder or hub id it was loaded from.
        revision: the requested hub revision.
    """

    family: Family
    model: Any
    tokenizer: Any
    specials: SpecialIds
    unknown_id: int | None
    source: str
    revision: str | None

    @classmethod
    def adapt(cls, model: Any, tokenizer: Any, *, source: str = "memory", revision: str | None = None) -> "Backbone":
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
                f"{source}: the tokenizer {type(tokenizer).__name__} has no fast backend; expected a tokenizer.json"
            )
        own = Tokenizer.from_str(backend.to_str())
        own.no_truncation()
        own.no_padding()
        own.encode_special_tokens = True
        if isinstance(own.model, models.Unigram):
            _split_special_tokens(own, tokenizer.all_special_tokens)
        if set(own.get_vocab()) <= set(tokenizer.all_special_tokens):
            # transformers builds an empty tokenizer without an error if the files are missing.
            raise ModelError(f"{source}: the tokenizer has no words; expected tokenizer files beside the model")
        if own.get_vocab_size() > len(family.word_embeddings):
            raise ModelError(
                f"{source}: got a tokenizer of {own.get_vocab_size()} tokens, expected at most the model's "
                f"{len(family.word_embeddings)}; use the tokenizer saved with the model"
            )
        specials = _specials(adapter, tokenizer, source)
        for number in specials.all_ids:
            token = own.id_to_token(number)
            if number in own.encode(f"a {token} b", add_special_tokens=False).ids:
                raise ModelError(
                    f"{source}: the tokenizer reads {token!r} in plain text as a special token, so a text could "
                    "insert it; expected a tokenizer that splits it"
                )
        return cls(family, model, own, specials, tokenizer.unk_token_id, source, revision)

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Tokenize plain text; adds nothing and does not parse special tokens."""
        # One text at a time: batch encoding starts a thread pool, which is unsafe when the worker forks sandboxes.
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def weights_digest(self) -> str:
        """SHA-256 (hex) of the names, types, shapes and bytes of all tensors, sorted by name."""
        total = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            total.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
            total.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return total.hexdigest()

    @cached_property
    def tokenizer_digest(self) -> str:
        """SHA-256 (hex) of the tokenizer as the engine uses it, including special ids."""
        text = f"{self.tokenizer.to_str()}|{self.specials}"
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def embedding_std(self) -> float:
        """Unclipped population standard deviation of the word embeddings, computed in float64."""
        return float(self.family.word_embeddings.double().std(correction=0))


def load_backbone(path_or_id: str, *, revision: str | None = None, profile: NumericProfile) -> Backbone:
    """Load a model from a folder or from the Hugging Face hub.

    Args:
        path_or_id: an existing folder, or a hub id such as "OWNER/NAME". With the
            environment variable `HF_HUB_OFFLINE` only the local cache is searched.
        revision: branch, tag or commit on the hub; None is the default branch.
        profile: device and element type of the weights.

    Raises:
        UsageError: the folder does not exist.
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
    # transformers draws missing tensors at random, so the model would differ at every start.
    lacking = sorted(loading["missing_keys"]) + [str(item) for item in loading["mismatched_keys"]]
    if lacking:
        raise ModelError(
            f"{source}: {len(lacking)} tensors of the language model are missing or have a wrong shape, among "
            f"them {lacking[0]}; expected a checkpoint with its LM head"
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
    """Split the text of a special token after its first character.

    A SentencePiece vocabulary lists special tokens beside its pieces, so the library would match
    them in plain text.
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
    # Without a padding token any other works: nothing attends to it.
    pad = _special_id(tokenizer, "eos_token" if tokenizer.pad_token_id is None else "pad_token", source)
    return SpecialIds(() if start is None else (start,), () if end is None else (end,), mask, pad)


def _special_id(tokenizer: Any, name: str, source: str) -> int:
    """Return the id of a special token, looked up by attribute name or by its text.

    Raises:
        ModelError: the tokenizer does not define it.
    """
    number = getattr(tokenizer, f"{name}_id", tokenizer.get_added_vocab().get(name))
    if number is None:
        raise ModelError(f"{source}: the tokenizer defines no {name}, which models of this type need")
    return int(number)
