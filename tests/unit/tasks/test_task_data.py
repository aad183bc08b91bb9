import json
from collections import Counter

import numpy as np
import pytest

from harness.api import Split
from harness.config import load_round
from harness.errors import DataError
from harness.session.loaded_round import LoadedRound
from harness.tasks import draw_kshot, load_task_data, public_rows
from harness.tasks.sources import missing_sources
from harness.tasks.split import stratified_rows


def make_pool(n_per_class, n_classes=3):
    labels = np.tile(np.arange(n_classes), n_per_class)
    return Split(tuple((f"text {row}",) for row in range(len(labels))), labels)


def test_kshot_is_balanced_disjoint_and_depends_on_the_seed_alone():
    pool = make_pool(40)
    train, dev = draw_kshot(pool, 3, 16, seed=42)
    assert Counter(train.labels.tolist()) == Counter(dev.labels.tolist()) == {0: 16, 1: 16, 2: 16}
    assert not set(train.texts) & set(dev.texts)
    again, _ = draw_kshot(pool, 3, 16, seed=42)
    assert again.texts == train.texts
    assert draw_kshot(pool, 3, 16, seed=43)[0].texts != train.texts


def test_kshot_labels_belong_to_their_texts():
    pool = make_pool(40)
    truth = dict(zip(pool.texts, pool.labels.tolist(), strict=True))
    for split in draw_kshot(pool, 3, 8, seed=1):
        assert [truth[texts] for texts in split.texts] == split.labels.tolist()


def test_kshot_never_takes_one_text_twice():
    pool = Split(tuple((f"text {row % 10}",) for row in range(40)), np.zeros(40, np.int64))
    train, dev = draw_kshot(pool, 1, 5, seed=0)
    assert len({*train.texts, *dev.texts}) == 10


def test_kshot_from_a_small_pool_names_the_class():
    with pytest.raises(DataError, match=r"class 0 has 5 .* need 6"):
        draw_kshot(make_pool(5), 3, 3, seed=0)


def test_public_rows_are_stratified_and_seeded():
    labels = np.repeat([0, 1], [100, 300])
    mask = public_rows(labels, 0.5, seed=1)
    assert mask[labels == 0].sum() == 50
    assert mask[labels == 1].sum() == 150
    assert (public_rows(labels, 0.5, seed=1) == mask).all()
    assert (public_rows(labels, 0.5, seed=2) != mask).any()
    assert public_rows(labels, 1.0, seed=1).all()


def test_public_rows_leave_a_private_row_of_a_small_class():
    labels = np.array([0] * 10 + [1] * 2 + [2])
    for fraction in (0.1, 0.5, 0.9, 0.99):
        mask = public_rows(labels, fraction, seed=1)
        assert set(labels[mask]) == {0, 1, 2}
        assert set(labels[~mask]) == {0, 1}  # a row alone is public


@pytest.fixture
def files_task(tmp_path):
    """A round's SST-2 over local files, and the writer of those files."""

    def write(pool, test, **changes):
        for name, rows in (("pool", pool), ("test", test)):
            lines = "\n".join(json.dumps({"sentence": text, "label": label}) for text, label in rows)
            (tmp_path / f"{name}.jsonl").write_text(lines)
        update = {
            "data": f"files:{tmp_path}",
            "pool": "pool.jsonl",
            "test": "test.jsonl",
            "k_shot": 2,
            "kshot_seeds": (1,),
        }
        return load_round("toy").task[0].model_copy(update=update | changes)

    return write


POOL = [(f"good {i}", 1) for i in range(6)] + [(f"bad {i}", 0) for i in range(6)]


def test_files_load_through_datasets(files_task):
    data = load_task_data(files_task(POOL, [("fine day", 1), ("sad day", 0)]))
    assert data.test.texts == (("fine day",), ("sad day",))
    assert data.test.labels.tolist() == [1, 0]
    assert len(data.kshot[1][0]) == 4


def test_pool_rows_that_are_test_rows_are_never_drawn(files_task):
    task = files_task([*POOL, ("Fine, day!", 1)], [("fine day", 1), ("sad day", 0)], k_shot=3)
    train, dev = load_task_data(task).kshot[1]
    assert ("Fine, day!",) not in {*train.texts, *dev.texts}


