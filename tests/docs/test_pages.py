"""What the pages mention exists: commands, options, make targets, files and round keys."""

import json
import re

import pytest
import typer

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "submissions/README.md", "submissions/RULES.md", "CHANGELOG.md")


@pytest.fixture(scope="module")
def commands():
    """Command path -> its options."""
    from harness.cli.main import app

    found = {}

    def walk(command, path):
        found[path] = {option for parameter in command.params for option in getattr(parameter, "opts", [])}
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*path, name))

    walk(typer.main.get_command(app), ())
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_on_a_page_exists(repository, commands, page):
    text = (repository / page).read_text()
    mentioned = re.findall(r"gradfree ((?:[a-z][a-z-]*)(?:[^`\n#|]*))", text)
    for mention in mentioned:
        words = mention.split()
        path = ()
        while words and (*path, words[0]) in commands:
            path = (*path, words.pop(0))
        assert path, f"{page}: no command `gradfree {mention}`"
        for option in re.findall(r"--[a-z][a-z-]*", " ".join(words)):
            assert option in commands[path], f"{page}: `gradfree {' '.join(path)}` has no option {option}"


def test_every_command_is_on_the_readme(repository, commands):
    text = (repository / "README.md").read_text()
    for path in commands:
        # A command group is on the page with its commands.
        if path and not any(other[: len(path)] == path and other != path for other in commands):
            assert f"gradfree {' '.join(path)}" in text, f"README.md does not mention `gradfree {' '.join(path)}`"


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_on_a_page_exists(repository, page):
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:`|^ {4})make ([a-z-]+)", (repository / page).read_text(), re.MULTILINE):
        assert target in targets, f"{page}: no target `make {target}`"


@pytest.mark.parametrize("page", PAGES)
def test_every_path_and_link_on_a_page_exists(repository, page):
    text = (repository / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    paths = re.findall(r"`((?:harness|leaderboard|baselines|submissions|tests)/[\w./-]*)`", text)
    for link in links:
        assert ((repository / page).parent / link).exists(), f"{page}: {link}"
    missing = [path for path in paths if not (repository / path).exists()]
    assert not missing, f"{page}: {', '.join(missing)}"


def test_every_round_key_is_explained_on_the_page_of_round_files(repository):
    from harness.config import RoundConfig

    text = (repository / "harness/config/README.md").read_text()
    for section, field in RoundConfig.model_fields.items():
        model = field.annotation
        keys = getattr(model, "model_fields", None)
        if section == "task":
            from harness.config import TaskConfig

            keys = TaskConfig.model_fields
        for key in keys or ():
            assert f"`{key}`" in text, f"harness/config/README.md does not explain [{section}] {key}"


def test_the_round_on_the_page_of_round_files_can_be_created(repository, tmp_path):
    from harness.config import load_round
    from harness.rounds.lifecycle import check_round
    from harness.toy.grammar import task_rows

    page = (repository / "harness/config/README.md").read_text()
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.toml").write_text(block)
    (tmp_path / "mood").mkdir()
    for split in ("pool", "test"):
        rows = [json.dumps({"text": row["sentence"], "label": row["label"]}) for row in task_rows("sst2", split)]
        (tmp_path / "mood" / f"{split}.jsonl").write_text("\n".join(rows))
    check_round(load_round(str(tmp_path / "mine.toml")))
