"""Small random models of every family with tokenizers trained on the spot, saved as model folders."""

import json
import random
import re
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AddedToken,
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Tokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from harness import engine
from harness.config import official_presets
from harness.records import WordingRequest

FAMILIES = ("roberta", "bert", "gpt2", "bart", "t5")
N_PROMPT_TOKENS = 5
MAX_TOKENS = 128

PRESETS = official_presets()
OFFICIAL = {
    family: {
        task: PRESETS.get(f"{task}-{family}", PRESETS[task])["template"]
        for task in ("sst2", "dbpedia", "snli", "qqp", "qnli")
    }
    for family in FAMILIES
}
"""Templates by family and task."""
for family in ("roberta", "bert", "bart"):
    OFFICIAL[family]["dbpedia-bbt"] = "{p} [ Category: [M] ] {text}"  # of BBT's own code
PLAIN = {family: {1: OFFICIAL[family]["sst2"], 2: OFFICIAL[family]["snli"]} for family in FAMILIES}
"""A template by family and number of fields."""
MASKS = {"gpt2": "", "t5": "<extra_id_0>"}
"""What stands for `[M]` in a formatted string, where it is not the tokenizer's mask token."""
WORDS = [
    "bad",
    "great",
    "good",
    "boring",
    "Company",
    "Education",
    "Artist",
    "Village",
    "Yes",
    "Maybe",
    "No",
    "It",
    "was",
    "Category",
    "News",
    "film",
    "negative",
    "positive",
]


def compile_wording(backbone, template, words, *, placeholder=None, mode="add", probe_words=(), **options):
    """Compile a wording whose classes may be given as single words."""
    words = tuple((entry,) if isinstance(entry, str) else tuple(entry) for entry in words)
    request = WordingRequest(template, words, placeholder, mode, tuple(probe_words))
    return engine.compile_wording(backbone, request, **options)


def formatted(template: str, placeholder: str, fields: tuple[str, ...], mask: str) -> str:
    """Fill a template in as the authors' code does."""
    pieces = {"{p}": placeholder, "[M]": mask}
    pieces |= dict(zip(("{text}",) if len(fields) == 1 else ("{a}", "{b}"), fields, strict=True))
    if not mask:
        template = template.replace(" [M]", "[M]")
    return "".join(pieces.get(part, part) for part in re.split(r"(\{\w+\}|\[M\])", template))


def corpus(n_sentences: int = 3000) -> list[str]:
    """Sentences of made-up words, rich enough for 1,200 tokens, with the official words in them."""
    draw = random.Random(5)
    syllables = [c + v for c in "bcdfglmnprstvz" for v in "aeiou"]
    names = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(900)]
    lines = []
    for _ in range(n_sentences):
        words = draw.choices(names + WORDS * 20, k=draw.randint(1, 30))
        lines.append(" ".join(words) + draw.choice([" .", " ?", "", " , it's", "!"]))
    return lines


def roberta_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE as RoBERTa has it, `<mask>` swallowing the space before it."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1200, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator(corpus(), trainer)
    core.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token=AddedToken("<mask>", lstrip=True, special=True),
    )


def gpt2_tokenizer() -> GPT2Tokenizer:
    """Byte-level BPE as GPT-2 has it: one special token, and no padding."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1199, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator(corpus(), trainer)
    model = json.loads(core.to_str())["model"]
    vocabulary = model["vocab"] | {"<|endoftext|>": len(model["vocab"])}
    return GPT2Tokenizer(vocab=vocabulary, merges=[tuple(merge) for merge in model["merges"]])


def t5_tokenizer() -> T5Tokenizer:
    """SentencePiece's unigrams as T5 has them: special tokens and sentinels stand in the vocabulary."""
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=2000, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    core.train_from_iterator(corpus(), trainer)
    pieces = [(piece, score) for piece, score in json.loads(core.to_str())["model"]["vocab"]]
    return T5Tokenizer(vocab=[*pieces, *((f"<extra_id_{number}>", 0.0) for number in reversed(range(100)))])


