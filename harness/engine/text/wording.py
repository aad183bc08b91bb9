"""Wordings: a template, label words and placeholder, compiled to token ids."""

from dataclasses import dataclass

from harness.engine.backbone import Backbone
from harness.engine.text.template import FIELDS, LiteralIds, Slot, compile_template
from harness.errors import InvalidQuery, UsageError
from harness.records import WordingRequest

__all__ = ["FIRST_PLACEHOLDER_ID", "CompiledWording", "compile_wording"]

FIRST_PLACEHOLDER_ID = 1000
"""First of the M consecutive token ids of the official placeholder."""


@dataclass(frozen=True, slots=True)
class CompiledWording:
    """A wording compiled for `encode` and the engine.

    Attributes:
        template: the text it was compiled from.
        mode: "add" or "cat".
        n_fields: fields of the task, 1 or 2.
        placeholder_ids: M ids at the prompt positions. In mode "cat" they are padding ids, replaced
            by the prompt's vectors.
        slots: the slots after the prompt positions, in order.
        words: the words of each class.
        class_ids: the token ids of each class's words; the class's logit is their mean.
        probe_words: further words that a query may score.
        probe_ids: their token ids.
        n_fixed_tokens: number of tokens of an input without its fields.
    """

    template: str
    mode: str
    n_fields: int
    placeholder_ids: tuple[int, ...]
    slots: tuple[Slot, ...]
    words: tuple[tuple[str, ...], ...]
    class_ids: tuple[tuple[int, ...], ...]
    probe_words: tuple[str, ...]
    probe_ids: tuple[int, ...]
    n_fixed_tokens: int


def compile_wording(
    backbone: Backbone,
    request: WordingRequest,
    *,
    n_fields: int,
    n_prompt_tokens: int,
    placeholder_ids: tuple[int, ...] | None = None,
    label_token: str = "official",  # noqa: S107 - a token of text
) -> CompiledWording:
    """Compile a wording for a model.

    Template pieces and fields are tokenized separately. The ids equal those of the formatted string
    where pieces and fields meet at white space or punctuation, as in the official templates.

    Args:
        backbone: the model whose tokenizer and limits apply.
        request: template, words, placeholder, mode and probe words. A placeholder longer than M
            tokens is cut; a shorter one is filled from the round's ids. Not with mode "cat".
        n_fields: 1 (`{text}`) or 2 (`{a}`, `{b}`).
        n_prompt_tokens: M.
        placeholder_ids: the round's own M placeholder ids; None means the M ids from
            `FIRST_PLACEHOLDER_ID` on.
        label_token: a word's token is its first id without ("official") or with ("spaced") a
            leading space.

    Raises:
        InvalidQuery: the template, the words, the placeholder or the mode cannot be used.
        UsageError: `n_fields`, `label_token` or `placeholder_ids` cannot be used.
    """
    mode, placeholder = request.mode, request.placeholder
    all_words = [word for entry in request.words for word in entry]
    for text in (request.template, placeholder or "", *all_words, *request.probe_words):
        _require_encodable(text)
    if n_fields not in FIELDS:
        raise UsageError(f"the task has {n_fields} fields; expected 1 or 2")
    if label_token not in {"official", "spaced"}:
        raise UsageError(f"model.label_token is {label_token!r}; expected official or spaced")
    if mode not in {"add", "cat"}:
        raise InvalidQuery(f"wording: mode is {mode!r}; expected add or cat")
    if mode == "cat" and placeholder is not None:
        raise InvalidQuery("wording: mode cat has no placeholder tokens; leave placeholder out, or use mode add")
    prompt_ids = _default_placeholder(backbone, placeholder_ids, n_prompt_tokens)
    if placeholder is not None:
        given = backbone.token_ids(placeholder)[:n_prompt_tokens]
        prompt_ids = given + prompt_ids[len(given) :]
    if mode == "cat":
        prompt_ids = (backbone.specials.pad,) * n_prompt_tokens
    slots = compile_template(backbone, request.template, FIELDS[n_fields])
    fixed = len(backbone.specials.start) + n_prompt_tokens + len(backbone.specials.end)
    fixed += sum(len(slot.ids) for slot in slots if isinstance(slot, LiteralIds))
    fixed += backbone.specials.mask is not None
    if fixed > backbone.family.max_tokens:
        raise InvalidQuery(
            f"wording: the template takes {fixed} tokens with {n_prompt_tokens} prompt tokens; "
            f"the model reads at most {backbone.family.max_tokens}: shorten it"
        )
    class_ids = tuple(
        tuple(_word_id(backbone, word, label_token, f"class {number}") for word in entry)
        for number, entry in enumerate(request.words)
    )
    _refuse_shared_tokens(request.words, class_ids)
    return CompiledWording(
        template=request.template,
        mode=mode,
        n_fields=n_fields,
        placeholder_ids=prompt_ids,
        slots=slots,
        words=request.words,
        class_ids=class_ids,
        probe_words=request.probe_words,
        probe_ids=tuple(_word_id(backbone, word, label_token, "probe_words") for word in request.probe_words),
        n_fixed_tokens=fixed,
    )


