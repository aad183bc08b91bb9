from itertools import combinations

import numpy as np
import pytest
import small_models
import torch

from harness.api.outputs import OUTPUTS
from harness.engine import Engine, NumericProfile, encode, evaluate_reference, load_backbone
from harness.engine.layers import attention, linear
from harness.engine.layers.linear import must_widen
from harness.errors import InvalidQuery

M, L, D = 5, 3, 32
PROFILE = NumericProfile(chunk_tokens=300)


@pytest.fixture
def engine(backbone):
    return Engine(backbone, PROFILE, M)


@pytest.fixture
def split(backbone, small):
    return make_split(backbone, small, 23)


def make_split(backbone, small, n_examples, mode="add"):
    compiled = small_models.compile_wording(
        backbone,
        small.PLAIN[backbone.family.name][1],
        (("bad", "boring"), ("great",)),
        n_fields=1,
        n_prompt_tokens=M,
        mode=mode,
        probe_words=("good", "film", "Yes"),
    )
    return encode(backbone, compiled, small.ragged_texts(n_examples, 1))


def assert_close(response, expected, tolerance=1e-5):
    for name in OUTPUTS:
        got, wanted = getattr(response, name), getattr(expected, name)
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance, err_msg=name)


def assert_same_bits(response, expected, names=OUTPUTS):
    for name in names:
        assert getattr(response, name).tobytes() == getattr(expected, name).tobytes(), name


def test_info_names_the_model(engine, backbone):
    info = engine.info
    assert (info.n_layers, info.hidden_size, info.n_prompt_tokens) == (L, D, M)
    assert info.family == backbone.model.config.model_type
    assert info.embedding_std == backbone.embedding_std


def test_engine_sets_the_threads_of_its_profile(backbone):
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            Engine(backbone, NumericProfile(threads=threads), M)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_reference_zero_prompt_equals_an_unhooked_forward(backbone, split):
    expected = evaluate_reference(backbone, split, np.zeros((1, L, M, D), np.float32))
    for row in range(len(split)):
        inputs, read = ({"input_ids": torch.tensor(split.example_ids(row)).unsqueeze(0)}, split.read_positions[row])
        if backbone.family.name == "t5":  # BART shifts its own input
            inputs["decoder_input_ids"], read = torch.tensor([[0, backbone.specials.mask]]), 1
        with torch.no_grad():
            output = backbone.model(**inputs, output_hidden_states=True)
        at_read = output.logits[0, read].numpy()
        bad, boring, great = (backbone.token_ids(word)[0] for word in ("bad", "boring", "great"))
        by_hand = [(at_read[bad] + at_read[boring]) / 2, at_read[great]]
        np.testing.assert_allclose(expected.logits[0, row], by_hand, atol=1e-5)
        states = output.get("decoder_hidden_states") or output.hidden_states
        feature = states[-1][0, read].numpy()
        np.testing.assert_allclose(expected.features[0, row], feature, atol=1e-5)
        probes = [at_read[backbone.token_ids(word)[0]] for word in ("good", "film", "Yes")]
        np.testing.assert_allclose(expected.word_logits[0, row], probes, atol=1e-5)


@pytest.mark.parametrize("n_examples", [1, 7, 97])
@pytest.mark.parametrize("chunk_tokens", [1, 300, 100_000])
def test_evaluate_whole_prompts_equals_reference(backbone, small, n_examples, chunk_tokens):
    split = make_split(backbone, small, n_examples)
    values = small.random_prompts((3, L, M, D))
    engine = Engine(backbone, NumericProfile(chunk_tokens=chunk_tokens), M)
    assert_close(engine.evaluate(split, values, outputs=OUTPUTS), evaluate_reference(backbone, split, values))


@pytest.mark.parametrize("layer", range(L))
@pytest.mark.parametrize("with_base", [False, True])
def test_evaluate_one_layer_equals_reference(backbone, small, engine, split, layer, with_base):
    values = small.random_prompts((4, M, D), seed=1)
    base = small.random_prompts((L, M, D), seed=2) if with_base else None
    response = engine.evaluate(split, values, layer=layer, base=base, outputs=OUTPUTS)
    assert_close(response, evaluate_reference(backbone, split, values, layer=layer, base=base))


