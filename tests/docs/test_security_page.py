"""SECURITY.md says what the attack suite shows."""


def test_table_of_layers_is_that_of_the_suite(repository):
    from attack_table import with_table

    page = (repository / "SECURITY.md").read_text()
    assert with_table(page) == page, "run `python tests/attack/attack_table.py`"


def test_every_layer_that_stops_an_attack_is_explained(repository):
    from attack_table import LAYERS

    page = (repository / "SECURITY.md").read_text()
    for layer in LAYERS:
        assert f"| {layer} |" in page, f"SECURITY.md does not explain {layer!r}"


def test_every_group_of_attacks_has_cases_and_every_case_a_layer(repository):
    from attack_table import ATTACKS, GROUPS, LAYERS

    assert {attack.group for attack in ATTACKS.values()} == GROUPS.keys()
    assert {attack.layer for attack in ATTACKS.values()} == set(LAYERS)
