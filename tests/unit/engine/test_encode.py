import numpy as np
import pytest

from harness.engine import compile_wording, encode
from harness.engine.encode import FIELD_TOKENS
from harness.errors import DataError, InvalidQuery

PAIR = "{p} . {a} ? [M] , {b}"


def pair_wording(backbone):
    return compile_wording(backbone, PAIR, ("Yes", "No"), n_fields=2, n_prompt_tokens=5)


def single_wording(backbone):
    return compile_wording(backbone, "{p} . {text} [M]", ("Yes", "No"), n_fields=1, n_prompt_tokens=5)


def test_encode_reads_at_the_mask_and_counts_real_tokens(backbone, small):
    texts = small.ragged_texts(9, 2)
    encoded = encode(backbone, pair_wording(backbone), texts)
    assert len(encoded) == 9
    for row in range(9):
        ids = encoded.example_ids(row)
        assert ids[encoded.read_positions[row]] == backbone.specials.mask
        assert (ids[0], ids[-1]) == (backbone.specials.start[0], backbone.specials.end[0])
        assert len(ids) == encoded.lengths[row]
    assert encoded.n_tokens() == encoded.lengths.sum() == len(encoded.ids)
    assert encoded.n_tokens(np.array([4, 1])) == encoded.lengths[4] + encoded.lengths[1]
    assert len(set(encoded.lengths.tolist())) > 3


def test_encode_long_pair_cuts_the_longest_field_alone(backbone):
    compiled = pair_wording(backbone)
    room = backbone.family.max_tokens - compiled.n_fixed_tokens
    short, long = "it was good", "film " * 400
    encoded = encode(backbone, compiled, [(short, long), (long, short), (long, long)])
    assert encoded.lengths.tolist() == [backbone.family.max_tokens] * 3
    kept = list(backbone.token_ids(" " + short))
    first, second, both = (encoded.example_ids(row).tolist() for row in range(3))
    literal = list(backbone.token_ids(" ."))
    start = 1 + 5 + len(literal)
    assert first[start : start + len(kept)] == kept
    assert second[-1 - len(kept) : -1] == kept
    # Equal fields are cut alike, to within one token.
    lengths = (encoded.read_positions[2] - start, len(both) - encoded.read_positions[2])
    assert abs(lengths[0] - lengths[1]) <= 4
    assert sum(lengths) > room
    for row in range(3):
        assert (encoded.example_ids(row) == backbone.specials.mask).sum() == 1


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
    words = backbone.family.max_tokens - 1 - 5 - 1 - 1
    template = "{p} {text}" + " film" * words + " [M]"
    compiled = compile_wording(backbone, template, ("Yes", "No"), n_fields=1, n_prompt_tokens=5)
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
