import numpy as np
import small_models
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine import Engine, NumericProfile, encode

M, L, D = 5, 3, 32

steps = st.lists(
    st.tuples(
        st.integers(0, L - 1),  # layer
        st.integers(0, 2),  # which base; 2 is none
        st.sampled_from(["all", "some", "others"]),
        st.integers(1, 4),  # candidates
        st.sampled_from([("logits",), ("logits", "features", "layer_std")]),
        st.integers(0, 1),  # wording
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=examples(40), deadline=None)
@given(steps=steps, family=st.sampled_from(small_models.FAMILIES), cache_bytes=st.sampled_from([0, 50_000, 1 << 30]))
def test_cache_any_sequence_of_queries_has_the_bits_of_none(steps, family, cache_bytes, backbones, small):
    backbone = backbones[family]
    splits = [
        encode(
            backbone,
            small_models.compile_wording(backbone, template, (("bad",), ("great",)), n_fields=1, n_prompt_tokens=M),
            small.ragged_texts(23, 1),
        )
        for template in (small.PLAIN[family][1], "{p} : {text} [M]")
    ]
    bases = [small.random_prompts((L, M, D), seed=seed) for seed in (1, 2)] + [None]
    bases[1][0] = bases[0][0]  # the first layer in common: a frontier may be passed on to the other base
    rows = {"all": None, "some": np.arange(11), "others": np.arange(11)[::-1].copy()}
    profile = NumericProfile(chunk_tokens=300)
    cached = Engine(backbone, profile, M, cache_bytes=cache_bytes)
    plain = Engine(backbone, profile, M, cache_bytes=0)
    for number, (layer, base, which, n_candidates, outputs, wording) in enumerate(steps):
        values = small.random_prompts((n_candidates, M, D), seed=number)
        query = {"layer": layer, "base": bases[base], "rows": rows[which], "outputs": outputs}
        got = cached.evaluate(splits[wording], values, cache_key=("attempt", "train"), **query)
        expected = plain.evaluate(splits[wording], values, **query)
        for name in outputs:
            assert getattr(got, name).tobytes() == getattr(expected, name).tobytes(), name
    assert cached.cache.n_bytes <= cache_bytes


def test_cache_layer_after_layer_is_continued(backbones, small):
    backbone = backbones["roberta"]
    compiled = small_models.compile_wording(
        backbone, small.PLAIN["roberta"][1], (("bad",), ("great",)), n_fields=1, n_prompt_tokens=M
    )
    split = encode(backbone, compiled, small.ragged_texts(23, 1))
    engine = Engine(backbone, NumericProfile(), M)
    base = small.random_prompts((L, M, D))
    for layer in range(L):
        for seed in range(3):
            values = small.random_prompts((2, M, D), seed=seed)
            engine.evaluate(split, values, layer=layer, base=base, cache_key=("attempt", "train"))
    # Layer 0 has nothing in common but the words; the first query of layer 1 starts from them.
    assert (engine.cache.hits, engine.cache.misses) == (5, 1)
    engine.cache.drop_owner("attempt")
    assert engine.cache.n_bytes == 0
