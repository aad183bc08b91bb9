import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harness.engine import compile_wording, encode

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="session")
def tokenizers(backbones):
    """The tokenizers as transformers loads them, without the truncation that a file may carry."""
    loaded = {
        family: AutoTokenizer.from_pretrained(backbone.source) for family, backbone in backbones.items()
    }
    for tokenizer in loaded.values():
        tokenizer.backend_tokenizer.no_truncation()
    return loaded


@settings(max_examples=150, deadline=None)
@given(
    family=st.sampled_from(["roberta", "bert"]),
    task=st.sampled_from(["sst2", "dbpedia", "dbpedia-bbt", "snli"]),
    texts=st.tuples(TEXTS, TEXTS),
)
def test_assembled_ids_equal_the_official_string(family, task, texts, backbones, small, tokenizers):
    backbone, official = backbones[family], tokenizers[family]
    template, words = small.OFFICIAL[task]
    placeholder = "bad great film"
    n_fields = 2 if "{a}" in template else 1
    fields = texts[:n_fields]
    compiled = compile_wording(
        backbone,
        template,
        words,
        n_fields=n_fields,
        n_prompt_tokens=len(backbone.token_ids(placeholder)),
        placeholder=placeholder,
    )
    pieces = dict(zip(("{text}",) if n_fields == 1 else ("{a}", "{b}"), fields, strict=True))
    formatted = "".join(
        {"{p}": placeholder, "[M]": official.mask_token, **pieces}.get(part, part)
        for part in _split(template)
    )
    expected = official(formatted).input_ids
    if len(expected) <= backbone.family.max_tokens:
        assert encode(backbone, compiled, [fields]).ids.tolist() == expected


def _split(template):
    for marker in ("{p}", "{text}", "{a}", "{b}", "[M]"):
        template = template.replace(marker, f"\0{marker}\0")
    return template.split("\0")
