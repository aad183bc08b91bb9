"""Tuning without the large model's gradients: adapters from a small model, refined through a bridge.

1. A student, some layers of the large model, is tuned with an adapter after each layer.
2. The adapters are copied to the large model, each to several of its layers (W_plug is the identity,
   because the student has the same width).
3. The bridge is a copy of every layer pruned to 1 / r of its hidden values, heads and inner values: those
   with the largest weights, which needs no gradients.
4. The adapters are tuned through the bridge. The large model runs forward with the adapters, without
   gradients; each bridge state has the kept values of the large model's state and the derivative of the
   pruned layer. The adapters' outputs are projected down to it (W_down: the kept values).
5. The bridge is removed.

Source: Jin, Zhang, Zong 2023, EMNLP main 22. Differences: README.md beside this file.
"""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from harness.references import Adapted, Batch, additive_mask, head_of, logits_of


class PETransfer:
    """Tunes one adapter per layer."""

    def __init__(self, bottleneck: int = 48, student_layers: int = 2, ratio: int = 16) -> None:
        """Store the adapters' width m, the student's number of layers and the bridge's ratio r."""
        self.bottleneck = bottleneck
        self.student_layers = student_layers
        self.ratio = ratio

    def adapt(self, model: Any, n_prompt_tokens: int) -> "Bridged":  # noqa: ARG002 (the contract)
        """Freeze the model, cut the student, prune the bridge."""
        model.requires_grad_(requires_grad=False)
        layers = list(model.base_model.encoder.layer)
        n = min(self.student_layers, len(layers))
        # The first layer of each segment, so that segment s of the large model has the student's adapter s.
        chosen = [layers[position * len(layers) // n] for position in range(n)]
        student = Plugged(model, chosen, self.bottleneck)
        return Bridged(model, layers, self.bottleneck, student, Bridge(model, self.ratio))


class AdapterModule(nn.Module):
    """W_up gelu(W_down h), initialized to zero."""

    def __init__(self, size: int, bottleneck: int) -> None:
        """Make both maps."""
        super().__init__()
        self.down = nn.Linear(size, bottleneck)
        self.up = nn.Linear(bottleneck, size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map (..., D) to (..., D)."""
        return self.up(functional.gelu(self.down(states)))


class Plugged(Adapted):
    """Layers of a frozen model with an adapter after each."""

    def __init__(self, model: Any, layers: list[Any], bottleneck: int) -> None:
        """Create the adapters; the layers are shared with the model."""
        super().__init__(model)
        self.layers = layers
        size = model.config.hidden_size
        self.adapters = nn.ModuleList([AdapterModule(size, bottleneck) for _ in layers])

    def features(self, batch: Batch) -> torch.Tensor:
        """Return the final hidden states at the read position, (B, D)."""
        with torch.no_grad():
            states = self.model.base_model.embeddings(input_ids=batch.ids)
        mask = additive_mask(batch.mask, states.dtype)
        for layer, adapter in zip(self.layers, self.adapters, strict=True):
            states = layer(states, mask)
            states = states + adapter(states)
        at_read: torch.Tensor = states[torch.arange(len(batch.read)), batch.read]
        return at_read


class Bridged(Plugged):
    """The large model with adapters; in training, gradients flow only through the bridge."""

    def __init__(self, model: Any, layers: list[Any], bottleneck: int, student: Plugged, bridge: "Bridge") -> None:
        """Store the student for the first stage."""
        super().__init__(model, layers, bottleneck)
        self.bridge = bridge
        # In a list, so that its adapters are not parameters of this stage.
        self._students = [student]

    def stages(self) -> tuple[Adapted, ...]:
        """Tune the student first, then this."""
        return (*self._students, self)

    def begin(self) -> None:
        """Copy the student's adapters to the layers."""
        student = self._students.pop()
        for position, adapter in enumerate(self.adapters):
            own = student.adapters[position * len(student.adapters) // len(self.adapters)]
            adapter.load_state_dict(copy.deepcopy(own.state_dict()))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return logits over the vocabulary, (B, vocabulary): exact values, the bridge's gradients."""
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(batch)
        kept = self.bridge.kept
        with torch.no_grad():
            states = self.model.base_model.embeddings(input_ids=batch.ids)
            mask = additive_mask(batch.mask, states.dtype)
            narrow = states[..., kept]
        for layer, adapter, small in zip(self.layers, self.adapters, self.bridge.layers, strict=True):
            with torch.no_grad():
                states = layer(states, mask)
            change = adapter(states)
            narrow = with_value(small(narrow, mask), states[..., kept]) + change[..., kept]
            with torch.no_grad():
                states = states + change
        rows = torch.arange(len(batch.read))
        with torch.no_grad():
            exact = logits_of(head_of(self.model), states[rows, batch.read])
        return with_value(logits_of(self.bridge.head, narrow[rows, batch.read]), exact)


class Bridge(nn.Module):
    """Pruned copies of a model's layers and head, frozen."""

    def __init__(self, model: Any, ratio: int) -> None:
        """Keep 1 / ratio of the hidden values: those with the largest weights in the layers' maps."""
        super().__init__()
        layers = list(model.base_model.encoder.layer)
        weights = torch.zeros(model.config.hidden_size)
        for layer in layers:
            attention = layer.attention
            for reads in (attention.self.query, attention.self.key, attention.self.value, layer.intermediate.dense):
                weights += reads.weight.square().sum(dim=0)
            for writes in (attention.output.dense, layer.output.dense):
                weights += writes.weight.square().sum(dim=1)
        self.register_buffer("kept", largest(weights, max(1, len(weights) // ratio)))
        self.layers = nn.ModuleList([NarrowLayer(layer, self.kept, ratio, model.config) for layer in layers])
        head = head_of(model)
        if hasattr(head, "transform"):
            dense, norm, self.activation = (
                head.transform.dense,
                head.transform.LayerNorm,
                head.transform.transform_act_fn,
            )
        else:
            dense, norm, self.activation = head.dense, head.layer_norm, functional.gelu
        self.dense = cut(dense, self.kept, self.kept)
        self.norm = cut_norm(norm, self.kept)
        self.decoder = cut(head.decoder, torch.arange(head.decoder.out_features), self.kept)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map kept features (B, D / r) to logits (B, vocabulary)."""
        logits: torch.Tensor = self.decoder(self.norm(self.activation(self.dense(features))))
        return logits


class NarrowLayer(nn.Module):
    """One post-norm layer on the kept hidden values, with its largest heads and inner values."""

    def __init__(self, layer: Any, kept: torch.Tensor, ratio: int, config: Any) -> None:
        """Copy the kept weights."""
        super().__init__()
        attention, size = layer.attention, config.hidden_size // config.num_attention_heads
        out = attention.output.dense.weight
        per_head = out.square().sum(dim=0).view(config.num_attention_heads, size).sum(dim=1)
        heads = largest(per_head, max(1, config.num_attention_heads // ratio))
        inner = (heads[:, None] * size + torch.arange(size)).flatten()
        self.n_heads = len(heads)
        own = attention.self
        self.query, self.key, self.value = (cut(part, inner, kept) for part in (own.query, own.key, own.value))
        self.attention_out = cut(attention.output.dense, kept, inner)
        self.attention_norm = cut_norm(attention.output.LayerNorm, kept)
        up, down = layer.intermediate.dense, layer.output.dense
        weights = up.weight.square().sum(dim=1) * down.weight.square().sum(dim=0)
        middle = largest(weights, max(1, up.out_features // ratio))
        self.up, self.down = cut(up, middle, kept), cut(down, kept, middle)
        self.activation = layer.intermediate.intermediate_act_fn
        self.output_norm = cut_norm(layer.output.LayerNorm, kept)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Map (B, T, D / r) to the same shape."""
        query, key, value = (
            part(states).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        states = self.attention_norm(self.attention_out(attended.transpose(1, 2).flatten(2)) + states)
        normal: torch.Tensor = self.output_norm(self.down(self.activation(self.up(states))) + states)
        return normal


def with_value(differentiable: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return a tensor that has `value` and the gradients of `differentiable`."""
    return differentiable + (value - differentiable).detach()


def largest(weights: torch.Tensor, n: int) -> torch.Tensor:
    """Return the indices of the n largest weights, in increasing order."""
    return weights.topk(n).indices.sort().values


def cut(linear: nn.Linear, rows: torch.Tensor, columns: torch.Tensor) -> nn.Linear:
    """Return a frozen map with some rows and columns of another one."""
    narrow = nn.Linear(len(columns), len(rows)).requires_grad_(requires_grad=False)
    narrow.weight.copy_(linear.weight[rows][:, columns])
    narrow.bias.copy_(linear.bias[rows])
    return narrow


def cut_norm(norm: nn.LayerNorm, kept: torch.Tensor) -> nn.LayerNorm:
    """Return a frozen LayerNorm over some values of another one."""
    narrow = nn.LayerNorm(len(kept), eps=norm.eps).requires_grad_(requires_grad=False)
    narrow.weight.copy_(norm.weight[kept])
    narrow.bias.copy_(norm.bias[kept])
    return narrow
