"""What of a round file everybody may read."""

import json

from harness.store.public_rules import public_rules
from sample_arena import sample_round


def test_rules_tell_from_when_on_things_are_seen_and_whether_prompts_are_turned():
    rules = json.loads(sample_round().rules_json)
    rules["round"]["rotation"] = "secret"
    rules["visibility"]["logs"] = "closed"
    shown = public_rules(json.dumps(rules))
    assert shown["visibility"] == {"scores": "open", "curves": "published", "logs": "closed"}
    assert shown["round"]["rotation"] == "secret"
