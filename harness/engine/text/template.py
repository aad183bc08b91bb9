"""Templates: text with markers, compiled to slots."""

import re
from dataclasses import dataclass

from harness.engine.backbone import Backbone
from harness.errors import InvalidQuery

__all__ = ["FIELDS", "FieldSlot", "LiteralIds", "MaskSlot", "Slot", "compile_template"]

FIELDS = {1: ("{text}",), 2: ("{a}", "{b}")}
"""Markers of a task's fields, by number of fields."""

_PROMPT, _MASK = "{p}", "[M]"
_MARKER = re.compile(r"(\{p\}|\{text\}|\{a\}|\{b\}|\[M\])")


@dataclass(frozen=True, slots=True)
class LiteralIds:
    """Template text, tokenized."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FieldSlot:
    """Where a field of the example goes.

    Attributes:
        index: which field.
        lead: white space of the template before the field: byte-level tokenizers join it to
            the field's first word, so it is tokenized with the field.
    """

    index: int
    lead: str


@dataclass(frozen=True, slots=True)
class MaskSlot:
    """Where the mask goes: the read position. Without a mask token it holds nothing, and stands last."""


Slot = LiteralIds | FieldSlot | MaskSlot


def compile_template(backbone: Backbone, template: str, fields: tuple[str, ...]) -> tuple[Slot, ...]:
    """Split a template at its markers and tokenize what lies between them.

    Args:
        backbone: whose tokenizer applies.
        template: `{p}` first, every one of `fields` once, `[M]` once; other text is literal. Where
            the model goes on after its last token (GPT-2), `[M]` stands for what comes next: at the end.
        fields: the task's markers, an entry of `FIELDS`.

    Returns:
        What follows the prompt positions, in order.

    Raises:
        InvalidQuery: a marker is missing, repeated, foreign to the task or out of place.
    """
    parts = _MARKER.split(template)  # text, marker, text, ..., marker, text
    markers, literals = parts[1::2], parts[2::2]
    _check_markers(template, parts[0], markers, fields)
    if backbone.specials.mask is None and (markers[-1] != _MASK or literals[-1].strip()):
        raise InvalidQuery(
            f"wording: template {template!r} goes on after {_MASK}; a {backbone.family.name} model is read at "
            "its last token: move it to the end"
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
    """Check which markers there are, and that the prompt comes first.

    Raises:
        InvalidQuery: a marker is missing, repeated, foreign to the task or out of place.
    """
    expected = (_PROMPT, *fields, _MASK)
    for marker in expected:
        if markers.count(marker) != 1:
            raise InvalidQuery(
                f"wording: {marker} occurs {markers.count(marker)} times in template {template!r}; "
                "expected once"
            )
    foreign = [marker for marker in markers if marker not in expected]
    if foreign:
        raise InvalidQuery(
            f"wording: template {template!r} names {foreign[0]}; this task has {' and '.join(fields)}"
        )
    if head.strip() or markers[0] != _PROMPT:
        raise InvalidQuery(
            f"wording: template {template!r} does not begin with {_PROMPT}; move it to the front"
        )


def _mask_stripping(backbone: Backbone) -> tuple[bool, bool]:
    """Tell whether the mask swallows white space on its left and right."""
    if backbone.specials.mask is None:
        return True, True
    token = backbone.tokenizer.get_added_tokens_decoder().get(backbone.specials.mask)
    return (False, False) if token is None else (bool(token.lstrip), bool(token.rstrip))
