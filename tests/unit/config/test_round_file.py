from datetime import UTC, datetime

import pytest
from small_round import small_round

from harness.config import load_round, packaged_rounds, parse_rules
from harness.errors import ConfigError, InfrastructureError, UsageError
from harness.metrics.ranking import ScoringRule
from harness.records import Phase

GOOD = """
[round]
name = "mine"
version = "1.0"
[model]
source = "toy"
n_prompt_tokens = 10
[[task]]
preset = "sst2"
name = "sst2"
data = "toy"
"""


@pytest.fixture
def write(tmp_path):
    def writer(text):
        path = tmp_path / "round.toml"
        path.write_text(text)
        return str(path)

    return writer


@pytest.mark.parametrize("name", packaged_rounds())
def test_packaged_round_is_valid_and_holds_the_five_tasks(name):
    config = load_round(name)
    assert [task.name for task in config.task] == ["sst2", "dbpedia", "snli", "qqp", "qnli"]
    assert [len(task.label_names) for task in config.task] == [2, 14, 3, 2, 2]
    assert [task.metric for task in config.task] == ["accuracy", "f1_macro", "f1_macro", "accuracy", "accuracy"]


def test_official_round_has_the_competition_budgets_and_seeds():
    tasks = {task.name: task for task in load_round("official").task}
    assert {name: task.budget_calls for name, task in tasks.items()} == {
        "sst2": 3000, "dbpedia": 3000, "snli": 8000, "qqp": 8000, "qnli": 8000,
    }  # fmt: skip
    assert tasks["sst2"].kshot_seeds == tasks["snli"].kshot_seeds == (8, 13, 42, 50, 60)
    assert (
        tasks["dbpedia"].kshot_seeds == tasks["qqp"].kshot_seeds == tasks["qnli"].kshot_seeds == (8, 42, 50, 100, 717)
    )
    assert {name: task.k_shot for name, task in tasks.items()} == {
        "sst2": 16, "dbpedia": 8, "snli": 16, "qqp": 16, "qnli": 16,
    }  # fmt: skip


def test_every_bad_field_is_reported_at_once(write):
    text = GOOD.replace('"mine"', '"Not A Name"').replace('"toy"\nn_prompt', '"nowhere"\nn_prompt')
    text += 'budget_calls = 0\ntemplate = "{p} {text}"\nsurprise = 1\n[limits]\nsolver_s = -1.0\n'
    with pytest.raises(ConfigError) as caught:
        load_round(write(text))
    where = " ".join(caught.value.problems)
    for field in ("round.name", "model.source", "budget_calls", "template", "surprise", "limits.solver_s"):
        assert field in where
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('words = ["bad"]', "task[0].words"),
        ('words = ["a", "b", "c"]', "3 entries for 2 label_names"),
        ("kshot_seeds = [1, 1]", "repeats [1]"),
        ('upload_label_order = ["negative", "negative"]', "every label name once"),
        ('preset = "sst3"', "expected one of sst2"),
        ('metric = "bleu"', "task[0].metric: got 'bleu', expected 'accuracy' or 'f1_macro'"),
        ('kind = "dialogue"', "task[0].kind: got 'dialogue', expected 'classification'"),
        ("public_fraction = 0.0", "public_fraction"),
    ],
)
def test_bad_task_names_field_and_expectation(write, change, message):
    key = change.partition(" ")[0]
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{key} ")) + "\n" + change
    with pytest.raises(ConfigError) as caught:
        load_round(write(text))
    assert message in str(caught.value)


def test_times_need_an_offset(write):
    with pytest.raises(ConfigError, match="timezone"):
        load_round(write(GOOD.replace('version = "1.0"', 'version = "1.0"\nopens = 2026-01-01T00:00:00')))


def test_broken_toml_is_a_config_error_not_a_traceback(write):
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_round(write("[round\n"))


def test_unknown_round_names_the_packaged_ones():
    with pytest.raises(UsageError, match="minilm, official, toy"):
        load_round("tpy")


def test_digest_depends_on_rules_and_not_on_layout(write):
    first = load_round(write(GOOD)).digest()
    assert load_round(write(GOOD.replace("\n[model]", "\n\n# a comment\n[model]"))).digest() == first
    assert load_round(write(GOOD + "budget_calls = 7\n")).digest() != first


@pytest.mark.parametrize("config", [*map(load_round, packaged_rounds()), small_round()], ids=lambda c: c.name)
def test_stored_json_gives_back_the_same_rules(config):
    again = parse_rules(config.canonical_json(), config.digest())
    assert again == config
    assert again.digest() == config.digest()
    assert parse_rules(config.canonical_json(), config.digest()) is again


def test_naming_the_default_kind_changes_no_digest(write):
    named = load_round(write(GOOD + 'kind = "classification"\n'))
    assert named.task[0].kind == "classification"
    assert named.digest() == load_round(write(GOOD)).digest()


def test_packaged_rounds_keep_their_digests():
    digests = {name: load_round(name).digest()[:12] for name in ("toy", "official")}
    assert digests == {"toy": "4a0f20fda0ef", "official": "1f4e3a04634a"}


@pytest.mark.parametrize(
    ("rules", "digest", "message"),
    [
        ("", "a" * 64, "cannot be read"),
        ('{"round":{}}', "a" * 64, "round.name: missing"),
        (small_round().canonical_json(), "a" * 64, "expected aaaaaaaaaaaa"),
        (small_round(version="1.1").canonical_json(), small_round().digest(), "toy 1.1 have digest"),
    ],
)
def test_stored_rules_that_cannot_be_trusted_are_an_internal_error(rules, digest, message):
    with pytest.raises(InfrastructureError, match=message):
        parse_rules(rules, digest)


