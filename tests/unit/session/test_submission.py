import stat
import zipfile

import pytest

from harness.errors import InvalidSubmission, UsageError
from harness.session.submission import read_submission

MANIFEST = 'name = "mine"\nentry = "solver:Mine"\n'
FILES = {"solver.toml": MANIFEST, "solver.py": "class Mine: ...\n"}
LIMIT = 65536
MANIFEST_NAME = r"solver\.toml"


def make_folder(path, files=FILES):
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def make_zip(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_folder_and_zip_of_the_same_files_have_one_digest(tmp_path):
    folder = make_folder(tmp_path / "a")
    archive = make_zip(tmp_path / "a.zip")
    wrapped = make_zip(tmp_path / "b.zip", {f"top/{name}": text for name, text in FILES.items()})
    digests = {read_submission(path, LIMIT).digest for path in (folder, archive, wrapped)}
    assert len(digests) == 1


def test_a_changed_byte_changes_the_digest(tmp_path):
    first = read_submission(make_folder(tmp_path / "a"), LIMIT).digest
    changed = FILES | {"solver.py": "class Mine: ..  \n"}
    assert read_submission(make_folder(tmp_path / "b", changed), LIMIT).digest != first


def test_hidden_files_and_caches_are_left_out(tmp_path):
    folder = make_folder(tmp_path, FILES | {".git/config": "x", "__pycache__/a.pyc": "x", ".env": "secret"})
    assert set(read_submission(folder, LIMIT).files) == set(FILES)


def test_a_manifest_may_begin_with_the_mark_of_its_encoding(tmp_path):
    folder = make_folder(tmp_path / "s", {"solver.toml": "\ufeff" + MANIFEST, "solver.py": ""})
    assert read_submission(folder, LIMIT).manifest.entry == "solver:Mine"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"solver.py": ""}, "no solver.toml"),
        ({"inner/deep/solver.toml": MANIFEST, "a.py": ""}, "it lies at inner/deep/solver.toml"),
        ({"solver.toml": "name = "}, "not valid TOML"),
        ({"solver.toml": 'name = "x"\n'}, "entry: missing \\(required\\)"),
        ({"solver.toml": MANIFEST + 'colour = "red"\n', "solver.py": ""}, "colour: unknown key, remove it"),
        (
            {"solver.toml": MANIFEST.replace("solver:Mine", "solver.py:Mine"), "solver.py": ""},
            "there is solver.py, solver.toml; write the module without .py",
        ),
        (
            {"solver.toml": MANIFEST.replace("solver:Mine", "solver.Mine"), "solver.py": ""},
            'entry: expected "MODULE:CLASS"',
        ),
        ({"solver.toml": MANIFEST}, "needs the file solver.py"),
        ({"solver.toml": MANIFEST + 'api = "2"\n', "solver.py": ""}, "expected '1'"),
        ({"solver.toml": MANIFEST, "solver.py": "x" * LIMIT}, "more than 65536 bytes"),
    ],
)
@pytest.mark.parametrize("maker", ["folder", "zip"])
def test_bad_submission_says_what_to_change(tmp_path, files, message, maker):
    path = make_folder(tmp_path / "s", files) if maker == "folder" else make_zip(tmp_path / "s.zip", files)
    # A zip that is too large unpacked is refused while it is read.
    expected = "unpacks to more than 65536" if maker == "zip" and "more than" in message else message
    with pytest.raises(InvalidSubmission, match=expected):
        read_submission(path, LIMIT)


@pytest.mark.parametrize(
    "name", ["../solver.py", "/etc/passwd", "a\\b.py", "a/../../b.py", "weird name.py", "ü.py", "a/b/c/d/e.py", "-rf"]
)
def test_odd_file_names_are_refused(tmp_path, name):
    with pytest.raises(InvalidSubmission):
        read_submission(make_zip(tmp_path / "s.zip", FILES | {name: "x"}), LIMIT)


def test_case_twins_are_refused(tmp_path):
    with pytest.raises(InvalidSubmission, match="differ in case alone"):
        read_submission(make_zip(tmp_path / "s.zip", FILES | {"Solver.py": "x"}), LIMIT)


def test_links_are_refused_in_folder_and_zip(tmp_path):
    folder = make_folder(tmp_path / "a")
    (folder / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(InvalidSubmission, match="links"):
        read_submission(folder, LIMIT)
    linked = make_folder(tmp_path / "b")
    (linked / "inner").symlink_to(tmp_path / "a")
    with pytest.raises(InvalidSubmission, match="inner: links"):
        read_submission(linked, LIMIT)
    archive = make_zip(tmp_path / "a.zip")
    with zipfile.ZipFile(archive, "a") as handle:
        info = zipfile.ZipInfo("passwd")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        handle.writestr(info, "/etc/passwd")
    with pytest.raises(InvalidSubmission, match="links"):
        read_submission(archive, LIMIT)


def test_a_bomb_is_refused_while_it_is_read(tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as handle:
        handle.writestr("solver.toml", MANIFEST)
        handle.writestr("zeros.py", bytes(50_000_000))
    with pytest.raises(InvalidSubmission, match="unpacks to more than"):
        read_submission(archive, LIMIT)


def test_a_member_twice_is_refused(tmp_path):
    archive = make_zip(tmp_path / "s.zip")
    with zipfile.ZipFile(archive, "a") as handle, pytest.warns(UserWarning, match="Duplicate"):
        handle.writestr("solver.py", "other")
    with pytest.raises(InvalidSubmission, match="twice"):
        read_submission(archive, LIMIT)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(100)])