@pytest.mark.parametrize("layer", [None, 0, 2])
def test_evaluate_mode_cat_equals_reference(backbone, small, engine, layer):
    split = make_split(backbone, small, 11, mode="cat")
    values = small.random_prompts((3, M, D), scale=0.5)
    base = None
    if layer is None:
        whole = np.zeros((3, L, M, D), np.float32)
        whole[:, 0] = values
        values = whole
    elif layer == 2:
        base = np.zeros((L, M, D), np.float32)
        base[0], values = values[0], np.zeros_like(values)
    response = engine.evaluate(split, values, layer=layer, base=base, outputs=OUTPUTS)
    assert_close(response, evaluate_reference(backbone, split, values, layer=layer, base=base))
    assert not np.allclose(response.logits, engine.evaluate(split, np.zeros((1, M, D), np.float32), layer=0).logits)


@pytest.mark.parametrize("family", small_models.FAMILIES)
@pytest.mark.parametrize("layer", [None, 1])
@pytest.mark.parametrize("is_wide", [False, True])
def test_evaluate_bf16_by_torch_alone_is_near_the_reference(
    family, folders, backbones, small, layer, is_wide, monkeypatch
):
    """Models this small never take our own kernels: what a machine without them computes, at any size."""
    if not is_wide and must_widen(torch.zeros(1, dtype=torch.bfloat16)):
        pytest.skip("torch has no bf16 products on this processor: they are computed in fp32")
    for module in (linear, attention):
        monkeypatch.setattr(module, "must_widen", lambda values: is_wide and values.dtype == torch.bfloat16)
    profile = NumericProfile(dtype="bf16", chunk_tokens=700)
    engine = Engine(load_backbone(str(folders[family]), profile=profile), profile, M)
    exact = backbones[family]
    split = make_split(exact, small, 31)
    values = small.random_prompts((3, L, M, D) if layer is None else (3, M, D), scale=0.3)
    base = None if layer is None else small.random_prompts((L, M, D), seed=1, scale=0.3)
    response = engine.evaluate(split, values, layer=layer, base=base, outputs=OUTPUTS)
    expected = evaluate_reference(exact, split, values, layer=layer, base=base)
    for name in ("logits", "features", "word_logits"):
        got, wanted = getattr(response, name), getattr(expected, name)
        error = np.abs(got - wanted) / np.abs(wanted).max()
        assert error.max() < 0.08, name
        assert np.sqrt(np.square(error).mean()) < 0.02, name
    again = engine.evaluate(split, values, layer=layer, base=base, cache_key=("run", "train"))
    for _ in range(2):
        assert_same_bits(again, response, ("logits",))
        again = engine.evaluate(split, values, layer=layer, base=base, cache_key=("run", "train"))


def test_products_are_widened_wherever_torch_cannot_lay_out_bf16_weights():
    weight = torch.zeros(32, 32, dtype=torch.bfloat16)
    assert must_widen(weight) or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert not must_widen(weight.float())
    states, bias = torch.ones(3, 32, dtype=torch.bfloat16), torch.ones(32, dtype=torch.bfloat16)
    laid_out = linear.lay_out(weight, bias)
    for mapped in (laid_out(states), laid_out.gelu(states), laid_out.plus(states, states)):
        assert (mapped.dtype, mapped.shape) == (torch.bfloat16, (3, 32))


def test_evaluate_every_layer_of_the_prompt_matters(small, engine, split):
    zero = engine.evaluate(split, np.zeros((1, L, M, D), np.float32)).logits
    for layer in range(L):
        for token in range(M):
            values = np.zeros((1, L, M, D), np.float32)
            values[0, layer, token] = 3.0 * np.linspace(-1, 1, D, dtype=np.float32)
            assert np.abs(engine.evaluate(split, values).logits - zero).max() > 1e-4


def test_evaluate_layer_std_is_that_of_the_input_before_its_own_prompt(small, engine, split):
    values = small.random_prompts((1, L, M, D), scale=5.0)
    changed = values.copy()
    changed[0, 1] += 4.0
    before = engine.evaluate(split, values, outputs=("layer_std",)).layer_std[0]
    after = engine.evaluate(split, changed, outputs=("layer_std",)).layer_std[0]
    assert (before[:2] == after[:2]).all()
    assert before[2] != after[2]
    assert before[0] == engine.info.embedding_std


