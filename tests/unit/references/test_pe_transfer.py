"""The bridge: exact values, no gradient of the large model, and adapters that get better through it."""

import copy

import pytest
import torch

from harness.references import load_reference, run_reference
from harness.references.masked_lm import batch_of


@pytest.fixture
def bridged(toy_arena):
    torch.manual_seed(0)
    model = copy.deepcopy(toy_arena.backbone.model).requires_grad_(requires_grad=True)
    module = load_reference("pe_transfer").build(ratio=4).adapt(model, 10)
    for adapter in module.adapters:
        torch.nn.init.normal_(adapter.up.weight, std=0.05)
    return module


@pytest.fixture
def examples(toy_arena):
    task = toy_arena.task("sst2")
    encoded = toy_arena.encode(task.wording, task.data.kshot[8][0])
    return batch_of(encoded, range(8), 1, toy_arena.backbone.specials.pad)


def test_logits_through_the_bridge_are_the_plugged_models(bridged, examples):
    bridged.train()
    for module in bridged.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    through = bridged(examples)
    with torch.no_grad():
        plain = bridged(examples)
    assert through.requires_grad
    torch.testing.assert_close(through.detach(), plain, atol=1e-4, rtol=1e-4)


def test_nothing_of_the_large_model_is_differentiated(bridged, examples):
    # Even if its weights asked for gradients, none would come.
    bridged.model.requires_grad_(requires_grad=True)
    bridged.train()
    bridged(examples).sum().backward()
    assert all(values.grad is None for values in bridged.model.parameters())
    assert all(values.grad is None for values in bridged.bridge.parameters())
    assert all(adapter.up.weight.grad.abs().sum() > 0 for adapter in bridged.adapters)


def test_bridge_keeps_its_share_of_the_model(bridged):
    size = bridged.model.config.hidden_size
    assert len(bridged.bridge.kept) == size // 4
    layer = bridged.bridge.layers[0]
    assert layer.up.weight.shape == (bridged.model.config.intermediate_size // 4, size // 4)
    whole = sum(values.numel() for part in bridged.layers for values in part.parameters())
    assert sum(values.numel() for values in bridged.bridge.layers.parameters()) < whole / 10


def test_unpruned_bridge_gives_the_true_gradient(toy_arena, examples):
    """With ratio 1 the bridge is the model, but for the path through the adapters' inputs."""
    torch.manual_seed(0)
    model = copy.deepcopy(toy_arena.backbone.model)
    module = load_reference("pe_transfer").build(ratio=1).adapt(model, 10)
    module.train()
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    # Adapters that begin at zero have no path through their inputs.
    module(examples)[:, 5].sum().backward()
    through = [adapter.up.weight.grad.clone() for adapter in module.adapters]
    module.zero_grad()
    module.eval()
    module(examples)[:, 5].sum().backward()
    for bridge, true in zip(through, (adapter.up.weight.grad for adapter in module.adapters), strict=True):
        torch.testing.assert_close(bridge, true, atol=1e-3, rtol=1e-3)


def test_second_stage_begins_with_the_students_adapters_repeated(bridged):
    (student,) = bridged.stages()[:-1]
    for number, adapter in enumerate(student.adapters):
        torch.nn.init.constant_(adapter.up.bias, float(number + 1))
    bridged.begin()
    assert [adapter.up.bias[0].item() for adapter in bridged.adapters] == [1.0, 1.0, 2.0, 2.0]


def test_transfer_ends_above_the_manual_prompt(toy_arena):
    method = load_reference("pe_transfer")
    short = method.training.model_copy(update={"steps": 40, "eval_every": 10})
    run = run_reference(toy_arena, method.model_copy(update={"training": short}), "sst2", 8)
    assert run.score > 63.1 + 5  # the manual prompt's score on the README
