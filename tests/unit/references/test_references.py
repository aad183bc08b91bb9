"""Gradient references on the toy model: what is tuned, and that it learns."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from harness.engine.layers.linear import must_widen
from harness.errors import ConfigError, UsageError
from harness.references import load_reference, packaged_references, run_reference
from harness.references.masked_lm import MaskedLM, batch_of
from harness.references.training import class_logits, computing_in, train

pytest.importorskip("peft", reason="the extra 'references' is not installed")

LPT = ["none", "npg", "mppg", "appg"]
METHODS = [(name, {}) for name in packaged_references() if name not in {"lpt", "pe_transfer"}]
METHODS += [("lpt", {"generator": generator}) for generator in LPT]


def short(name, steps=30, **training):
    method = load_reference(name)
    changes = {"steps": steps, "eval_every": 10} | training
    return method.model_copy(update={"training": method.training.model_copy(update=changes)})


def adapted_to(arena, name, params):
    torch.manual_seed(0)
    model = copy.deepcopy(arena.backbone.model).requires_grad_(requires_grad=True)
    return load_reference(name).build(**params).adapt(model, 10)


def batch(arena, rows=(0, 3, 5)):
    task = arena.task("snli")
    encoded = arena.encode(task.wording, task.data.kshot[8][0])
    return batch_of(encoded, rows, 1, arena.backbone.specials.pad)


EXPECTED = {
    # values tuned on the toy: 4 layers of 96, M = 10
    "prompt_tuning": 10 * 96,
    "lora": 4 * 2 * 2 * 8 * 96,
    "adapter": 4 * 2 * (2 * 24 * 96 + 24 + 96),
    "none": 5 * 96,
    "npg": 96 * 128 + 128 + 128 * 5 * 96 + 5 * 96,
    "mppg": 96 * 128 + 128 + 128 * 96 + 96,
    "appg": 96 * 128 + 128 + 128 * 96 + 96,
}


@pytest.mark.parametrize(("name", "params"), METHODS)
def test_reference_tunes_what_it_says_and_nothing_else(toy_arena, name, params):
    adapted = adapted_to(toy_arena, name, params)
    tuned = {key: values for key, values in adapted.named_parameters() if values.requires_grad}
    n_tuned = sum(values.numel() for values in tuned.values())
    if name == "full":
        assert n_tuned == sum(values.numel() for values in adapted.parameters())
    elif name == "bitfit":
        assert all(key.endswith("bias") for key in tuned)
        assert n_tuned == sum(v.numel() for k, v in adapted.named_parameters() if k.endswith("bias"))
    elif params.get("generator", name) in EXPECTED:
        assert n_tuned == EXPECTED[params.get("generator", name)]
    adapted(batch(toy_arena)).sum().backward()
    frozen = [values for values in adapted.parameters() if not values.requires_grad]
    assert all(values.grad is None for values in frozen)
    assert any(values.grad is not None and values.grad.abs().sum() > 0 for values in tuned.values())


@pytest.mark.parametrize("name", ["lora", "adapter", "bitfit", "full"])
def test_reference_begins_as_the_model_itself(toy_arena, name):
    examples = batch(toy_arena)
    adapted = adapted_to(toy_arena, name, {}).eval()
    plain = MaskedLM(toy_arena.backbone.model).eval()
    with torch.no_grad():
        torch.testing.assert_close(adapted(examples), plain(examples), atol=1e-5, rtol=1e-5)


def test_reading_without_placeholder_equals_the_reference_path(toy_arena):
    """The batch is the official text without the placeholder: checked with transformers, row by row."""
    examples = batch(toy_arena)
    adapted = MaskedLM(toy_arena.backbone.model).eval()
    with torch.no_grad():
        together = adapted(examples)
        for row in range(len(examples.read)):
            n = int(examples.mask[row].sum())
            alone = toy_arena.backbone.model(input_ids=examples.ids[row : row + 1, :n]).logits
            torch.testing.assert_close(together[row], alone[0, examples.read[row]], atol=1e-4, rtol=1e-4)
    mask_id = toy_arena.backbone.specials.mask
    assert (examples.ids[torch.arange(3), examples.read] == mask_id).all()


def affine(module, values):
    return values @ module.weight.detach().double().numpy().T + module.bias.detach().double().numpy()


def stretches(length, n):
    """Adaptive pooling: stretch i of n covers the places from floor(i T / n) to ceil((i + 1) T / n)."""
    return [range(i * length // n, -(-(i + 1) * length // n)) for i in range(n)]


@pytest.mark.parametrize("generator", LPT)
def test_late_prompts_follow_their_formulas(toy_arena, generator):
    made = adapted_to(toy_arena, "lpt", {"generator": generator}).generator
    lengths, width = (17, 9), 96
    states = torch.randn(2, 17, width, generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(17) < torch.tensor(lengths)[:, None]).long()
    with torch.no_grad():
        prompts = made(states, mask)
    assert prompts.shape == (2, 5, width)
    for row, length in enumerate(lengths):
        h = states[row, :length].double().numpy()
        if generator == "none":
            expected = made.prompts.detach().numpy()
        elif generator == "npg":
            expected = affine(made.up, np.maximum(affine(made.down, h[0]), 0)).reshape(5, width)
        else:
            pool = np.max if generator == "mppg" else np.mean
            narrow = affine(made.down, h)
            pooled = np.stack([pool(narrow[list(places)], axis=0) for places in stretches(length, 5)])
            expected = affine(made.up, np.maximum(pooled, 0))
        np.testing.assert_allclose(prompts[row].detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("generator", LPT)
def test_late_prompts_do_not_depend_on_padding(toy_arena, generator):
    adapted = adapted_to(toy_arena, "lpt", {"generator": generator}).eval()
    together = batch(toy_arena, rows=(0, 3, 5))
    with torch.no_grad():
        for row, number in enumerate((0, 3, 5)):
            alone = adapted(batch(toy_arena, rows=(number,)))
            torch.testing.assert_close(adapted(together)[row], alone[0], atol=1e-4, rtol=1e-4)


def test_late_prompts_keep_gradients_out_of_the_lower_half(toy_arena):
    adapted = adapted_to(toy_arena, "lpt", {"generator": "none"})
    adapted.model.requires_grad_(requires_grad=True)
    adapted(batch(toy_arena)).sum().backward()
    layers = adapted.model.base_model.encoder.layer
    assert all(values.grad is None for layer in layers[:2] for values in layer.parameters())
    assert all(values.grad is not None for layer in layers[2:] for values in layer.parameters())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param("lora", {}, marks=pytest.mark.slow),
        ("lpt", {"generator": "appg"}),
        pytest.param("prompt_tuning", {}, marks=pytest.mark.slow),
    ],
)
def test_reference_learns_and_repeats_itself(toy_arena, name, params):
    untuned = run_reference(toy_arena, short(name, steps=1, learning_rate=1e-12), "sst2", 8, **params)
    first, second = (run_reference(toy_arena, short(name, steps=60), "sst2", 8, **params) for _ in range(2))
    assert first.trained.step > 0
    assert first.score > untuned.score + 3
    assert np.array_equal(first.predictions, second.predictions)
    task = toy_arena.task("sst2")
    truth, public = task.data.test.labels, task.is_public
    for expected, rows in ((first.score, slice(None)), (first.public_score, public)):
        assert expected == pytest.approx(100 * accuracy_score(truth[rows], first.predictions[rows]))


needs_bf16_products = pytest.mark.skipif(
    must_widen(torch.empty(0, dtype=torch.bfloat16)),
    reason="torch has no bf16 products on this processor: references compute in fp32",
)


@needs_bf16_products
@pytest.mark.parametrize(("name", "params"), METHODS)
def test_mixed_precision_is_near_fp32_and_scores_in_fp32(toy_arena, name, params):
    examples, adapted = batch(toy_arena), adapted_to(toy_arena, name, params).eval()
    exact = adapted(examples)
    with computing_in("bf16"):
        mixed = adapted(examples)
    assert exact.dtype == mixed.dtype == torch.float32
    assert 0 < (mixed - exact).abs().max() < 0.02 * exact.abs().max()


@needs_bf16_products
def test_mixed_precision_reads_weights_that_have_been_updated(toy_arena):
    examples, adapted = batch(toy_arena), adapted_to(toy_arena, "full", {}).eval()
    logits = []
    for _ in range(2):
        with computing_in("bf16"):
            logits.append(adapted(examples))
        with torch.no_grad():
            adapted.model.base_model.encoder.layer[0].output.dense.weight.mul_(1.5)
    assert not torch.equal(*logits)


@pytest.mark.parametrize("n_rows", [13, 16])
def test_a_steps_gradient_is_that_of_its_whole_batch(toy_arena, n_rows):
    task = toy_arena.task("snli")
    split = task.data.kshot[8][0]
    encoded = toy_arena.encode(task.wording, split)
    pad, seen = toy_arena.backbone.specials.pad, []
    adapted = adapted_to(toy_arena, "full", {})
    for module in adapted.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0

    def make_batch(rows):
        seen.append(rows)
        return batch_of(encoded, rows, 1, pad)

    settings = short("full", steps=1, batch_size=n_rows, learning_rate=1e-12).training
    ids = task.wording.class_ids
    train(adapted, settings, make_batch, split.labels, encoded.lengths, lambda _: 0.0, ids, seed=3)
    rows = np.concatenate(seen)
    assert len(rows) == len(set(rows)) == n_rows
    assert (np.diff(encoded.lengths[rows]) >= 0).all()  # little padding within a group
    gathered = {name: values.grad.clone() for name, values in adapted.named_parameters()}
    adapted.zero_grad()
    logits = class_logits(adapted(batch_of(encoded, rows, 1, pad)), ids)
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(split.labels[rows])).backward()
    for name, values in adapted.named_parameters():
        torch.testing.assert_close(gathered[name], values.grad, atol=1e-6, rtol=1e-4)


def test_shorter_training_asks_dev_as_often():
    method = load_reference("lora")
    assert (method.training.steps, method.training.eval_every) == (1000, 100)
    shorter = method.trained_for(50).training
    assert (shorter.steps, shorter.eval_every) == (50, 5)
    assert method.trained_for(3).training.eval_every == 1


def test_unknown_reference_and_generator_are_refused(toy_arena):
    with pytest.raises(UsageError, match="got 'nope', expected one of"):
        load_reference("nope")
    with pytest.raises(ValueError, match="generator is 'x'"):
        load_reference("lpt").build(generator="x")


def test_bad_reference_file_is_reported(monkeypatch, tmp_path):
    from harness.references import method

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "reference.toml").write_text('entry = "Mine"\n')
    monkeypatch.setattr(method, "_folder", lambda: tmp_path)
    with pytest.raises(ConfigError, match="description"):
        load_reference("mine")


def test_reference_on_a_model_that_fills_no_masks_is_refused(backbones):
    arena = SimpleNamespace(backbone=backbones["gpt2"])
    with pytest.raises(UsageError, match="got family gpt2, expected bert or roberta"):
        run_reference(arena, load_reference("lora"), "sst2", 8)
