"""The toy language: documents for pretraining and rows for the five tasks.

Theory of operation. A *text* of a task has words that determine its label (sentiment, topic, a
matching pair of kinds), neutral words, and often *mood* words (or, for topics, a side topic) that
are independent of the label. A *document* is a header of M words, a text in a cloze template, and an
answer in the slot. The header sets the register: after STUDY words the answer follows the label,
after GOSSIP words the mood, and after the bare placeholders a mixture of the two. The official
placeholder is the bare header, so the zero prompt has a mediocre score that tuning can improve.

All draws use ``random.Random.random``, whose sequence Python guarantees: the same seed gives the
same rows on every platform and version.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from harness.toy import PLACEHOLDER_WORDS
from harness.toy import lexicon as lex
from harness.toy.tasks import TASKS

__all__ = ["GLOSSARY", "POOL_ROWS", "TEST_ROWS", "Document", "documents", "task_rows"]

_T = TypeVar("_T")

POOL_ROWS: Final = 2100
"""Rows of split ``pool`` (divisible by 2, 3 and 14: exactly balanced)."""

TEST_ROWS: Final = 1000
"""Rows of split ``test``."""

LABEL_NOISE: Final = 0.08
"""Share of rows with a wrong label, like annotation errors."""

MOOD_SHARE: Final = 0.7
"""Share of texts with mood words (or a side topic)."""

# Share of bare-header documents whose answer follows the label instead of the mood. Near one half a
# small change of the prompt decides. Tuned per task until the gates passed.
CARE_SHARE: Final = {"sst2": 0.36, "dbpedia": 0.36, "snli": 0.4, "qqp": 0.4, "qnli": 0.42}

# Without mood words a careless answer is a guess with this prior, a bias that calibration removes.
GUESS_UP: Final = 0.65

# A second template, so that label words are not tied to one frame.
OTHER_WORDING: Final = {
    "sst2": "{p} . {text} . overall [M] .",
    "dbpedia": "{p} . {text} . subject : [M] .",
    "snli": "{p} . {a} , {b} . verdict : [M] .",
    "qqp": "{p} . {a} , {b} . verdict : [M] .",
    "qnli": "{p} . {a} , {b} . verdict : [M] .",
}
OTHER_WORDING_SHARE: Final = 0.2

GLOSSARY: Final = "glossary"
"""Documents that name the kind of their words, for ``documents`` only. They align the two sides of a
relation; without them the model hardly learns equality of kinds."""

_UP_CLASS: Final = {"sst2": 1, "snli": 0, "qqp": 1, "qnli": 0}
_DOWN_CLASS: Final = {"sst2": 0, "snli": 2, "qqp": 0, "qnli": 1}
_MID_CLASS: Final = 1


class _Dice:
    """Draws built on ``random()`` alone, whose sequence Python guarantees."""

    def __init__(self, seed: str) -> None:
        self.unit = random.Random(seed).random  # noqa: S311 - a language, not a secret

    def below(self, n: int) -> int:
        return int(self.unit() * n)

    def chance(self, share: float) -> bool:
        return self.unit() < share

    def pick(self, items: Sequence[str]) -> str:
        return items[self.below(len(items))]

    def other(self, n: int, not_this: int) -> int:
        return (not_this + 1 + self.below(n - 1)) % n

    def shuffle(self, items: list[_T]) -> None:
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


@dataclass(frozen=True, slots=True)
class _Text:
    """Fields in template order, the true class, and the class of the mood, if any."""

    fields: tuple[str, ...]
    label: int
    mood: int | None


@dataclass(frozen=True, slots=True)
class Document:
    """One pretraining document.

    Attributes:
        task: the task of its text.
        words: words and punctuation, header first, including the answer.
        slot: index of the answer in ``words``.
    """

    task: str
    words: tuple[str, ...]
    slot: int


def _phrase(dice: _Dice, words: list[str], n_words: int) -> str:
    while len(words) < n_words:
        words.append(dice.pick(lex.NEUTRAL))
    dice.shuffle(words)
    return " ".join(words)


def _mood(dice: _Dice, task: str) -> tuple[list[str], int | None]:
    if not dice.chance(MOOD_SHARE):
        return [], None
    mood = dice.below(3 if task == "snli" else 2)
    words = [dice.pick(lex.MOODS[mood]) for _ in range(1 + dice.below(2))]
    return words, (_DOWN_CLASS[task], _UP_CLASS[task], _MID_CLASS)[mood]


def _sst2(dice: _Dice, label: int) -> _Text:
    words, mood = _mood(dice, "sst2")
    words += [dice.pick(lex.POLAR[label]) for _ in range(2)]
    words.append(dice.pick(lex.POLAR[label if dice.chance(0.6) else 1 - label]))
    return _Text((_phrase(dice, words, 8 + dice.below(2)),), label, mood)


def _dbpedia(dice: _Dice, label: int) -> _Text:
    words = [dice.pick(lex.TOPICS[label]) for _ in range(4)]
    side: int | None = None
    if dice.chance(MOOD_SHARE):
        side = dice.other(len(lex.TOPICS), label)
        words += [dice.pick(lex.TOPICS[side]) for _ in range(2)]
    return _Text((_phrase(dice, words, 8 + dice.below(2)),), label, side)


def _pair(dice: _Dice, task: str, label: int, first: Sequence[str], second: Sequence[str]) -> _Text:
    mood_words, mood = _mood(dice, task)
    # The decisive words are next to each other where the fields meet, which shortens training.
    a = _phrase(dice, [], 3 + dice.below(2)) + " " + dice.pick(first)
    b = dice.pick(second) + " " + _phrase(dice, mood_words, 4 + dice.below(2))
    return _Text((a, b), label, mood)


def _snli(dice: _Dice, label: int) -> _Text:
    state = dice.below(4)
    # Same state: yes. The other pair of states: maybe. The excluded state: no.
    claim = (state, (state // 2 * 2 + 2 + dice.below(2)) % 4, state ^ 1)[label]
    first, second = lex.PREMISE_STATES[state], lex.CLAIM_STATES[claim]
    return _pair(dice, "snli", label, first, second)


def _qqp(dice: _Dice, label: int) -> _Text:
    kind = dice.below(4)
    other = kind if label == 1 else dice.other(4, kind)
    first, second = lex.AIM_KINDS[kind], lex.CASUAL_KINDS[other]
    return _pair(dice, "qqp", label, first, second)


def _qnli(dice: _Dice, label: int) -> _Text:
    kind = dice.below(4)
    other = kind if label == 0 else dice.other(4, kind)
    first, second = lex.ASKING_KINDS[kind], lex.ANSWER_KINDS[other]
    return _pair(dice, "qnli", label, first, second)


_TEXTS: Final[dict[str, Callable[[_Dice, int], _Text]]] = {
    "sst2": _sst2,
    "dbpedia": _dbpedia,
    "snli": _snli,
    "qqp": _qqp,
    "qnli": _qnli,
}


def _header(dice: _Dice, register: tuple[str, ...]) -> list[str]:
    """Return the M header words: placeholders, some replaced by words of the register."""
    header = list(PLACEHOLDER_WORDS)
    if register:
        for _ in range(1 + dice.below(4)):
            header[dice.below(len(header))] = dice.pick(register)
    if dice.chance(0.25):
        # Neutral words in the header: the model learns to ignore them.
        for _ in range(1 + dice.below(4)):
            header[dice.below(len(header))] = dice.pick(lex.NEUTRAL)
    if register and not any(word in register for word in header):
        header[dice.below(len(header))] = dice.pick(register)
    return header


def _careless_class(dice: _Dice, task: str, text: _Text) -> int:
    if text.mood is not None:
        return text.mood
    if task == "dbpedia":
        return text.label
    return _UP_CLASS[task] if dice.chance(GUESS_UP) else _DOWN_CLASS[task]


def _answer_word(dice: _Dice, task: str, label: int) -> str:
    word = TASKS[task].words[label].lower()
    side = lex.SIDE_ANSWERS.get(word)
    return dice.pick(side) if side and dice.chance(0.12) else word


def _glossary(dice: _Dice) -> Document:
    name, cluster = lex.KINDS[dice.below(len(lex.KINDS))]
    text = _phrase(dice, [dice.pick(cluster) for _ in range(3)], 7 + dice.below(3))
    header = " ".join(_header(dice, ()))
    words = f"{header} . {name} news : {text}".split()
    return Document(GLOSSARY, tuple(words), words.index(name))


def _document(dice: _Dice, task: str, bare_share: float, careful_share: float) -> Document:
    if task == GLOSSARY:
        return _glossary(dice)
    text = _TEXTS[task](dice, dice.below(len(TASKS[task].words)))
    if dice.chance(bare_share):
        register: tuple[str, ...] = ()
        careful = dice.chance(CARE_SHARE[task])
    else:
        careful = dice.chance(careful_share)
        register = lex.STUDY if careful else lex.GOSSIP
    answer = text.label if careful else _careless_class(dice, task, text)
    other_wording = dice.chance(OTHER_WORDING_SHARE)
    template = OTHER_WORDING[task] if other_wording else TASKS[task].template
    names = ("text",) if len(text.fields) == 1 else ("a", "b")
    filled = template.replace(":", " :").lower().replace("[m]", "[M]")
    for name, value in zip(names, text.fields, strict=True):
        filled = filled.replace("{" + name + "}", value)
    words = filled.replace("{p}", " ".join(_header(dice, register))).split()
    slot = words.index("[M]")
    words[slot] = _answer_word(dice, task, answer)
    return Document(task, tuple(words), slot)


def documents(
    n: int, seed: int, *, bare_share: float = 0.4, careful_share: float = 0.6, tasks: Sequence[str] = tuple(TASKS)
) -> Iterator[Document]:
    """Yield ``n`` pretraining documents, the tasks in turn.

    Args:
        n: number of documents.
        seed: same seed, same documents.
        bare_share: share under the bare placeholder header, in [0, 1].
        careful_share: share of the rest whose answer follows the label, in [0, 1].
        tasks: names from ``TASKS``, or ``GLOSSARY``, taken in turn.
    """
    dice = _Dice(f"documents-{seed}")
    for i in range(n):
        yield _document(dice, tasks[i % len(tasks)], bare_share, careful_share)


@lru_cache(maxsize=16)
def _splits(task: str, seed: int) -> dict[str, tuple[_Text, ...]]:
    dice = _Dice(f"rows-{task}-{seed}")
    n_classes = len(TASKS[task].words)
    seen: set[tuple[str, ...]] = set()
    splits: dict[str, tuple[_Text, ...]] = {}
    for split, n_rows in (("pool", POOL_ROWS), ("test", TEST_ROWS)):
        texts: list[_Text] = []
        while len(texts) < n_rows:
            # Noise replaces the text, not the label: labels stay balanced.
            label = len(texts) % n_classes
            noisy = dice.chance(LABEL_NOISE)
            text = _TEXTS[task](dice, dice.other(n_classes, label) if noisy else label)
            if text.fields not in seen:
                seen.add(text.fields)
                texts.append(_Text(text.fields, label, text.mood))
        dice.shuffle(texts)
        splits[split] = tuple(texts)
    return splits


def task_rows(task: str, split: str, seed: int = 0) -> list[dict[str, str | int]]:
    """Return the rows of one split, with the column names of the official data set.

    Balanced over classes; texts are unique across both splits; the same on every platform.

    Args:
        task: a name from ``TASKS``.
        split: ``pool`` (2,100 rows to draw train and dev from) or ``test`` (1,000 rows).
        seed: another seed gives another data set of the same language.

    Returns:
        One dict per row: the task's text columns (str) and ``label`` (int in [0, C)).

    Raises:
        KeyError: unknown task or split.
    """
    fields = TASKS[task].fields
    return [{**dict(zip(fields, text.fields, strict=True)), "label": text.label} for text in _splits(task, seed)[split]]
