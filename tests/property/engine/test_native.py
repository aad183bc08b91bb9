"""Our own kernels against the same computed in float64, for random sizes; on a machine that has them."""

import copy

import numpy as np
import pytest
import torch
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from harness.engine import Backbone, CompiledWording, EncodedSplit, Engine, NumericProfile, reference_logits
from harness.engine.families import ADAPTERS, SpecialIds
from harness.engine.native import AmxKernels, _is_right, amx_kernels, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no kernels of our own: {why_not()}")
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# Of a sum of random products with standard deviation 1: three bf16 products; one rounding of the output.
pack = AmxKernels.pack
LINEAR_ERROR = {"fp32": 1e-4, "bf16": 2**-8}


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def weights(columns, depth, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(columns, depth, generator=generator) / depth**0.5
    return weight.to(dtype), torch.randn(columns, generator=generator)


@settings(max_examples=examples(40), deadline=None)
@given(
    st.integers(1, 700), st.integers(8, 72), st.integers(1, 40), st.sampled_from(list(TYPES)),
    st.booleans(), st.booleans(), st.sampled_from([1, 2, 3]), st.integers(0, 99),
)  # fmt: skip
@example(513, 33, 7, "bf16", True, True, 2, 0)
@example(289, 65, 3, "fp32", True, True, 2, 0)
@example(1, 8, 1, "bf16", False, False, 3, 0)
def test_linear_is_the_map_the_residual_and_the_gelu(
    rows, depth_blocks, column_blocks, name, has_residual, has_gelu, threads, seed
):
    torch.set_num_threads(threads)
    dtype, depth, columns = TYPES[name], 32 * depth_blocks, 32 * column_blocks
    weight, bias = weights(columns, depth, dtype, seed)
    states = torch.randn(rows, depth, generator=torch.Generator().manual_seed(seed + 1)).to(dtype)
    residual = torch.randn(rows, columns).to(dtype) if has_residual else None
    kernels = amx_kernels()
    mapped = kernels.linear(states, kernels.pack(weight), bias, residual=residual, has_gelu=has_gelu)
    expected = states.double() @ weight.double().T + bias
    if has_residual:
        expected += residual.double()
    if has_gelu:
        expected = functional.gelu(expected)
    assert mapped.dtype == dtype
    assert ((mapped.double() - expected).abs() <= LINEAR_ERROR[name] * (1 + expected.abs())).all()


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(2, 600), st.sampled_from([256, 1024, 1056]), st.sampled_from(list(TYPES)), st.integers(0, 99))
def test_linear_a_row_has_its_bits_whatever_stands_beside_it_and_however_many_threads(rows, depth, name, seed):
    weight, bias = weights(160, depth, TYPES[name], seed)
    states = torch.randn(rows, depth, generator=torch.Generator().manual_seed(seed)).to(TYPES[name])
    kernels = amx_kernels()
    packed = kernels.pack(weight)
    torch.set_num_threads(1)
    alone = torch.cat([kernels.linear(states[row : row + 1], packed, bias, has_gelu=True) for row in (0, rows - 1)])
    torch.set_num_threads(2)
    together = kernels.linear(states, packed, bias, has_gelu=True)
    assert torch.equal(together[[0, -1]], alone)


def test_linear_what_is_not_finite_stays_so_in_its_row_alone():
    weight, bias = weights(64, 256, torch.float32, 0)
    states = torch.randn(40, 256)
    states[3, 5], states[20, 7] = torch.inf, torch.nan
    kernels = amx_kernels()
    mapped = kernels.linear(states, kernels.pack(weight), bias)
    broken = ~torch.isfinite(mapped).all(dim=1)
    assert broken.nonzero().ravel().tolist() == [3, 20]


def attended(qkv, first, lengths, n_heads, is_causal):
    size = qkv.shape[1] // 3
    outputs = torch.empty(len(qkv), size, dtype=torch.float64)
    for start, length in zip(first, lengths, strict=True):
        heads = qkv[start : start + length].double().view(length, 3, n_heads, -1).permute(1, 2, 0, 3)
        outcome = functional.scaled_dot_product_attention(*heads, is_causal=is_causal)
        outputs[start : start + length] = outcome.transpose(0, 1).reshape(length, size)
    return outputs


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.integers(1, 150), min_size=1, max_size=6), st.integers(1, 5), st.sampled_from([32, 64, 96, 128]),
    st.booleans(), st.sampled_from([1, 2]), st.integers(0, 99),
)  # fmt: skip
@example([512, 1, 33], 2, 64, False, 2, 0)
def test_attend_is_softmax_attention_within_each_input(lengths, n_heads, size, is_causal, threads, seed):
    torch.set_num_threads(threads)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    generator = torch.Generator().manual_seed(seed)
    qkv = torch.randn(sum(lengths), 3 * n_heads * size, generator=generator).bfloat16()
    outputs = amx_kernels().attend(qkv, first, np.array(lengths), n_heads, is_causal=is_causal)
    expected = attended(qkv, first, lengths, n_heads, is_causal)
    # Weights and outputs are rounded to 8 bits.
    assert (outputs.double() - expected).abs().max() <= 2**-7 * qkv.abs().max()


