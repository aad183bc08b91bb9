"""The small real English model beside the repository, where it is present."""

import os
from pathlib import Path

import numpy as np
import pytest
import small_models

from harness.api.outputs import OUTPUTS
from harness.engine import Engine, NumericProfile, encode, evaluate_reference, load_backbone

SHARED = Path(os.environ.get("GRADFREE_SHARED", Path(__file__).parents[3].parent / "shared"))
MODEL = SHARED / "models" / "minilm-mlm"
M = 50

pytestmark = pytest.mark.skipif(
    not MODEL.is_dir(), reason=f"no model in {MODEL}: set GRADFREE_SHARED to the shared folder"
)


@pytest.fixture(scope="module")
def minilm():
    return load_backbone(str(MODEL), profile=NumericProfile())


@pytest.fixture(scope="module")
def reviews(minilm):
    compiled = small_models.compile_wording(
        minilm,
        "{p} . {text} . It was [M] .",
        ("bad", "great"),
        n_fields=1,
        n_prompt_tokens=M,
        probe_words=("good", "guitar"),
    )
    texts = [
        ("a gripping and moving film",),
        ("wonderful acting and a lovely story",),
        ("a terrible , boring waste of time",),
        ("awful plot and worse acting",),
    ]
    return encode(minilm, compiled, texts)


def test_minilm_official_prompt_ranks_praise_above_blame(minilm, reviews):
    engine = Engine(minilm, NumericProfile(), M)
    response = engine.evaluate(reviews, np.zeros((1, 6, M, 384), np.float32), outputs=OUTPUTS)
    margin = response.logits[0, :, 1] - response.logits[0, :, 0]
    assert margin[:2].min() > margin[2:].max()
    assert (response.word_logits[0, :, 0] > response.word_logits[0, :, 1] + 2).all()


def test_minilm_engine_equals_reference(minilm, reviews):
    engine = Engine(minilm, NumericProfile(), M)
    draw = np.random.default_rng(0)
    base = (0.1 * draw.standard_normal((6, M, 384))).astype(np.float32)
    values = (0.1 * draw.standard_normal((2, M, 384))).astype(np.float32)
    response = engine.evaluate(reviews, values, layer=3, base=base, outputs=OUTPUTS)
    expected = evaluate_reference(minilm, reviews, values, layer=3, base=base)
    for name in OUTPUTS:
        # Logits are around 10 here, so this is about ten units in the last place of float32.
        np.testing.assert_allclose(getattr(response, name), getattr(expected, name), rtol=0, atol=1e-5)