def test_garbage_is_not_a_readable_zip(tmp_path, content):
    path = tmp_path / "s.zip"
    path.write_bytes(content)
    with pytest.raises(InvalidSubmission, match="not a readable zip"):
        read_submission(path, LIMIT)


def test_nothing_there_is_the_callers_mistake(tmp_path):
    with pytest.raises(UsageError, match="no such folder or zip"):
        read_submission(tmp_path / "nowhere", LIMIT)


def test_written_submission_reads_back_the_same(tmp_path):
    submission = read_submission(make_folder(tmp_path / "a"), LIMIT)
    kept = submission.write_to(tmp_path / "kept")
    assert kept.name == submission.digest
    assert read_submission(kept, LIMIT) == submission
    assert submission.write_to(tmp_path / "kept") == kept


@pytest.mark.parametrize("value", ["2020-01-01", "inf", "nan", "9" * 5000, "[" * 20000, str(2**63), "{a = {b = nan}}"])
def test_params_that_cannot_travel_are_refused(tmp_path, value):
    files = FILES | {"solver.toml": f"{MANIFEST}[params]\nx = {value}\n"}
    with pytest.raises(InvalidSubmission, match=MANIFEST_NAME):
        read_submission(make_folder(tmp_path, files), LIMIT)


@pytest.mark.parametrize(
    "line",
    [
        f"x = 0x{'f' * 6000}",
        f"x = 0b{'1' * 8000}",
        "a." * 3000 + "b = 1",
        "[params." + "a." * 3000 + "b]",
        f"{'k' * 7000} = nan",
        "x = " + "[" * 3000 + "]" * 3000,
    ],
    ids=["hexadecimal", "binary", "dotted", "dotted-table", "long-key", "brackets"],
)
def test_hostile_manifest_is_refused_in_few_words(tmp_path, line):
    folder = make_folder(tmp_path, FILES | {"solver.toml": f"{MANIFEST}[params]\n{line}\n"})
    with pytest.raises(InvalidSubmission, match=MANIFEST_NAME) as caught:
        read_submission(folder, LIMIT)
    assert len(str(caught.value)) < 1000


def test_wrong_types_are_said_in_the_words_of_the_file(tmp_path):
    files = FILES | {"solver.toml": 'name = 3\nentry = "solver:Mine"\nparams = 4\n'}
    with pytest.raises(InvalidSubmission) as caught:
        read_submission(make_folder(tmp_path, files), LIMIT)
    assert "name: expected text, got 3; params: expected a table, got 4" in str(caught.value)


def test_manifest_of_many_bytes_is_not_parsed(tmp_path):
    folder = make_folder(tmp_path, FILES | {"solver.toml": f"{MANIFEST}[params]\n{'a.' * 5000}b = 1\n"})
    with pytest.raises(InvalidSubmission, match="at most 8192"):
        read_submission(folder, LIMIT)


@pytest.mark.parametrize("depth", [17, 200, 3000])
def test_params_nested_too_deep_are_refused(tmp_path, depth):
    files = FILES | {"solver.toml": f"{MANIFEST}[params]\n{'a.' * depth}a = 1\n"}
    with pytest.raises(InvalidSubmission, match=MANIFEST_NAME):
        read_submission(make_folder(tmp_path, files), LIMIT)


def test_a_zip_with_caches_and_hidden_files_is_the_same_submission_as_its_folder(tmp_path):
    litter = {"__pycache__/solver.cpython-311.pyc": "x", ".DS_Store": "x", "__MACOSX/._solver.py": "x"}
    archive = make_zip(tmp_path / "a.zip", {f"top/{name}": text for name, text in FILES.items()} | litter)
    submission = read_submission(archive, LIMIT)
    assert set(submission.files) == set(FILES)
    assert read_submission(submission.write_to(tmp_path / "kept"), LIMIT).digest == submission.digest


def test_a_file_that_is_also_a_folder_is_refused(tmp_path):
    with pytest.raises(InvalidSubmission, match="at once"):
        read_submission(make_zip(tmp_path / "s.zip", FILES | {"a": "x", "a/b": "x"}), LIMIT)


def test_writing_leaves_no_staging_behind(tmp_path):
    submission = read_submission(make_folder(tmp_path / "a"), LIMIT)
    submission.write_to(tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [submission.digest]


def test_parameters_of_the_round_go_on_top_of_the_submissions_own(tmp_path):
    from harness.config import load_round
    from harness.session.attempt import solver_params

    manifest = MANIFEST + "[params]\nstep = 1\nbatch = 2\n[rounds.toy]\nstep = 3\n"
    submission = read_submission(make_folder(tmp_path, FILES | {"solver.toml": manifest}), LIMIT)
    assert solver_params(load_round("toy"), submission, is_baseline=False) == {"step": 3, "batch": 2}
    assert solver_params(load_round("official"), submission, is_baseline=False) == {"step": 1, "batch": 2}