def test_attend_with_scores_that_no_exponential_holds():
    qkv = torch.zeros(20, 96).bfloat16()
    qkv[:, :64] = 100.0
    qkv[7, 32:64] = 200.0
    qkv[:, 64:] = torch.arange(20).view(-1, 1)
    outputs = amx_kernels().attend(qkv, np.array([0]), np.array([20]), 1, is_causal=False)
    assert torch.equal(outputs, torch.full((20, 32), 7.0).bfloat16())


def large_enough(family):
    """Build a model of random weights whose maps the kernels take."""
    shape = {"vocab_size": 300, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    named = {"hidden_size": 512, "num_hidden_layers": 3, "num_attention_heads": 8, "max_position_embeddings": 80}
    torch.manual_seed(3)
    if family == "roberta":
        return RobertaForMaskedLM(RobertaConfig(**shape, **named, intermediate_size=1024, type_vocab_size=1))
    if family == "gpt2":
        return GPT2LMHeadModel(GPT2Config(**shape, **named, n_inner=1024))
    if family == "t5":
        return T5ForConditionalGeneration(
            T5Config(**shape, d_model=512, d_kv=64, d_ff=1024, num_layers=3, num_heads=8, decoder_start_token_id=1)
        )
    layers = {"encoder_layers": 3, "decoder_layers": 2, "encoder_ffn_dim": 1024, "decoder_ffn_dim": 1024}
    heads = {"encoder_attention_heads": 8, "decoder_attention_heads": 8}
    return BartForConditionalGeneration(
        BartConfig(**shape, **layers, **heads, d_model=512, max_position_embeddings=80, decoder_start_token_id=2)
    )


@pytest.mark.parametrize("family", ["roberta", "gpt2", "bart", "t5"])
@pytest.mark.parametrize("name", list(TYPES))
def test_engine_on_a_model_large_enough_for_the_kernels_equals_reference(name, family, monkeypatch):
    plain = large_enough(family).eval().requires_grad_(requires_grad=False)
    model = copy.deepcopy(plain).to(TYPES[name])
    specials = SpecialIds(start=(0,), end=(2,), mask=299, pad=1)
    used = []
    for kernel in ("linear", "attend"):
        original = getattr(AmxKernels, kernel)
        monkeypatch.setattr(
            AmxKernels,
            kernel,
            lambda *args, kernel=kernel, original=original, **more: used.append(kernel) or original(*args, **more),
        )
    backbone = Backbone(ADAPTERS[family](model), model, None, specials, None, "random weights", None)
    reference = Backbone(ADAPTERS[family](plain), plain, None, specials, None, "random weights", None)
    lengths = np.array([20, 31, 64, 31, 7])
    read_positions = lengths - 1 if family == "gpt2" else lengths - np.array([2, 2, 2, 5, 2])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    draw = np.random.default_rng(0)
    wording = CompiledWording(
        template="{p}{text}[M]", mode="add", n_fields=1, placeholder_ids=(10, 11, 12), slots=(),
        words=(("no",), ("yes",)), class_ids=((20,), (21,)), probe_words=(), probe_ids=(), n_fixed_tokens=6,
    )  # fmt: skip
    encoded = EncodedSplit(
        wording=wording, ids=draw.integers(3, 290, offsets[-1]), offsets=offsets, read_positions=read_positions
    )
    base = (0.1 * draw.standard_normal((3, 3, 512))).astype(np.float32)
    values = (0.1 * draw.standard_normal((4, 3, 512))).astype(np.float32)
    engine = Engine(backbone, NumericProfile(dtype=name, chunk_tokens=400), 3)
    logits = engine.evaluate(encoded, values, layer=1, base=base).logits
    expected = reference_logits(reference, encoded, values, layer=1, base=base)
    # T5 adds a bias to its scores, which the kernel does not know.
    assert set(used) == ({"linear"} if name == "fp32" or family == "t5" else {"linear", "attend"})
    np.testing.assert_allclose(logits, expected, rtol=0, atol={"fp32": 1e-4, "bf16": 5e-2}[name])


def test_kernels_that_compute_wrongly_are_not_used(monkeypatch):
    """As a compiler made them that packs every weight as zero, or an attention that answers with its input."""
    kernels = amx_kernels()
    assert _is_right(kernels)
    monkeypatch.setattr(AmxKernels, "pack", lambda self, weight: torch.zeros_like(pack(self, weight)))
    assert not _is_right(kernels)
    why_not.cache_clear()
    assert "give wrong results" in why_not()
    monkeypatch.undo()
    monkeypatch.setattr(AmxKernels, "attend", lambda _self, qkv, *_args, **_named: qkv[:, : qkv.shape[1] // 3])
    assert not _is_right(kernels)
    monkeypatch.undo()
    why_not.cache_clear()
    assert not why_not()
