"""Choose label words and initial tokens with a few calls before the search."""

import re
from collections import Counter

import numpy as np

from harness.api import Array, BlackBox, InvalidQuery, Task, Wording
from harness.api.losses import cross_entropy, log_softmax

__all__ = ["calls_for_wording", "choose_wording", "zeros"]


def choose_wording(task: Task, model: BlackBox, words_per_class: int, max_probe_words: int) -> Wording | None:
    """Return the wording with the smallest loss on train, or None for the official one.

    Candidates: official or searched label words; official placeholder, or an instruction with one
    demonstration, of each class in turn. Takes one call for the search and one per wording.
    """
    searched = search_words(task, model, words_per_class, max_probe_words)
    official = [[word] for word in task.words]
    tried: list[tuple[Wording | None, float]] = [(None, train_loss(None, task, model))]
    for words, placeholder in [(searched, None), *((searched, text) for text in demonstrations(task))]:
        if words == official and placeholder is None:
            continue
        try:
            wording = model.wording(task.template, words, placeholder=placeholder)
        except InvalidQuery as error:
            # Two words may be one token, undetected because their scores can differ in the last bit.
            print(f"wording skipped: {error}")
            continue
        tried.append((wording, train_loss(wording, task, model)))
    return min(tried, key=lambda pair: pair[1])[0]


def calls_for_wording(task: Task) -> int:
    """Return the largest number of calls of `choose_wording`."""
    return 3 + min(len(task.words), MAX_DEMONSTRATIONS)


MAX_DEMONSTRATIONS = 4


def demonstrations(task: Task) -> list[str]:
    """Return texts for the prompt positions: the label words as a question, an example and its word."""
    instruction = f"{' or '.join(task.words[:MAX_DEMONSTRATIONS])} ?"
    texts = []
    for number, word in enumerate(task.words[:MAX_DEMONSTRATIONS]):
        row = int(np.flatnonzero(task.train.labels == number)[0])
        texts.append(f"{instruction} {word} : {' '.join(task.train.texts[row])}")
    return texts


def search_words(task: Task, model: BlackBox, words_per_class: int, max_probe_words: int) -> list[list[str]]:
    """Return the official word of each class and the words that indicate it most strongly on train.

    A candidate's score for a class is its mean log probability (over the candidates) on rows of that
    class minus its mean on the others.
    """
    candidates = frequent_words(task, max_probe_words)
    chosen = [[word] for word in task.words]
    try:
        probe = model.wording(task.template, task.words, probe_words=(*task.words, *candidates))
    except InvalidQuery as error:
        # The tokenizer may not have a word of the texts; the official words are always valid.
        print(f"no search for label words: {error}")
        return chosen
    response = model.query(zeros(model), wording=probe, outputs=("word_logits",))
    scores = log_softmax(response.word_logits[0])  # (B, W)
    labels = task.train.labels
    gains = np.stack([scores[labels == k].mean(axis=0) - scores[labels != k].mean(axis=0) for k in range(len(chosen))])
    # Words with the same token have the same logits: use only the first.
    _, first = np.unique(scores, axis=1, return_index=True)
    n_official = len(chosen)
    tokens = {scores[:, column].tobytes() for column in range(n_official)}
    for column in sorted(set(first.tolist()), key=lambda w: -gains[:, w].max()):
        owner = int(gains[:, column].argmax())
        is_free = column >= n_official and scores[:, column].tobytes() not in tokens
        if is_free and len(chosen[owner]) < words_per_class and gains[owner, column] > 0:
            chosen[owner].append(candidates[column - n_official])
    return chosen


def frequent_words(task: Task, most: int) -> list[str]:
    """Return the words of the labelled texts, most frequent first."""
    counts = Counter(
        word
        for split in (task.train, task.dev)
        for fields in split.texts
        for text in fields
        for word in re.findall(r"[A-Za-z]{3,}", text)
    )
    return [word for word, _ in counts.most_common(most) if word not in task.words]


def train_loss(wording: Wording | None, task: Task, model: BlackBox) -> float:
    """Return the cross-entropy on train of a prompt of zeros; takes a call."""
    return float(cross_entropy(model.query(zeros(model), wording=wording).logits, task.train.labels)[0])


def zeros(model: BlackBox) -> Array:
    """Return one deep prompt of zeros."""
    info = model.info
    return np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
