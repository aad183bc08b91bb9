"""One fixed arena gives the facts that were recorded before, and an export made before still verifies."""

import json
import shutil

import pytest
from fixed_arena import differences, make_arena


@pytest.mark.slow
def test_the_fixed_arena_gives_the_recorded_facts(repository, tmp_path):
    expected = json.loads((repository / "tests" / "support" / "fixed_arena.json").read_text())
    found = make_arena(tmp_path / "fixed")
    # Bits are compared under the numeric profile of the record, elsewhere numbers to 1e-3.
    is_bitwise = found["profile"] == expected["profile"]
    print("compared bit for bit" if is_bitwise else "another numeric profile: compared to 1e-3")
    assert differences(expected, found, is_bitwise=is_bitwise) == []


def test_an_export_made_earlier_verifies(cli, repository):
    shutil.copy(repository / "tests" / "support" / "fixed_arena_export.zip", cli.folder / "earlier.zip")
    facts = json.loads((repository / "tests" / "support" / "fixed_arena.json").read_text())
    assert cli.json("round", "verify", "earlier.zip") == facts["verified"]
    assert facts["verified"]["ok"] is True


def test_a_changed_fact_is_named():
    expected = {"a": [1.0, {"b": "x"}], "c": None, "response": "1"}
    assert differences(expected, expected) == []
    found = {"a": [1.0, {"b": "y"}], "d": None, "response": "2"}
    assert differences(expected, found) == [
        "/c: only before", "/d: only now", "/a/1/b: 'x', now 'y'", "/response: '1', now '2'",
    ]  # fmt: skip
    assert differences({"a": 1.0}, {"a": 1.0005}) != []
    assert differences({"a": 1.0, "response": "1"}, {"a": 1.0005, "response": "2"}, is_bitwise=False) == []
    assert differences({"a": 1.0}, {"a": 1.002}, is_bitwise=False) != []
