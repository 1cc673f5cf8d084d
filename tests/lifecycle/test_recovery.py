"""What a kill or a power loss leaves is made good before the next command does anything."""

import os
from pathlib import Path

import pytest

from evergreen.lifecycle.lock import exclusive
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs import run_log
from evergreen.vcs.dvc_fetch import check_out
from evergreen.vcs.git import commit, git

STAGE = """\
  {name}:
    cmd: python {name}.py
    outs:
    - path: {name}.txt
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
      size: 3
"""
LOCKED = "schema: '2.0'\nstages:\n" + STAGE.format(name="first") + STAGE.format(name="second")
RAW_PIN = Path("data/raw.dvc")
PINNED = "outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  size: 3\n  nfiles: 1\n  path: raw\n"
RECORD = paths.HISTORY / "2024-04-01.json"


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "test")
    git("config", "user.email", "test@localhost")
    Path("data").mkdir()
    paths.DVC_LOCK.write_text(LOCKED)
    RAW_PIN.write_text(PINNED)
    files.write_json({"as_of": "2024-04-01"}, RECORD)
    Path(".gitignore").write_text(".dvc\n")
    commit("Begin", ".")


def repaired():
    with exclusive() as lines:
        return lines


def test_an_undisturbed_repository_is_left_alone():
    assert repaired() == []


@pytest.mark.parametrize("end", [0, 10, LOCKED.index("  second"), len(LOCKED) - 60])
def test_a_lock_that_is_cut_off_is_restored(end):
    paths.DVC_LOCK.write_text(LOCKED[:end])
    assert repaired() == ["dvc.lock was cut off by a kill; the last committed one is restored"]
    assert paths.DVC_LOCK.read_text() == LOCKED


def test_a_whole_lock_of_an_unfinished_run_is_kept():
    other = LOCKED.replace("0123", "abcd")
    paths.DVC_LOCK.write_text(other)
    assert repaired() == []
    assert paths.DVC_LOCK.read_text() == other


def test_a_lock_of_no_commit_that_is_cut_off_is_removed():
    git("rm", "--quiet", "--cached", str(paths.DVC_LOCK))
    git("commit", "--quiet", "--message", "Before the first run")
    paths.DVC_LOCK.write_text(LOCKED[:10])
    assert "dvc.lock was cut off by a kill, and is removed" in repaired()[0]
    assert not paths.DVC_LOCK.exists()


@pytest.mark.parametrize("text", ["", PINNED[:8], PINNED[:30]])
def test_a_pin_that_is_cut_off_is_restored(text):
    RAW_PIN.write_text(text)
    assert "data/raw.dvc was cut off by a kill" in repaired()[0]
    assert RAW_PIN.read_text() == PINNED


def test_an_empty_record_is_restored_or_removed():
    other = RECORD.with_name("2024-04-02.json")
    for record in (RECORD, other):
        record.write_text("")
    assert len(repaired()) == 2
    assert files.read_json(RECORD, next_step="") == {"as_of": "2024-04-01"}
    assert not other.exists()


def test_leftovers_of_a_killed_command_are_removed_and_foreign_files_kept():
    left = [Path("models/.challenger.unfinished"), Path("releases/.a.1.old.unfinished")]
    by_dvc = [Path(folder, ".0123456789abcdefABCD_-.tmp") for folder in ("data", "reports")]
    foreign = [Path("models/mine.unfinished"), Path("data/.notes.tmp"), Path(".dvc/tmp/tmpabc")]
    for folder in (*left, *foreign):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    assert repaired() == []
    assert all(folder.exists() for folder in left)  # no command of ours was killed
    with run_log.logged():
        log = run_log.LOG.read_text()
        for file in by_dvc:
            file.parent.mkdir(exist_ok=True)
            file.touch()
    run_log.LOG.write_text(log)
    [line] = repaired()
    assert line.endswith("was killed, which is made good")
    assert not any(path.exists() for path in (*left[:1], *by_dvc))
    assert all(folder.exists() for folder in foreign)


def test_what_a_process_at_work_writes_beside_the_settings_is_kept():
    mine = Path(f".scores.csv.{os.getpid()}.unfinished")
    mine.touch()
    with run_log.logged():
        log = run_log.LOG.read_text()
    run_log.LOG.write_text(log)
    assert len(repaired()) == 1
    assert mine.exists()


def test_before_the_first_run_there_is_no_data_to_check_out():
    paths.DVC_LOCK.unlink()
    check_out()


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_that_is_replaced_is_never_half_removed(can_exchange, monkeypatch):
    """A kill while the old folder is removed finds it under another name, out of the way."""
    monkeypatch.setattr(files, "_exchange", files._exchange if can_exchange else lambda *_: False)
    challenger, removed, remove = Path("models/challenger"), [], files.shutil.rmtree
    monkeypatch.setattr(
        files.shutil, "rmtree", lambda path: (removed.append(path.name), remove(path))
    )
    for name in ("a", "b"):
        with files.replacing(challenger) as unfinished:
            unfinished.mkdir()
            (unfinished / name).touch()
    assert list(challenger.iterdir()) == [challenger / "b"]
    assert challenger.name not in removed
    assert len(removed) == 1


def test_an_old_folder_is_moved_back_if_its_successor_is_not_there():
    old = Path("models/.challenger.old.unfinished")
    old.mkdir(parents=True)
    files.recover(old)
    assert Path("models/challenger").exists()
