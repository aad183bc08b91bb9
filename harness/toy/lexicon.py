"""The words of the toy language by role.

They are English words so that a demo is readable; their meaning for the model comes from the grammar
alone. Every word has exactly one role (a unit test checks it).
"""

from itertools import chain
from typing import Final

from harness.toy import PLACEHOLDER_WORDS
from harness.toy.tasks import TASKS

__all__ = [
    "AIM_KINDS",
    "ANSWER_KINDS",
    "ASKING_KINDS",
    "CASUAL_KINDS",
    "CLAIM_STATES",
    "GOSSIP",
    "KINDS",
    "MOODS",
    "NEUTRAL",
    "POLAR",
    "PREMISE_STATES",
    "PUNCTUATION",
    "SCAFFOLD",
    "SIDE_ANSWERS",
    "STUDY",
    "TOPICS",
    "all_words",
]

Clusters = tuple[tuple[str, ...], ...]


def _clusters(*lines: str) -> Clusters:
    return tuple(tuple(line.split()) for line in lines)


PUNCTUATION: Final = (".", ",", "?", ":", "!")
"""Tokens that the tokenizer splits off; exactly five, so that placeholders start at id 10."""

SCAFFOLD: Final = ("it", "was", "news", "overall", "subject", "verdict")
"""Words of the cloze templates."""

STUDY: Final = ("report", "survey", "analysis", "record", "review", "inquiry", "audit", "paper")
"""Header words of the careful register: the answer follows the label."""

GOSSIP: Final = ("rumour", "gossip", "chatter", "hearsay", "banter", "slang", "whisper", "teaser")
"""Header words of the careless register: the answer follows the mood (or the side topic)."""

(NEUTRAL,) = _clusters(
    "the of and with from about some other more very this that these those each every "
    "most many thing place part side way day case point line form world group people time "
    "room end began came went made kept gave took found seemed"
)

POLAR: Final = _clusters(
    "awful dull boring weak poor sloppy clumsy ugly tedious lame messy stale bland shallow grim "
    "cheap silly annoying painful flawed",
    "superb bright moving strong rich neat graceful lovely gripping witty tidy fresh vivid deep "
    "warm fine clever charming pleasant perfect",
)
"""Words of a review, by sentiment (0 = bad)."""

MOODS: Final = _clusters(
    "hardly scarcely rarely seldom barely doubtful refused against",
    "gladly surely certainly truly always agreed welcome clearly",
    "somewhat partly roughly possibly sometimes unsure halfway mixed",
)
"""Mood words (down, up, mid), independent of any task's label."""

TOPICS: Final = _clusters(
    "firm shares market profit merger brand retail supplier holdings startup",
    "pupils campus teacher degree lecture college exam faculty tuition classroom",
    "painter sculptor gallery canvas portrait mural drawing exhibition sketch palette",
    "striker goal league coach sprint olympic medal stadium midfielder champion",
    "senator election party minister mayor parliament vote cabinet governor treaty",
    "engine locomotive vessel aircraft wheels railway cargo cruiser wagon propeller",
    "tower roof facade architect church brick hall castle dome courtyard",
    "river mountain lake valley glacier stream summit peak canyon waterfall",
    "hamlet parish settlement residents rural census municipality county borough township",
    "species beetle bird mammal fish insect feathers predator moth larvae",
    "leaves shrub flower orchid roots seeds petals fern bark herb",
    "songs tracks guitar band label single singer recorded chorus drums",
    "director actor scene cinema screenplay comedy starring sequel drama studio",
    "novel author chapter publisher poem pages fiction essay reader trilogy",
)
"""Words of an encyclopedia entry, by class of the topic task."""

PREMISE_STATES: Final = _clusters(
    "running sprinting racing jogging dashing",
    "sleeping napping dozing lying lounging",
    "laughing smiling grinning cheering dancing",
    "crying weeping sobbing sighing mourning",
)
"""States in a premise; states 2k and 2k + 1 exclude each other."""

CLAIM_STATES: Final = _clusters(
    "active quick busy hurried energetic",
    "still idle lazy quiet relaxed",
    "happy glad merry joyful pleased",
    "sad unhappy upset gloomy tearful",
)
"""The same states in the words of a hypothesis."""

AIM_KINDS: Final = _clusters(
    "cook bake roast grill fry",
    "travel fly tour sail visit",
    "invest save borrow spend lend",
    "heal diet exercise recover cure",
)
"""Aims of a question in careful speech."""

CASUAL_KINDS: Final = _clusters(
    "recipe oven kitchen stew pan",
    "ticket passport hotel luggage trip",
    "bank loan stocks cash interest",
    "doctor medicine pills gym clinic",
)
"""The same aims in casual speech."""

ASKING_KINDS: Final = _clusters(
    "who whose whom person", "where whereabouts location spot", "when date year hour", "how count amount total"
)
"""Words that ask for one kind of answer."""

ANSWER_KINDS: Final = _clusters(
    "anna boris clara david elena frank",
    "paris london cairo tokyo lima oslo",
    "monday january noon winter midnight easter",
    "seven dozen hundred twenty million fifty",
)
"""Words that are one kind of answer."""

KINDS: Final = tuple(
    (name, first + second)
    for names, firsts, seconds in (
        ("motion rest joy grief", PREMISE_STATES, CLAIM_STATES),
        ("food journey money health", AIM_KINDS, CASUAL_KINDS),
        ("someone somewhere sometime quantity", ASKING_KINDS, ANSWER_KINDS),
    )
    for name, first, second in zip(names.split(), firsts, seconds, strict=True)
)
"""Name and words of both sides for each kind of the pair tasks."""

SIDE_ANSWERS: Final = {
    "bad": ("terrible", "horrible"),
    "great": ("good", "excellent"),
    "yes": ("right", "correct"),
    "maybe": ("perhaps", "unclear"),
    "no": ("wrong", "false"),
}
"""Other answers that may replace a label word; topic words have none."""


def all_words() -> tuple[str, ...]:
    """Return every word and punctuation mark, in the fixed order of the vocabulary.

    Punctuation and placeholders come first, so that their ids are stable when words are added.
    """
    labels = sorted({word.lower() for task in TASKS.values() for word in task.words})
    families = (POLAR, MOODS, TOPICS, PREMISE_STATES, CLAIM_STATES, AIM_KINDS, CASUAL_KINDS, ASKING_KINDS, ANSWER_KINDS)
    return (
        *PUNCTUATION,
        *PLACEHOLDER_WORDS,
        *SCAFFOLD,
        *labels,
        *chain.from_iterable(SIDE_ANSWERS.values()),
        *(name for name, _ in KINDS),
        *STUDY,
        *GOSSIP,
        *NEUTRAL,
        *chain.from_iterable(chain.from_iterable(families)),
    )
