"""Small random RoBERTa and BERT models with tokenizers trained on the spot, saved as model folders."""

import random
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AddedToken,
    BertConfig,
    BertForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

FAMILIES = ("roberta", "bert")
N_PROMPT_TOKENS = 5
MAX_TOKENS = 128

OFFICIAL = {
    "sst2": ("{p} . {text} . It was [M] .", ("bad", "great")),
    "dbpedia": ("{p} . [M] News: {text}", ("Company", "Education", "Artist", "Village")),
    "dbpedia-bbt": ("{p} [ Category: [M] ] {text}", ("Company", "Education", "Artist", "Village")),
    "snli": ("{p} . {a} ? [M] , {b}", ("Yes", "Maybe", "No")),
    "qqp": ("{p} . {a} ? [M] , {b}", ("No", "Yes")),
}
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
]


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


def save_model(family: str, folder: Path, *, seed: int = 0) -> Path:
    """Save a model folder with random weights: every tensor is drawn, so that swapped parts show."""
    tokenizer = roberta_tokenizer() if family == "roberta" else bert_tokenizer()
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    if family == "roberta":
        config = RobertaConfig(**shape, max_position_embeddings=MAX_TOKENS + 2, type_vocab_size=1)
        model = RobertaForMaskedLM(config)
    else:
        # Its head applies `hidden_act`; RoBERTa's head is always GELU.
        model = BertForMaskedLM(BertConfig(**shape, max_position_embeddings=MAX_TOKENS, hidden_act="relu"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if "LayerNorm.weight" in name or "layer_norm.weight" in name else 0.0
            parameter.copy_(centre + 0.2 * torch.randn_like(parameter))
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
