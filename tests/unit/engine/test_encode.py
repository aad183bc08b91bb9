import numpy as np
import pytest
import small_models

from harness.engine import encode
from harness.engine.text.encode import FIELD_TOKENS
from harness.engine.text.template import FieldSlot, LiteralIds
from harness.errors import DataError, InvalidQuery


def pair_wording(backbone):
    template = small_models.PLAIN[backbone.family.name][2]
    return small_models.compile_wording(backbone, template, ("Yes", "No"), n_fields=2, n_prompt_tokens=5)


def single_wording(backbone):
    return small_models.compile_wording(backbone, "{p} . {text} [M]", ("Yes", "No"), n_fields=1, n_prompt_tokens=5)


def test_encode_reads_at_the_mask_and_counts_real_tokens(backbone, small):
    texts = small.ragged_texts(9, 2)
    encoded = encode(backbone, pair_wording(backbone), texts)
    assert len(encoded) == 9
    for row in range(9):
        ids = encoded.example_ids(row)
        if backbone.specials.mask is None:
            assert encoded.read_positions[row] == len(ids) - 1
        else:
            assert ids[encoded.read_positions[row]] == backbone.specials.mask
        framed = (ids[: backbone.family.prompt_start].tolist(), ids[len(ids) - len(backbone.specials.end) :].tolist())
        assert framed == (list(backbone.specials.start), list(backbone.specials.end))
        assert len(ids) == encoded.lengths[row]
    assert encoded.n_tokens() == encoded.lengths.sum() == len(encoded.ids)
    assert encoded.n_tokens(np.array([4, 1])) == encoded.lengths[4] + encoded.lengths[1]
    assert len(set(encoded.lengths.tolist())) > 3


def test_encode_long_pair_cuts_the_longest_field_alone(backbone):
    compiled = pair_wording(backbone)
    room = backbone.family.max_tokens - compiled.n_fixed_tokens
    short, long = backbone.token_ids(" it was good"), backbone.token_ids(" film" * 400)
    encoded = encode(
        backbone, compiled, [("it was good", "film " * 400), ("film " * 400, "it was good"), ("film " * 400,) * 2]
    )
    rest = long[: room - len(short)]
    halves = long[: room - room // 2], long[: room // 2]  # on a tie the last one is cut
    for row, pieces in enumerate([(short, rest), (rest, short), halves]):
        assert encoded.example_ids(row).tolist() == assembled(backbone, compiled, pieces)


def assembled(backbone, compiled, pieces):
    ids = [*backbone.specials.start, *compiled.placeholder_ids]
    for slot in compiled.slots:
        if isinstance(slot, LiteralIds):
            ids += slot.ids
        elif isinstance(slot, FieldSlot):
            ids += pieces[slot.index]
        elif backbone.specials.mask is not None:
            ids.append(backbone.specials.mask)
    return [*ids, *backbone.specials.end]


def test_encode_field_is_cut_to_256_tokens_even_where_the_model_reads_more(backbone, monkeypatch):
    roomy = type(backbone)(
        family=_Roomy(backbone.family, 1000),
        **{
            name: getattr(backbone, name)
            for name in ("model", "tokenizer", "specials", "unknown_id", "source", "revision")
        },
    )
    compiled = single_wording(roomy)
    length = encode(roomy, compiled, [("film " * 400,)]).lengths[0]
    assert length == compiled.n_fixed_tokens + FIELD_TOKENS


class _Roomy:
    """A family that reads longer inputs."""

    def __init__(self, family, max_tokens):
        self._family, self.max_tokens = family, max_tokens

    def __getattr__(self, name):
        return getattr(self._family, name)


def test_encode_template_that_fills_the_model_leaves_empty_fields(backbone):
    specials = backbone.specials
    others = len(specials.start) + 5 + (specials.mask is not None) + len(specials.end)
    words = backbone.family.max_tokens - others
    template = "{p} {text}" + " film" * words + " [M]"
    compiled = small_models.compile_wording(backbone, template, ("Yes", "No"), n_fields=1, n_prompt_tokens=5)
    assert compiled.n_fixed_tokens == backbone.family.max_tokens
    encoded = encode(backbone, compiled, [("it was good",)])
    assert encoded.lengths.tolist() == [backbone.family.max_tokens]


@pytest.mark.parametrize("texts", [[], [("one", "two")], [("fine",), ()]])
def test_encode_wrong_examples_are_refused(backbone, texts):
    with pytest.raises(DataError):
        encode(backbone, single_wording(backbone), texts)


@pytest.mark.parametrize("rows", [[], [0, 0], [0, 3], [-1], [0.5], [[0], [1]], [True, False, True]])
def test_select_wrong_rows_are_refused(backbone, rows):
    encoded = encode(backbone, single_wording(backbone), [("a",), ("b",), ("c",)])
    with pytest.raises(InvalidQuery, match="rows"):
        encoded.select(np.array(rows))


def test_select_keeps_the_order_and_none_means_all(backbone):
    encoded = encode(backbone, single_wording(backbone), [("a",), ("b",), ("c",)])
    assert encoded.select(np.array([2, 0], dtype=np.int32)).tolist() == [2, 0]
    assert encoded.select(None).tolist() == [0, 1, 2]
