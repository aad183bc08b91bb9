"""Training and saving, on a recipe of a few steps."""

from pathlib import Path

import torch
from build_toy_model import Recipe, Stage, encode_documents, save, train
from transformers import AutoModelForMaskedLM

from harness.toy.grammar import documents
from harness.toy.tasks import TASKS
from harness.toy.tokenizer import vocabulary

TINY = Recipe(stages=(Stage(2, 0.0), Stage(1, 0.5)), batch_size=16, hidden_size=16, n_layers=2)


def test_the_same_seed_trains_the_same_weights() -> None:
    first, second = (train(TINY, seed=5).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_saved_weights_load_to_the_same_logits(tmp_path: Path) -> None:
    model = train(TINY, seed=5)
    save(model, tmp_path)
    loaded = AutoModelForMaskedLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = torch.tensor([[0, 10, 11, 4, 2]])
    with torch.inference_mode():
        assert torch.allclose(model(ids).logits, loaded(ids).logits, atol=5e-3)


def test_encoded_slots_hold_the_answer() -> None:
    docs = list(documents(50, 0))
    ids, slots = encode_documents(docs, vocabulary())
    names = {index: word for word, index in vocabulary().items()}
    assert [names[int(row[slot])] for row, slot in zip(ids, slots, strict=True)] == [
        doc.words[doc.slot] for doc in docs
    ]
    topics = set(TASKS["dbpedia"].words)
    assert all(doc.words[doc.slot] in topics for doc in docs if doc.task == "dbpedia")
