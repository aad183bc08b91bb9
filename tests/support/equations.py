"""METHODS' equations written down once more: nothing of the solvers or of `harness.api` is used.

Models are asked through plain transformers.
"""

import numpy as np


def loss_by_hand(name, logits, labels):
    """METHODS' three losses for one candidate, row by row."""
    total = 0.0
    for row, label in zip(logits.astype(float), labels, strict=True):
        others = [score for k, score in enumerate(row) if k != label]
        if name == "ce":
            total -= np.log(np.exp(row[label]) / np.exp(row).sum())
        elif name == "hinge":
            total += sum(max(0.0, score - row[label] + 2.0) for score in others)
        else:
            total -= float(all(row[label] > score for score in others))
    return total / len(labels)


def clipped_std(values):
    for _ in range(5):
        mean, std = values.mean(), values.std()
        values = np.minimum(np.maximum(values, mean - 3 * std), mean + 3 * std)
    return values.std()


def layer_inputs(backbone, encoded, n_layers):
    """Real tokens' states before each layer, from transformers' own `hidden_states`."""
    import torch

    inputs = [[] for _ in range(n_layers)]
    for row in range(len(encoded)):
        ids = torch.tensor(encoded.example_ids(row))[None]
        with torch.no_grad():
            states = backbone.model(input_ids=ids, output_hidden_states=True).hidden_states
        for layer in range(n_layers):
            inputs[layer].append(states[layer][0].numpy().astype(np.float64))
    return [np.concatenate(states) for states in inputs]


def normal_projections(box, encoded, intrinsic_dim, alpha, sigmas):
    """A_l for every layer, drawn layer by layer from the task's solver seed."""
    size = box.n_prompt_tokens * box.info.hidden_size
    embeddings = box.backbone.model.get_input_embeddings().weight.detach().numpy().astype(np.float64)
    stds = [embeddings.std()]
    stds += [clipped_std(states) for states in layer_inputs(box.backbone, encoded, len(sigmas))[1:]]
    draw = np.random.default_rng(box.task.solver_seed)
    return [
        draw.standard_normal((size, intrinsic_dim), dtype=np.float32) * (alpha * std / (np.sqrt(intrinsic_dim) * sigma))
        for std, sigma in zip(stds, sigmas, strict=True)
    ]
