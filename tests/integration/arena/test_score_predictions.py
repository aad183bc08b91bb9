"""The real competition's upload format."""

import zipfile

import numpy as np
import pytest

from harness.config import load_round
from harness.errors import InvalidSubmission
from harness.rounds.uploads import score_predictions
from harness.tasks import load_task_data, public_rows

OFFICIAL_NAMES = {"sst2": "SST-2", "dbpedia": "DBPedia", "snli": "SNLI", "qqp": "QQP", "qnli": "QNLI"}


@pytest.fixture(scope="module")
def labels():
    return {task.name: load_task_data(task, seeds=()).test.labels for task in load_round("toy").task}


def write_zip(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def csv_of(predictions):
    return ",pred\n" + "".join(f"{row},{label}\n" for row, label in enumerate(predictions))


def perfect(labels):
    """Right answers in the upload's numbering: QNLI's numbers are the other way round."""
    return {
        f"{OFFICIAL_NAMES[name]}/{seed}.csv": csv_of(1 - truth if name == "qnli" else truth)
        for name, truth in labels.items()
        for seed in (8, 13, 42)
    }


def test_perfect_predictions_score_one_hundred_and_the_label_order_is_reported(tmp_path, labels):
    report = score_predictions(write_zip(tmp_path / "p.zip", perfect(labels)), load_round("toy"))
    assert report.total == 100.0
    assert set(report.tasks.values()) == {100.0}
    assert report.label_order["qnli"] == ("not_entailment", "entailment")
    assert report.label_order["sst2"] == ("negative", "positive")


def test_only_public_rows_count_and_scores_are_rounded(tmp_path, labels):
    config = load_round("toy")
    truth = labels["sst2"]
    is_public = public_rows(truth, config.task[0].public_fraction, config.round.seed)
    wrong_in_private = np.where(is_public, truth, 1 - truth)
    one_wrong_in_public = truth.copy()
    one_wrong_in_public[np.flatnonzero(is_public)[:7]] ^= 1
    content = perfect(labels) | {"SST-2/8.csv": csv_of(wrong_in_private), "SST-2/13.csv": csv_of(one_wrong_in_public)}
    report = score_predictions(write_zip(tmp_path / "p.zip", content), config)
    assert report.seeds["sst2"][8] == 100.0
    assert report.seeds["sst2"][13] == round(100 * (is_public.sum() - 7) / is_public.sum(), 1)


def test_every_problem_is_named_at_once(tmp_path, labels):
    content = perfect(labels)
    del content["QQP/8.csv"]
    truth = labels["sst2"]
    content |= {
        "SST-2/8.csv": csv_of(truth[:-3]),
        "SST-2/13.csv": csv_of([*truth, 0]),
        "SST-2/42.csv": csv_of(truth).replace("\n5,", "\n5,x", 1),
        "DBPedia/8.csv": csv_of(np.where(np.arange(len(labels["dbpedia"])) == 2, 14, labels["dbpedia"])),
        "DBPedia/13.csv": "pred\n0\n",
        "SNLI/8.csv": csv_of(labels["snli"]) + "0,1\n",
        "extra.csv": "x",
    }
    with pytest.raises(InvalidSubmission) as caught:
        score_predictions(write_zip(tmp_path / "p.zip", content), load_round("toy"))
    message = str(caught.value)
    for part in (
        "QQP/8.csv: missing",
        "SST-2/8.csv: too short",
        "SST-2/13.csv, line 1002: row 1000 is out of range",
        "SST-2/13.csv: too long",
        "SST-2/42.csv, line 7: class 'x",
        "DBPedia/8.csv, line 4: class 14 is out of range, expected 0..13",
        "DBPedia/13.csv: the header must be ',pred'",
        "SNLI/8.csv, line 1002: row 0 stands twice",
        "extra.csv: unexpected",
    ):
        assert part in message, (part, message)


@pytest.mark.parametrize("line", ["1", "1,1,1", "-1,0", "1.0,0", "0,1.5", "0,", "٣,0", "9" * 5000 + ",0"])
def test_an_odd_line_is_named_and_nothing_breaks(tmp_path, labels, line):
    content = perfect(labels) | {"QQP/8.csv": ",pred\n" + line + "\n"}
    with pytest.raises(InvalidSubmission, match=r"QQP/8.csv, line 2"):
        score_predictions(write_zip(tmp_path / "p.zip", content), load_round("toy"))


def test_the_command_prints_the_label_and_no_rank(tmp_path, labels):
    from typer.testing import CliRunner

    from harness.cli.main import app

    archive = write_zip(tmp_path / "p.zip", perfect(labels))
    shown = CliRunner().invoke(app, ["score-predictions", str(archive), "--round", "toy"])
    assert shown.exit_code == 0, shown.output
    assert "predictions only, calls not metered" in shown.output
    assert "0 = not_entailment, 1 = entailment" in " ".join(shown.output.split())


def test_a_round_of_the_arena_is_known_by_its_name(cli, mini_round):
    n_rows = int(mini_round.read_text().split("test_limit = ")[1].split()[0])
    archive = write_zip(cli.folder / "p.zip", {"SST-2/8.csv": csv_of([0] * n_rows)})
    by_file = cli.run("score-predictions", archive, "--round", mini_round, "--json").stdout
    done = cli.run("score-predictions", archive, "--round", "mini", expect=2)
    assert "there is no round 'mini'" in done.stderr
    cli.run("round", "create", mini_round)
    assert cli.run("score-predictions", archive, "--round", "mini", "--json").stdout == by_file
    done = cli.run("score-predictions", archive, "--round", "maxi", expect=2)
    assert "rounds: mini 1.0" in done.stderr
