"""The toy language: same rows everywhere, balanced, disjoint, and closed under its tokenizer."""

import hashlib
import json
from collections import Counter

import pytest

from harness.toy import PLACEHOLDER_WORDS
from harness.toy.grammar import GLOSSARY, POOL_ROWS, TEST_ROWS, documents, task_rows
from harness.toy.lexicon import all_words
from harness.toy.tasks import TASKS

COLUMNS = {
    "sst2": ["sentence", "label"],
    "dbpedia": ["content", "label"],
    "snli": ["premise", "hypothesis", "label"],
    "qqp": ["question1", "question2", "label"],
    "qnli": ["question", "sentence", "label"],
}


@pytest.mark.parametrize("task", TASKS)
def test_rows_have_the_official_columns_and_sizes(task: str) -> None:
    pool, test = task_rows(task, "pool"), task_rows(task, "test")
    assert (len(pool), len(test)) == (POOL_ROWS, TEST_ROWS)
    assert all(list(row) == COLUMNS[task] for row in pool + test)


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_balanced_over_all_classes(task: str) -> None:
    for split in ("pool", "test"):
        counts = Counter(row["label"] for row in task_rows(task, split))
        assert sorted(counts, key=int) == list(range(len(TASKS[task].words)))
        assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("task", TASKS)
def test_no_text_occurs_twice_or_in_both_splits(task: str) -> None:
    rows = task_rows(task, "pool") + task_rows(task, "test")
    texts = {tuple(row[field] for field in TASKS[task].fields) for row in rows}
    assert len(texts) == len(rows)


def test_rows_match_the_recorded_digest() -> None:
    # One digest over all rows: a change of the language must be seen, and the weights rebuilt.
    digest = hashlib.sha256()
    for task in TASKS:
        for split in ("pool", "test"):
            digest.update(json.dumps(task_rows(task, split), sort_keys=True).encode())
    assert digest.hexdigest() == "91c17e721539a965b7d4168008ff3ba3d858aa1810f5254e5702024755b833d8"


def test_another_seed_gives_other_rows() -> None:
    assert task_rows("sst2", "test", seed=1) != task_rows("sst2", "test", seed=0)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(KeyError):
        task_rows("sst2", "train")


def test_documents_are_deterministic_and_open_with_a_header() -> None:
    tasks = (*TASKS, GLOSSARY)
    first, second = (list(documents(60, 3, tasks=tasks)) for _ in range(2))
    assert first == second
    assert all(doc.words[len(PLACEHOLDER_WORDS)] == "." for doc in first)


def test_bare_documents_open_with_the_placeholders() -> None:
    bare = [doc.words[: len(PLACEHOLDER_WORDS)] for doc in documents(200, 0, bare_share=1.0)]
    assert bare.count(PLACEHOLDER_WORDS) > len(bare) / 2


def test_every_word_of_the_language_has_one_role() -> None:
    assert [word for word, count in Counter(all_words()).items() if count > 1] == []
