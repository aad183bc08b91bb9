import numpy as np
import pytest

from harness.engine.tunables import TUNABLES
from harness.errors import InvalidQuery

L, M, D = 3, 5, 8
PROMPT = TUNABLES["prompt"](L, M, D, 1)


def values(*shape, dtype=np.float32):
    return np.ones(shape, dtype=dtype)


def check(array, layer=None, base=None, mode="add"):
    return PROMPT.check(array, layer=layer, base=base, mode=mode)


def spoilt(value):
    array = values(2, L, M, D)
    array[1, 2, 3, 4] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"array": values(2, L, M, D, dtype=np.float64)}, "values: float64; expected a float32"),
        ({"array": [[1.0]]}, "values: list; expected a float32"),
        ({"array": values(2, M, D)}, r"shape \(2, 5, 8\); expected \(P, 3, 5, 8\)"),
        ({"array": values(0, L, M, D)}, r"shape \(0, 3, 5, 8\); expected"),
        ({"array": values(2, L, M, D + 1)}, "expected"),
        ({"array": values(2, L, M, D), "layer": 1}, r"expected \(P, 5, 8\)"),
        ({"array": values(2, M, D), "layer": 3}, "layer: 3; expected a whole number, 0 <= layer < 3"),
        ({"array": values(2, M, D), "layer": -1}, "layer: -1"),
        ({"array": values(2, M, D), "layer": True}, "layer: True"),
        ({"array": values(2, M, D), "layer": 1.0}, "layer: 1.0"),
        ({"array": values(2, M, D), "layer": 1, "base": values(M, D)}, r"base: shape \(5, 8\); expected \(3, 5, 8\)"),
        ({"array": values(2, L, M, D), "base": values(L, M, D)}, "base: given without layer"),
        ({"array": spoilt(np.nan)}, "NaN"),
        ({"array": spoilt(np.inf)}, "infinite"),
        ({"array": spoilt(-np.inf)}, "infinite"),
        ({"array": spoilt(1.001e4)}, "10010"),
        ({"array": spoilt(-1.001e4)}, "-10010"),
        ({"array": values(2, M, D), "layer": 1, "base": spoilt(np.nan)[1]}, "base: NaN"),
    ],
)
def test_values_malformed_are_refused(arguments, says):
    with pytest.raises(InvalidQuery, match=says):
        check(**arguments)


def test_values_at_the_bound_pass():
    assert check(spoilt(1e4)).values[1, 2, 3, 4] == 1e4
    assert check(spoilt(-1e4)).layer is None
    assert check(values(1, M, D), layer=np.int64(2), base=values(L, M, D)).layer == 2


@pytest.mark.parametrize("layer", [None, 0, 1])
def test_values_of_mode_cat_above_layer_0_are_refused(layer):
    base = None
    array = values(2, L, M, D)
    if layer is not None:
        array, base = values(2, M, D), values(L, M, D)
    with pytest.raises(InvalidQuery, match="mode cat"):
        check(array, layer, base, mode="cat")


def test_values_of_mode_cat_at_layer_0_pass():
    array = values(2, L, M, D)
    array[:, 1:] = 0
    check(array, mode="cat")
    check(values(2, M, D), 0, mode="cat")
    check(np.zeros((2, M, D), np.float32), 1, array[0], mode="cat")


def test_prompts_at_gives_each_layer_its_values():
    array, base = values(4, M, D), np.arange(L * M * D, dtype=np.float32).reshape(L, M, D)
    prompts = check(array, 1, base)
    assert prompts.n_shared_layers == 1
    assert prompts.at(1, slice(1, 3)).shape == (2, M, D)
    np.testing.assert_array_equal(prompts.at(2, slice(1, 3)), base[None, 2])
    assert check(array, 1).at(0, slice(0, 1)) is None
    assert check(values(4, L, M, D)).n_shared_layers == 0


def test_check_base_names_the_expected_shape():
    PROMPT.check_base(values(L, M, D))
    with pytest.raises(InvalidQuery, match=r"prompt: shape \(2, 5, 8\); expected \(3, 5, 8\)"):
        PROMPT.check_base(values(2, M, D))
