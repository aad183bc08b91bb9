import numpy as np
import small_models
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.api.outputs import OUTPUTS
from harness.engine import Engine, NumericProfile, encode, evaluate_reference

M, L, D = 5, 3, 32


@st.composite
def queries(draw):
    """One query: family, wording, candidates, layer, base, rows and profile."""
    layer = draw(st.sampled_from([None, *range(L)]))
    return {
        "family": draw(st.sampled_from(small_models.FAMILIES)),
        "n_fields": draw(st.sampled_from([1, 2])),
        "mode": draw(st.sampled_from(["add", "cat"])),
        "n_candidates": draw(st.integers(1, 5)),
        "layer": layer,
        "with_base": layer is not None and draw(st.booleans()),
        "n_rows": draw(st.sampled_from([1, 2, 7, 31, 97])),
        "scale": draw(st.sampled_from([0.0, 0.1, 1.0, 10.0])),
        "chunk_tokens": draw(st.sampled_from([1, 50, 400, 2000, 50_000])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def prompts_of(query):
    """Draw values and base; in mode "cat" layers above 0 stay zero."""
    rng = np.random.default_rng(query["seed"])
    layer, n_candidates = query["layer"], query["n_candidates"]
    shape = (n_candidates, L, M, D) if layer is None else (n_candidates, M, D)
    values = (query["scale"] * rng.standard_normal(shape)).astype(np.float32)
    base = rng.standard_normal((L, M, D)).astype(np.float32) if query["with_base"] else None
    if query["mode"] == "cat":
        if layer is None:
            values[:, 1:] = 0
        elif layer > 0:
            values[:] = 0
        if base is not None:
            base[1:] = 0
    rows = rng.permutation(97)[: query["n_rows"]]
    return values, base, rows


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(query=queries())
def test_engine_any_query_equals_reference(query, backbones, small):
    backbone = backbones[query["family"]]
    compiled = small_models.compile_wording(
        backbone,
        small.PLAIN[query["family"]][query["n_fields"]],
        (("bad", "boring"), ("great",), ("film",)),
        n_fields=query["n_fields"],
        n_prompt_tokens=M,
        mode=query["mode"],
        probe_words=("good", "Yes"),
    )
    split = encode(backbone, compiled, small.ragged_texts(97, query["n_fields"], seed=query["seed"]))
    values, base, rows = prompts_of(query)
    where = {"layer": query["layer"], "base": base, "rows": rows}
    engine = Engine(backbone, NumericProfile(chunk_tokens=query["chunk_tokens"]), M)
    response = engine.evaluate(split, values, outputs=OUTPUTS, **where)
    expected = evaluate_reference(backbone, split, values, **where)
    # Prompts ten times as large as the states make states, and so their rounding, as much larger.
    tolerance = 1e-5 * max(1.0, query["scale"])
    for name in OUTPUTS:
        np.testing.assert_allclose(
            getattr(response, name), getattr(expected, name), rtol=0, atol=tolerance, err_msg=name
        )
    again = engine.evaluate(split, values, outputs=("logits",), **where)
    assert again.logits.tobytes() == response.logits.tobytes()
