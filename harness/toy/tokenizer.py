"""The toy's tokenizer: one id per word, RoBERTa's special tokens, lower case throughout."""

from typing import Final

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from harness.toy import MODEL_MAX_LENGTH
from harness.toy.lexicon import all_words

__all__ = ["SPECIAL_TOKENS", "build_tokenizer", "vocabulary"]

SPECIAL_TOKENS: Final = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""In RoBERTa's order, as its positions count from ``<pad>``'s id, 1."""


def vocabulary() -> dict[str, int]:
    """Return the id of every token: special tokens, then ``lexicon.all_words()`` in order."""
    return {token: index for index, token in enumerate((*SPECIAL_TOKENS, *all_words()))}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Return the fast tokenizer; encoding a raw text gives ``<s> ... </s>``.

    Splits at white space and around each punctuation mark, so a text has the same ids alone and
    inside a template.
    """
    vocab = vocabulary()
    core = Tokenizer(models.WordLevel(vocab=vocab, unk_token="<unk>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(behavior="isolated")]
    )
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", vocab["<s>"]), ("</s>", vocab["</s>"])],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=MODEL_MAX_LENGTH,
        padding_side="right",
    )
