"""What of a round file everybody may read."""

from sample_arena import sample_round

from harness.config import VisibilityConfig
from harness.store.public.rules import public_rules


def test_rules_tell_from_when_on_things_are_seen_and_whether_prompts_are_turned():
    config = sample_round()
    about = config.round.model_copy(update={"rotation": "secret"})
    config = config.model_copy(update={"round": about, "visibility": VisibilityConfig(logs="closed")})
    shown = public_rules(config)
    assert shown["visibility"] == {"scores": "open", "curves": "published", "logs": "closed"}
    assert shown["round"]["rotation"] == "secret"