def bert_tokenizer() -> PreTrainedTokenizerFast:
    """Lower-casing WordPiece as BERT has it, with a left-over truncation setting to be ignored."""
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    core.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=1200, special_tokens=specials))
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    core.enable_truncation(7)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
    )


def roberta_model(shape: dict[str, int]) -> RobertaForMaskedLM:
    config = RobertaConfig(**shape, intermediate_size=48, max_position_embeddings=MAX_TOKENS + 2, type_vocab_size=1)
    return RobertaForMaskedLM(config)


def bert_model(shape: dict[str, int]) -> BertForMaskedLM:
    # Its head applies `hidden_act`; RoBERTa's head is always GELU.
    config = BertConfig(**shape, intermediate_size=48, max_position_embeddings=MAX_TOKENS, hidden_act="relu")
    return BertForMaskedLM(config)


def gpt2_model(shape: dict[str, int]) -> GPT2LMHeadModel:
    end = shape["vocab_size"] - 1
    config = GPT2Config(
        **shape,
        n_inner=48,
        max_position_embeddings=MAX_TOKENS,
        scale_attn_by_inverse_layer_idx=True,
        bos_token_id=end,
        eos_token_id=end,
    )
    return GPT2LMHeadModel(config)


def bart_model(shape: dict[str, int]) -> BartForConditionalGeneration:
    # Unlike a real one it scales its word vectors, and its decoder is not as deep as its encoder.
    config = BartConfig(
        vocab_size=shape["vocab_size"],
        d_model=shape["hidden_size"],
        encoder_layers=shape["num_hidden_layers"],
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=40,
        scale_embedding=True,
        max_position_embeddings=MAX_TOKENS,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
    )
    model = BartForConditionalGeneration(config)
    torch.nn.init.normal_(model.final_logits_bias)
    return model


def t5_model(shape: dict[str, int]) -> T5ForConditionalGeneration:
    # Heads that do not add up to D, as those of the largest models; version 1.1's feed-forward part.
    config = T5Config(
        vocab_size=shape["vocab_size"] + 28,
        d_model=shape["hidden_size"],
        d_kv=12,
        d_ff=48,
        num_layers=shape["num_hidden_layers"],
        num_decoder_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=24,
        feed_forward_proj="gated-gelu",
        n_positions=MAX_TOKENS,
        decoder_start_token_id=0,
    )
    return T5ForConditionalGeneration(config)


TOKENIZERS = {
    "roberta": roberta_tokenizer,
    "bert": bert_tokenizer,
    "gpt2": gpt2_tokenizer,
    "bart": roberta_tokenizer,  # the same, by its files
    "t5": t5_tokenizer,
}
MODELS = {"roberta": roberta_model, "bert": bert_model, "gpt2": gpt2_model, "bart": bart_model, "t5": t5_model}


def save_model(family: str, folder: Path, *, seed: int = 0) -> Path:
    """Save a model folder with random weights: every tensor is drawn, so that swapped parts show."""
    tokenizer = TOKENIZERS[family]()
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    model = MODELS[family](shape)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = name.endswith("weight") and parameter.ndim == 1
            centre = 1.0 if is_norm else 0.0
            # T5 does not scale scores: its queries are small instead, as they are when it is trained.
            spread = 0.2 / 12**0.5 if name.endswith(".q.weight") else 0.2
            parameter.copy_(centre + spread * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ragged_texts(n_examples: int, n_fields: int, seed: int = 3) -> list[tuple[str, ...]]:
    """Texts of 0 to 40 words."""
    draw = random.Random(seed)
    words = " ".join(corpus(60)).split()
    return [
        tuple(" ".join(draw.choices(words, k=draw.randint(0, 40 // n_fields))) for _ in range(n_fields))
        for _ in range(n_examples)
    ]


def random_prompts(shape: tuple[int, ...], seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Draw float32 prompts."""
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