def test_evaluate_repeated_gives_the_same_bits(small, engine, split):
    values = small.random_prompts((5, L, M, D))
    first = engine.evaluate(split, values, outputs=OUTPUTS)
    engine.evaluate(split, values[:1], rows=np.array([3]))
    assert_same_bits(engine.evaluate(split, values, outputs=OUTPUTS), first)


@pytest.mark.parametrize("layer", [None, 1])
def test_evaluate_outputs_asked_do_not_change_the_others_bits(small, engine, split, layer):
    values = small.random_prompts((5, L, M, D) if layer is None else (5, M, D))
    everything = engine.evaluate(split, values, layer=layer, outputs=OUTPUTS)
    for size in range(1, len(OUTPUTS)):
        for names in combinations(OUTPUTS, size):
            some = engine.evaluate(split, values, layer=layer, outputs=names)
            assert_same_bits(some, everything, names)
            assert all(getattr(some, name) is None for name in set(OUTPUTS) - set(names))


def test_evaluate_rows_come_back_in_the_order_asked(small, engine, split):
    values = small.random_prompts((2, L, M, D))
    rows = np.random.default_rng(0).permutation(len(split))
    whole = engine.evaluate(split, values, outputs=("logits", "features"))
    shuffled = engine.evaluate(split, values, rows=rows, outputs=("logits", "features"))
    np.testing.assert_allclose(shuffled.logits, whole.logits[:, rows], atol=1e-5)
    np.testing.assert_allclose(shuffled.features, whole.features[:, rows], atol=1e-5)
    some = engine.evaluate(split, values, rows=rows[:3])
    np.testing.assert_allclose(some.logits, whole.logits[:, rows[:3]], atol=1e-5)
    assert not np.allclose(whole.logits, whole.logits[:, rows], atol=1e-3)


def test_evaluate_types_are_those_of_the_contract(small, engine, split):
    response = engine.evaluate(split, small.random_prompts((2, L, M, D)), outputs=OUTPUTS)
    assert [getattr(response, name).dtype for name in OUTPUTS] == ["float32", "float32", "float64", "float32"]
    assert response.logits.shape == (2, 23, 2)
    assert response.word_logits.shape == (2, 23, 3)


def test_evaluate_leaves_its_arguments_alone_and_takes_read_only_ones(small, engine, split):
    values, base = small.random_prompts((2, M, D)), small.random_prompts((L, M, D))
    kept = values.copy(), base.copy()
    values.flags.writeable = base.flags.writeable = False
    engine.evaluate(split, values, layer=1, base=base)
    np.testing.assert_array_equal(values, kept[0])
    np.testing.assert_array_equal(base, kept[1])


def test_evaluate_overflow_is_returned_as_it_is(backbone, small, split):
    engine = Engine(backbone, PROFILE, M)
    normal = backbone.family.word_embeddings.data.clone()
    try:
        backbone.family.word_embeddings.data.fill_(float("inf"))
        response = engine.evaluate(split, small.random_prompts((1, L, M, D)))
    finally:
        backbone.family.word_embeddings.data.copy_(normal)
    assert not np.isfinite(response.logits).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outputs": ()}, "outputs"),
        ({"outputs": ("logits", "weights")}, "weights"),
        ({"rows": np.array([23])}, "rows"),
        ({"layer": 1}, "values"),
        ({"base": np.zeros((L, M, D), np.float32)}, "base"),
    ],
)
def test_check_and_evaluate_refuse_alike(engine, split, change, says):
    values = np.zeros((1, L, M, D), np.float32)
    for method in (engine.check, engine.evaluate):
        with pytest.raises(InvalidQuery, match=says):
            method(split, values, **change)


def test_check_word_logits_without_probe_words_is_refused(backbone, engine):
    compiled = small_models.compile_wording(backbone, "{p} {text} [M]", ("bad", "great"), n_fields=1, n_prompt_tokens=M)
    split = encode(backbone, compiled, [("film",)])
    with pytest.raises(InvalidQuery, match="without probe_words"):
        engine.check(split, np.zeros((1, L, M, D), np.float32), outputs=("word_logits",))