def test_ready_kshot_rows_that_are_test_rows_are_refused(files_task, tmp_path):
    task = files_task(POOL, [("fine day", 1), ("sad day", 0)])
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "train.tsv").write_text("a\tpositive\nb\tpositive\nc\tnegative\nFine  DAY\tnegative\n")
    (folder / "dev.tsv").write_text("e\tpositive\nf\tpositive\ng\tnegative\nh\tnegative\n")
    ready = task.model_copy(update={"kshot_data": f"files:{tmp_path}/{{seed}}/{{split}}.tsv"})
    with pytest.raises(DataError, match=r"train row 3 is test row 0"):
        load_task_data(ready)


def test_tsv_keeps_quotation_marks_as_text(files_task, tmp_path):
    task = files_task(POOL, [("fine day", 1), ("sad day", 0)])
    (tmp_path / "train.tsv").write_text('he said ""hi""\tpositive\n"quoted\tpositive\nNA\tnegative\nnull\tnegative\n')
    (tmp_path / "dev.tsv").write_text("e\tpositive\nf\tpositive\ng\tnegative\nh\tnegative\n")
    ready = task.model_copy(update={"kshot_data": f"files:{tmp_path}/{{split}}.tsv"})
    train, _ = load_task_data(ready).kshot[1]
    assert train.texts == (('he said ""hi""',), ('"quoted',), ("NA",), ("null",))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("x", 2)], r"row 1: got label 2, expected a class number 0\.\.1"),
        ([("x", "great")], r"label 'great'"),
        ([("x", 1.7)], r"label 1\.7"),
        ([("x", 1), (None, 0)], r"row 2: got .*, expected text in"),
    ],
)
def test_bad_row_is_named(files_task, rows, message):
    with pytest.raises(DataError, match=message):
        load_task_data(files_task(POOL, rows))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.jsonl", b'{"sentence": "x", "label": 1}\n{"sentence": "y", "la'),
        ("test.tsv", b"sentence\tlabel\nx\t1\ny\t0\ttoo many\n"),
        ("test.csv", b""),
        ("test.csv", "sentence,label\ncaf\xe9,1\n".encode("latin-1")),
        ("test.parquet", b"PAR1 and no more"),
    ],
)
def test_malformed_file_is_named_with_what_is_wrong(files_task, tmp_path, name, content):
    task = files_task(POOL, [("x", 1), ("y", 0)]).model_copy(update={"test": name})
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: cannot be read as \w+: ") as caught:
        load_task_data(task)
    assert "An error occurred while generating" not in str(caught.value)


def test_missing_file_says_where_to_look(files_task):
    task = files_task(POOL, [("x", 1)], data="files:@shared/nowhere")
    with pytest.raises(DataError, match="no such file; name the shared folder with --shared or GRADFREE_SHARED"):
        load_task_data(task)
    with pytest.raises(DataError, match=r"tst\.jsonl: no such file; correct the round file"):
        load_task_data(files_task(POOL, [("x", 1)]).model_copy(update={"test": "tst.jsonl"}))


def test_missing_column_names_those_that_exist(files_task):
    with pytest.raises(DataError, match=r"no column 'review'; it has sentence, label"):
        load_task_data(files_task(POOL, [("x", 1)], fields=("review",)))


def test_digest_follows_the_rows(files_task):
    rows = [("fine day", 1), ("sad day", 0)]
    first = load_task_data(files_task(POOL, rows)).digest
    assert load_task_data(files_task(POOL, rows)).digest == first
    assert load_task_data(files_task(POOL, [*rows, ("odd day", 0)])).digest != first


