import numpy as np
import pytest

from harness.api.outputs import OUTPUTS, Response, filled


def test_outputs_table_lists_the_fields_of_a_response_in_order():
    assert list(OUTPUTS) == ["logits", "features", "layer_std", "word_logits"]
    assert [name for name, output in OUTPUTS.items() if not output.has_rows] == ["layer_std"]
    assert {output.needs for output in OUTPUTS.values()} == {"", "probe_words"}


@pytest.mark.parametrize(("name", "expected"), [("features", 2 * 3 * 8 * 4), ("layer_std", 2 * 5 * 8)])
def test_output_n_bytes_multiplies_its_axes(name, expected):
    assert OUTPUTS[name].n_bytes({"P": 2, "B": 3, "D": 8, "L": 5}) == expected


def test_filled_leaves_out_what_was_not_asked():
    response = Response(word_logits=np.zeros((1, 2, 3), np.float32), logits=np.ones((1, 2, 2), np.float32))
    assert list(filled(response)) == ["logits", "word_logits"]
    assert filled(Response()) == {}
