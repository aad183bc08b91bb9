"""Templates: text with markers, compiled to slots."""

import re
from dataclasses import dataclass

from harness.engine.backbone import Backbone
from harness.errors import InvalidQuery

__all__ = ["FIELDS", "FieldSlot", "LiteralIds", "MaskSlot", "Slot", "compile_template"]

FIELDS = {1: ("{text}",), 2: ("{a}", "{b}")}
"""Number of fields to the markers of a task's fields."""

_PROMPT, _MASK = "{p}", "[M]"
_MARKER = re.compile(r"(\{p\}|\{text\}|\{a\}|\{b\}|\[M\])")


@dataclass(frozen=True, slots=True)
class LiteralIds:
    """Template text, tokenized."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FieldSlot:
    """Position of a field of the example.

    Attributes:
        index: number of the field.
        lead: white space before the field in the template. It is tokenized with the field, because
            byte-level tokenizers join it to the field's first word.
    """

    index: int
    lead: str


@dataclass(frozen=True, slots=True)
class MaskSlot:
    """The read position: holds the mask token; without one it is empty and comes last."""


Slot = LiteralIds | FieldSlot | MaskSlot


def compile_template(backbone: Backbone, template: str, fields: tuple[str, ...]) -> tuple[Slot, ...]:
    """Split a template at its markers and tokenize what lies between them.

    Args:
        backbone: the model and its tokenizer.
        template: `{p}` first, each of `fields` once, `[M]` once; other text is literal. For a model
            that is read at its last token, `[M]` must be at the end.
        fields: the task's markers, an entry of `FIELDS`.

    Returns:
        The slots after the prompt positions, in order.

    Raises:
        InvalidQuery: a marker is missing, repeated, of another task or misplaced.
    """
    parts = _MARKER.split(template)  # text, marker, text, ..., marker, text
    markers, literals = parts[1::2], parts[2::2]
    _check_markers(template, parts[0], markers, fields)
    if backbone.specials.mask is None and (markers[-1] != _MASK or literals[-1].strip()):
        raise InvalidQuery(
            f"wording: template {template!r} goes on after {_MASK}; a {backbone.family.name} model is read at "
            f"its last token: move {_MASK} to the end"
        )
    mask_strips_left, mask_strips_right = _mask_stripping(backbone)
    slots: list[Slot] = []
    for before, text, after in zip(markers, literals, [*markers[1:], None], strict=True):
        literal = text.lstrip() if before == _MASK and mask_strips_right else text
        lead = ""
        if after in fields or (after == _MASK and mask_strips_left):
            stripped = literal.rstrip()
            literal, lead = stripped, literal[len(stripped) :]
        if literal:
            slots.append(LiteralIds(backbone.token_ids(literal)))
        if after == _MASK:
            slots.append(MaskSlot())
        elif after is not None:
            slots.append(FieldSlot(fields.index(after), lead))
    return tuple(slots)


def _check_markers(template: str, head: str, markers: list[str], fields: tuple[str, ...]) -> None:
    """Check the markers: each once, none of another task, the prompt first.

    Raises:
        InvalidQuery: a marker is missing, repeated, of another task or misplaced.
    """
    expected = (_PROMPT, *fields, _MASK)
    for marker in expected:
        if markers.count(marker) != 1:
            raise InvalidQuery(
                f"wording: {marker} occurs {markers.count(marker)} times in template {template!r}; expected once"
            )
    foreign = [marker for marker in markers if marker not in expected]
    if foreign:
        raise InvalidQuery(f"wording: template {template!r} names {foreign[0]}; this task has {' and '.join(fields)}")
    if head.strip() or markers[0] != _PROMPT:
        raise InvalidQuery(f"wording: template {template!r} does not begin with {_PROMPT}; move it to the front")


def _mask_stripping(backbone: Backbone) -> tuple[bool, bool]:
    """Return whether the mask token strips white space on its left and right."""
    if backbone.specials.mask is None:
        return True, True
    token = backbone.tokenizer.get_added_tokens_decoder().get(backbone.specials.mask)
    return (False, False) if token is None else (bool(token.lstrip), bool(token.rstrip))