def test_hub_data_load_from_the_local_cache_of_the_hub(tmp_path):
    """`hub:` goes through `datasets` as for users; the cache is filled from files, without a network."""
    import os
    import subprocess
    import sys

    source = tmp_path / "mini"
    source.mkdir()
    for split in ("train", "validation"):
        rows = [{"sentence": f"{split} {i}", "label": i % 2, "idx": i} for i in range(12)]
        rows += [{"sentence": f"{split} without label", "label": -1, "idx": 99}]
        (source / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    script = """
import pathlib, sys
from datasets import load_dataset
cache = pathlib.Path(sys.argv[2])
load_dataset(sys.argv[1], cache_dir=str(cache))
(cache / "mini").rename(cache / "owner___mini")
from harness.config import load_round
from harness.tasks import load_task_data
task = load_round("toy").task[0].model_copy(update={
    "data": "hub:owner/mini", "pool": "train", "test": "validation", "k_shot": 2, "kshot_seeds": (1,)})
data = load_task_data(task)
print(len(data.test), data.test.texts[0], len(data.kshot[1][0]))
"""
    environment = os.environ | {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(source), str(tmp_path / "cache")],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.stdout.split("\n")[0] == "12 ('validation 0',) 4", done.stderr[-2000:]


def test_a_limit_keeps_the_classes_in_proportion_even_of_sorted_data():
    labels = np.repeat([0, 1], [300, 100])
    rows = stratified_rows(labels, 40)
    assert np.bincount(labels[rows]).tolist() == [30, 10]
    assert (np.diff(rows) > 0).all()
    assert stratified_rows(labels, 400).tolist() == list(range(400))


def test_a_test_set_without_a_class_is_refused(files_task):
    with pytest.raises(DataError, match="no row of class 0"):
        load_task_data(files_task(POOL, [("fine day", 1)]))


def test_texts_of_signs_alone_are_told_apart(files_task):
    data = load_task_data(files_task([*POOL[4:], ("C++", 1), ("!!!", 1)], [("C#", 1), ("???", 0)]))
    assert len(data.kshot[1][0]) == 4


def test_the_public_digest_holds_no_test_label(files_task):
    first, second = (
        load_task_data(files_task(POOL, [("a fine day", label), ("a sad day", 1 - label)])) for label in (0, 1)
    )
    assert first.digest == second.digest
    assert first.test_digest != second.test_digest


def test_a_class_without_a_private_row_is_refused(files_task):
    rows = [("fine day", 1), ("bright day", 1), ("sad day", 0)]
    task = files_task(POOL, rows, public_fraction=0.5)
    config = load_round("toy").model_copy(update={"task": (task,)})
    with pytest.raises(DataError, match=r"at least two test rows of every class.* has one: use 1\.0"):
        LoadedRound(config).task(task.name)
    whole = config.model_copy(update={"task": (task.model_copy(update={"public_fraction": 1.0}),)})
    assert LoadedRound(whole).task(task.name).is_public.all()


@pytest.mark.parametrize("texts", [["1", "0"], ["True", "False"], ["true", "false"], ["01", "02"], ["yes", "no"]])
def test_kshot_labels_may_look_like_numbers_or_truth_values(tmp_path, files_task, texts):
    task = files_task([("a pool row", 0)], [("good fun", 1), ("no fun", 0)])
    for split in ("train", "dev"):
        lines = [f"{len(split)}{row}\t{texts[row % 2]}" for row in range(2 * task.k_shot)]  # texts too
        (tmp_path / f"8-{split}.tsv").write_text("\n".join(lines) + "\n")
    ready = {"kshot_data": f"files:{tmp_path}/{{seed}}-{{split}}.tsv", "kshot_labels": tuple(texts)}
    data = load_task_data(task.model_copy(update=ready | {"kshot_seeds": (8,)}))
    assert data.kshot[8][0].labels.tolist() == [0, 1] * task.k_shot


def test_a_file_with_nothing_in_it_is_named(tmp_path):
    (tmp_path / "pool.jsonl").write_text("")
    (tmp_path / "test.jsonl").write_text("")
    task = (
        load_round("toy")
        .task[0]
        .model_copy(update={"data": f"files:{tmp_path}", "pool": "pool.jsonl", "test": "test.jsonl"})
    )
    with pytest.raises(DataError, match=r"test\.jsonl: no rows"):
        load_task_data(task)


def test_a_shared_folder_that_is_not_there_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADFREE_SHARED", str(tmp_path / "nowhere"))
    assert missing_sources(load_round("minilm")) == [
        f"@shared: no folder {tmp_path / 'nowhere'}; name it with --shared or GRADFREE_SHARED"
    ]
    monkeypatch.setenv("GRADFREE_SHARED", str(tmp_path))
    assert f"task[0].test: no file {tmp_path}/data/tasks/sst2/test.jsonl" in "\n".join(
        missing_sources(load_round("minilm"))
    )


def test_more_prompt_tokens_than_the_toy_has_are_refused():
    config = load_round("toy")
    larger = config.model_copy(update={"model": config.model.model_copy(update={"n_prompt_tokens": 11})})
    assert missing_sources(larger) == ["model.n_prompt_tokens: got 11; the toy model has at most 10"]