def test_a_round_answers_what_the_store_asks():
    config = small_round(
        ("sst2", "accuracy", 40, (8, 13)),
        title="A round",
        opens=datetime(2026, 3, 1, tzinfo=UTC),
        closes=datetime(2026, 4, 1, tzinfo=UTC),
        max_submissions=9,
        rule="Force_Last",
        teams="registered",
        test_labels="sealed",
        visibility={"scores": "closed", "own_scores": "open", "logs": "published"},
    )
    assert (config.name, config.version, config.title_or_name) == ("toy", "1.0", "A round")
    assert config.round.rule is ScoringRule.FORCE_LAST
    assert (config.is_registered_only, config.is_practice) == (True, False)
    assert (config.scores_from, config.own_scores_from) == (Phase.CLOSED, Phase.OPEN)
    assert (config.curves_from, config.logs_from) == (Phase.PUBLISHED, Phase.PUBLISHED)
    assert config.task[0].has_private_rows
    plain = small_round(public_fraction=1.0)
    assert plain.title_or_name == "toy"
    assert plain.round.rule is ScoringRule.FORCE_BEST
    assert (plain.is_registered_only, plain.is_practice) == (False, True)
    assert (plain.scores_from, plain.own_scores_from) == (Phase.OPEN, Phase.OPEN)
    assert not plain.task[0].has_private_rows


SEALED = GOOD.replace('version = "1.0"', 'version = "1.0"\ntest_labels = "sealed"')


def test_sealed_labels_need_data_that_nobody_has_private_rows_and_hidden_curves(write, tmp_path):
    own = SEALED.replace('data = "toy"', f'data = "files:{tmp_path}"\nfields = ["text"]')
    assert load_round(write(own)).round.test_labels == "sealed"
    for text, problem in (
        (SEALED, "task sst2: data = 'toy' is public"),
        (SEALED.replace('"toy"\n', '"hub:nyu-mll/glue:sst2"\n'), "task sst2: data = 'hub:nyu-mll/glue:sst2' is public"),
        (own + "public_fraction = 1.0\n", "public_fraction = 1 leaves no row for the final score"),
        (own + '[visibility]\ncurves = "open"\n', "shows a submission many test scores"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_round(write(text))
        assert problem in str(caught.value), problem
        # The same is fine where scores are practice.
        assert load_round(write(text.replace('"sealed"', '"public"'))).round.test_labels == "public"


def test_preset_of_a_family_changes_template_and_words_alone(write):
    plain = load_round(write(GOOD)).task[0]
    own = load_round(write(GOOD.replace('preset = "sst2"', 'preset = "sst2-gpt2"'))).task[0]
    assert (own.template, own.words) == ("{p} . {text} . The sentiment is [M]", ("negative", "positive"))
    same = {"preset": plain.preset, "template": plain.template, "words": plain.words}
    assert own.model_copy(update=same) == plain


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[task]]", "[task]", "task: got a table: write [[task]], once per task"),
        ('data = "toy"', 'data = "toy"\nfields = "text"', "fields: got 'text': expected a list, in brackets"),
        ('data = "toy"', 'data = "file:x"', 'got \'file:x\', expected "toy", "files:FOLDER" or "hub:OWNER'),
        ('source = "toy"', 'source = "toi"', 'got \'toi\', expected "toy", "path:FOLDER" or "hub:OWNER/NAME"'),
        (
            'data = "toy"',
            'data = "toy"\nkshot_data = "files:x/{seed}.tsv"',
            'expected "files:.../{seed}/{split}.tsv", with both slots',
        ),
    ],
)
def test_wrong_forms_are_told_in_words(write, old, new, message):
    with pytest.raises(ConfigError) as caught:
        load_round(write(GOOD.replace(old, new)))
    assert message in str(caught.value)
    assert "tuple" not in str(caught.value)


def test_a_round_file_may_begin_with_the_mark_of_its_encoding(write):
    assert load_round(write("\ufeff" + GOOD)).name == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = " + "1" * 5000, "not valid TOML"),
        ("x = " + "[" * 3000, "not valid TOML"),
        (GOOD + "[solver_params.bbt]\nsigma = nan", "solver_params: bbt.sigma is nan; expected a finite number"),
        (GOOD + "[solver_params.bbt]\nwhen = 2026-01-01", "solver_params: bbt.when is a date; expected text"),
        (
            GOOD + '[[task]]\npreset = "sst2"\nname = "other"\ndata = "toy"',
            "task: got upload_name ['SST-2', 'SST-2'] (default: the task's name), expected each once",
        ),
    ],
)
def test_what_no_arena_could_keep_is_refused(write, text, message):
    with pytest.raises(ConfigError) as caught:
        load_round(write(text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "section"),
    [("budget_calls", "task"), ("max_submissions", "round"), ("memory_bytes", "limits"), ("scratch_bytes", "limits")],
)
def test_numbers_that_no_database_or_process_could_hold_are_refused(write, key, section):
    text = GOOD + "[limits]\n"
    header = "[[task]]" if section == "task" else f"[{section}]"
    with pytest.raises(ConfigError, match=f"{key}: got 99999999999999999999"):
        load_round(write(text.replace(header, f"{header}\n{key} = 99999999999999999999", 1)))
