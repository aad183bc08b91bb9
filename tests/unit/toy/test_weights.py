"""The shipped weights: small, loadable offline, and better than chance without tuning."""

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from harness.metrics.official import score
from harness.tasks.kinds.classification import Classification
from harness.toy import MODEL_MAX_LENGTH, PLACEHOLDER_IDS, WEIGHTS_DIR
from harness.toy.tokenizer import build_tokenizer


def test_weights_are_at_most_four_megabytes() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS_DIR.iterdir()) <= 4_000_000


def test_weights_load_with_the_auto_classes() -> None:
    model = AutoModelForMaskedLM.from_pretrained(WEIGHTS_DIR, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS_DIR)
    assert model.config.model_type == "roberta"
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert tokenizer.model_max_length == MODEL_MAX_LENGTH
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    assert tokenizer("It was great. News: Yes?").input_ids == build_tokenizer()("It was great. News: Yes?").input_ids
    output, tied = model.get_output_embeddings(), model.get_input_embeddings()
    assert output.weight.data_ptr() == tied.weight.data_ptr()


def test_manual_prompt_beats_chance_on_every_task(toy_arena):
    """The whole manual row of the board, through the project's own engine."""
    info = toy_arena.engine.info
    zeros = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
    for config in toy_arena.config.task:
        task = toy_arena.task(config.name)
        logits = toy_arena.engine.evaluate(task.encoded_test, zeros).logits
        n_classes = len(config.words)
        predictions = Classification.default_prediction(logits)
        assert score(config.metric, task.data.test.labels, predictions, n_classes) > 100 / n_classes + 5, config.name


def test_encoding_puts_the_placeholders_after_the_start_and_one_mask(toy_arena):
    mask = toy_arena.backbone.specials.mask
    for config in toy_arena.config.task:
        encoded = toy_arena.task(config.name).encoded_test
        for row in range(8):
            ids = encoded.example_ids(row).tolist()
            assert tuple(ids[1 : 1 + len(PLACEHOLDER_IDS)]) == PLACEHOLDER_IDS
            assert ids.count(mask) == 1
            assert ids[encoded.read_positions[row]] == mask
