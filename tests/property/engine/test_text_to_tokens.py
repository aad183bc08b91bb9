import pytest
import small_models
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from harness.engine import encode

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="session")
def tokenizers(backbones):
    """The tokenizers as transformers loads them, without the truncation that a file may carry."""
    loaded = {family: AutoTokenizer.from_pretrained(backbone.source) for family, backbone in backbones.items()}
    for tokenizer in loaded.values():
        tokenizer.backend_tokenizer.no_truncation()
    return loaded


@settings(max_examples=examples(150), deadline=None)
@given(
    where=st.sampled_from([(family, task) for family, tasks in small_models.OFFICIAL.items() for task in tasks]),
    texts=st.tuples(TEXTS, TEXTS),
)
def test_assembled_ids_equal_the_official_string(where, texts, backbones, small, tokenizers):
    family, task = where
    backbone, official = backbones[family], tokenizers[family]
    template = small.OFFICIAL[family][task]
    placeholder = "bad great film"
    fields = texts[: 2 if "{a}" in template else 1]
    compiled = small_models.compile_wording(
        backbone,
        template,
        ("bad", "great"),
        n_fields=len(fields),
        n_prompt_tokens=len(backbone.token_ids(placeholder)),
        placeholder=placeholder,
    )
    mask = small.MASKS.get(family, official.mask_token)
    expected = official(small.formatted(template, placeholder, fields, mask)).input_ids
    if len(expected) <= backbone.family.max_tokens:
        assert encode(backbone, compiled, [fields]).ids.tolist() == expected
