"""The shipped weights: small, loadable offline, and better than chance without tuning."""

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from harness.toy import MODEL_MAX_LENGTH, PLACEHOLDER_IDS, TASKS, WEIGHTS_DIR
from harness.toy.grammar import task_rows
from harness.toy.scene import Scene, few_shot, labels_of, load, score
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
    assert (
        tokenizer("It was great. News: Yes?").input_ids
        == build_tokenizer()("It was great. News: Yes?").input_ids
    )
    output, tied = model.get_output_embeddings(), model.get_input_embeddings()
    assert output.weight.data_ptr() == tied.weight.data_ptr()


def test_manual_prompt_beats_chance_on_topics() -> None:
    task = TASKS["dbpedia"]
    scene = Scene(*load(WEIGHTS_DIR), task)
    rows = task_rows("dbpedia", "test")[:300]
    logits = scene.logits(scene.encode(rows), scene.zero_prompt())[0]
    assert score(task, logits, labels_of(rows)) > 20.0


def test_a_prompt_changes_the_logits_of_its_own_candidate_only() -> None:
    task = TASKS["sst2"]
    scene = Scene(*load(WEIGHTS_DIR), task)
    encoded = scene.encode(task_rows("sst2", "test")[:4])
    prompts = np.zeros((2, *scene.shape), dtype=np.float32)
    prompts[1, 2] = 1.0
    both = scene.logits(encoded, prompts)
    manual = scene.logits(encoded, scene.zero_prompt())[0]
    assert both.shape == (2, 4, 2)
    assert torch.allclose(both[0], manual, atol=1e-5)
    assert not torch.allclose(both[1], manual, atol=1e-2)


def test_encoding_puts_the_placeholders_after_the_start() -> None:
    scene = Scene(*load(WEIGHTS_DIR), TASKS["qnli"])
    ids, where = scene.encode(task_rows("qnli", "test")[:8])
    assert ids[:, 1 : len(PLACEHOLDER_IDS) + 1].tolist() == [list(PLACEHOLDER_IDS)] * 8
    assert (ids[torch.arange(8), where] == scene.tokenizer.mask_token_id).all()


def test_few_shot_splits_are_balanced_and_disjoint() -> None:
    task = TASKS["snli"]
    train, dev = few_shot(task, 8)
    assert np.bincount(labels_of(train)).tolist() == [task.k_shot] * task.n_classes
    assert np.bincount(labels_of(dev)).tolist() == [task.k_shot] * task.n_classes
    assert not {str(row) for row in train} & {str(row) for row in dev}