def _default_placeholder(
    backbone: Backbone, placeholder_ids: tuple[int, ...] | None, n_prompt_tokens: int
) -> tuple[int, ...]:
    """Return the round's placeholder ids.

    Raises:
        UsageError: the number of ids is not M, or the model cannot use one.
    """
    first = FIRST_PLACEHOLDER_ID
    ids = tuple(range(first, first + n_prompt_tokens)) if placeholder_ids is None else placeholder_ids
    if len(ids) != n_prompt_tokens:
        raise UsageError(f"Placeholder ids: got {len(ids)}, expected {n_prompt_tokens}, one per prompt token")
    reserved = backbone.specials.all_ids
    vocabulary = backbone.tokenizer.get_vocab_size()
    for number in ids:
        if not 0 <= number < vocabulary or number in reserved:
            raise UsageError(
                f"Placeholder id: got {number}, expected an id below {vocabulary} that is no special token; "
                "give the model its own placeholder ids"
            )
    return ids


def _word_id(backbone: Backbone, word: str, label_token: str, owner: str) -> int:
    """Return the token id of a word.

    Raises:
        InvalidQuery: the word is empty, begins or ends with white space, or is unknown.
    """
    if not word or word != word.strip():
        raise InvalidQuery(
            f"wording: {owner} has the word {word!r}; expected a word without white space around it "
            f"(the round reads words as {label_token!r})"
        )
    ids = backbone.token_ids(f" {word}" if label_token == "spaced" else word)
    if not ids or ids[0] == backbone.unknown_id:
        raise InvalidQuery(f"wording: {owner} has the word {word!r}, which the model's tokenizer does not know")
    return ids[0]


def _refuse_shared_tokens(words: tuple[tuple[str, ...], ...], class_ids: tuple[tuple[int, ...], ...]) -> None:
    """Check that each class has words and no token belongs to two classes.

    Raises:
        InvalidQuery: a class has no word, or two classes share a token.
    """
    if not words:
        raise InvalidQuery("wording: no words; expected at least one per class")
    owners: dict[int, tuple[int, str]] = {}
    for number, (entry, ids) in enumerate(zip(words, class_ids, strict=True)):
        if not entry:
            raise InvalidQuery(f"wording: class {number} has no word; expected at least one")
        for word, token in zip(entry, ids, strict=True):
            other, other_word = owners.setdefault(token, (number, word))
            if other != number:
                raise InvalidQuery(
                    f"wording: class {other} ({other_word!r}) and class {number} ({word!r}) share token id "
                    f"{token}; choose words whose first tokens differ"
                )


def _require_encodable(text: str) -> None:
    """Refuse lone surrogates, which tokenizers cannot read.

    Raises:
        InvalidQuery: the text is not valid Unicode.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidQuery(f"wording: {text!r} is not valid Unicode: {error.reason}") from error
