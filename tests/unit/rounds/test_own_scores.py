"""A team may see its own scores before the board shows anybody's, where the round says so."""

import json

import pytest
from in_store import write
from typer.testing import CliRunner

from harness.cli.main import app
from harness.config import load_round
from harness.errors import ConfigError, UsageError
from harness.records import Phase, RunSummary, Usage, Verdict
from harness.rounds.lifecycle import create_round
from harness.rounds.own_scores import read_own_scores
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.attempts import finish_run, start_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import find_round, set_phase
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore, utc_now
from harness.store.sealed.submissions import add_submission
from harness.store.sealed.teams import add_team, find_team


def blind_round(tmp_path, visibility):
    path = tmp_path / "blind.toml"
    path.write_text(f"""
[round]
name = "blind"
version = "1.0"
[visibility]
{visibility}
[model]
source = "toy"
n_prompt_tokens = 10
[[task]]
preset = "sst2"
name = "sst2"
data = "toy"
""")
    return load_round(str(path))


@pytest.fixture
def scored(tmp_path):
    def start(visibility):
        paths = ArenaPaths(tmp_path / "arena")
        with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
            create_round(sealed, publisher, blind_round(tmp_path, visibility))
            with sealed.write() as tx:
                token = add_team(tx, "Lynx")
                add_team(tx, "Moths")
                row = SubmissionRow(team=find_team(tx, "Lynx"), name="own", digest="b" * 64, path="b" * 64)
                number = add_submission(tx, find_round(tx, "blind"), row).id
            while claim := write(sealed, claim_run, "w", 60):
                summary = RunSummary(Verdict.OK, 81.5, 99.5, Usage(calls=3), utc_now(), utc_now())
                with sealed.write() as tx:
                    finish_run(tx, claim, start_attempt(tx, claim), summary)
            publisher.publish()
        return paths, number, token

    return start


def status(paths, number, *more):
    result = CliRunner().invoke(app, ["status", str(number), "--home", str(paths.home), "--json", *more])
    return result.exit_code, result.output


def test_a_team_sees_its_own_score_while_the_board_hides_it(scored):
    paths, number, token = scored('scores = "published"\nown_scores = "open"')
    code, text = status(paths, number)
    assert code == 0
    assert {run["score"] for run in json.loads(text)["runs"]} == {None}
    code, text = status(paths, number, "--own", "--token", token)
    assert code == 0
    assert {run["score"] for run in json.loads(text)["runs"]} == {81.5}
    assert "99.5" not in text


def text_for_people(paths, *command):
    result = CliRunner().invoke(app, [*command, "--home", str(paths.home)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    ("visibility", "when", "is_own_shown"),
    [
        ('scores = "closed"', "once the round has closed", False),
        ('scores = "published"\nown_scores = "closed"', "with publication", False),
        ('scores = "published"\nown_scores = "open"', "with publication", True),
    ],
)
def test_ranking_and_status_say_when_hidden_scores_show_and_how_a_team_reads_its_own(
    scored, visibility, when, is_own_shown
):
    paths, number, token = scored(visibility)
    hidden = f"Scores are shown {when}."
    for of, text in (
        ("N", text_for_people(paths, "round", "show", "blind")),
        (number, text_for_people(paths, "status", str(number))),
    ):
        assert hidden in text
        assert (f"Your own now: gradfree status {of} --own" in text) is is_own_shown
    if is_own_shown:
        assert hidden not in text_for_people(paths, "status", str(number), "--own", "--token", token)


def test_ranking_and_status_of_a_round_that_shows_its_scores_say_nothing_of_it(scored):
    paths, number, _ = scored('scores = "open"')
    assert "Scores are shown" not in text_for_people(paths, "round", "show", "blind")
    assert "Scores are shown" not in text_for_people(paths, "status", str(number))


@pytest.mark.parametrize("token", ["", "somebody else's"])
def test_nobody_else_sees_it(scored, token):
    paths, number, _ = scored('scores = "published"\nown_scores = "open"')
    code, text = status(paths, number, "--own", "--token", token)
    assert code != 0
    assert "81.5" not in text


def test_without_a_word_of_its_own_it_shows_when_the_board_does(scored):
    paths, number, _ = scored('scores = "closed"')
    with SealedStore.open(paths) as sealed:
        with pytest.raises(UsageError, match="once it is closed"):
            read_own_scores(sealed, number)
        with sealed.write() as tx:
            set_phase(tx, find_round(tx, "blind"), Phase.CLOSED)
        assert set(read_own_scores(sealed, number).values()) == {81.5}


def test_own_scores_are_never_later_than_everybodys(tmp_path):
    with pytest.raises(ConfigError, match="expected own_scores in the same phase or an earlier one"):
        blind_round(tmp_path, 'scores = "open"\nown_scores = "closed"')


def test_a_round_that_does_not_name_it_keeps_its_digest(tmp_path):
    assert "own_scores" not in blind_round(tmp_path, 'scores = "closed"').canonical_json()
    assert "own_scores" in blind_round(tmp_path, 'scores = "closed"\nown_scores = "open"').canonical_json()
