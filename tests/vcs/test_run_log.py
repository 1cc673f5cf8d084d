"""What a killed git or DVC left is removed if the log proves that it was ours, and only then."""

import json
import os
import time
from pathlib import Path

import pytest

from evergreen.vcs import run_log
from evergreen.vcs.commands import next_step_after, run

LOCK = Path(".git/index.lock")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".git/objects/ab").mkdir(parents=True)
    run_log.LOG.parent.mkdir(parents=True)


def killed(*command):
    """Run a command as a child, and kill it."""
    with run_log.logged(), pytest.raises(run_log.KilledError):
        run([*command], "next", {})


def kill_after(script):
    killed("sh", "-c", f"{script}; kill -9 $$")


def removed():
    return run_log.remove_left_in_git([Path(".git")], run_log.left())


def test_a_command_that_ends_leaves_no_log():
    with run_log.logged():
        run(["true"], "next", {})
        assert run_log.LOG.exists()
    assert run_log.left() is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_command_that_is_stopped_leaves_its_log_and_that_of_the_child(error, monkeypatch):
    def stop(_process):
        raise error

    monkeypatch.setattr("subprocess.Popen.communicate", stop)
    with pytest.raises(error), run_log.logged():
        run(["sh", "-c", f"touch {LOCK}; sleep 60"], "next", {})
    assert run_log.left().child == "sh -c 'touch .git/index.lock; sleep 60'"
    assert run_log.left().alive is None
    assert removed() in ([], [LOCK])


def test_a_command_that_is_stopped_while_no_child_runs_leaves_its_log():
    with pytest.raises(KeyboardInterrupt), run_log.logged():
        raise KeyboardInterrupt
    assert run_log.left().child is None


def test_the_locks_of_a_killed_child_are_removed():
    kill_after(f"touch {LOCK} .git/HEAD.lock .git/objects/ab/tmp_obj_x")
    assert removed() == [Path(".git/HEAD.lock"), LOCK]
    assert list(Path(".git").rglob("*")) == [Path(".git/objects"), Path(".git/objects/ab")]


def test_what_a_killed_helper_of_git_left_is_removed():
    left_over = Path(".git/objects/ab/tmp_obj_x")
    killed("sh", "-c", f"touch {left_over}; echo 'error: git-unpack died of signal 9' >&2; exit 1")
    assert removed() == []
    assert not left_over.exists()


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_lock_that_appeared_before_or_after_the_child_ran_is_kept(seconds):
    kill_after(f"touch {LOCK}")
    moment = time.time() + seconds
    os.utime(LOCK, (moment, moment))
    assert removed() == []
    assert LOCK.exists()


def test_a_lock_is_kept_if_no_child_was_running():
    with run_log.logged():
        run(["true"], "next", {})
        log = run_log.LOG.read_text()
    LOCK.touch()
    run_log.LOG.write_text(log)
    assert run_log.left().child is None
    assert removed() == []


def test_a_log_of_another_machine_proves_nothing():
    kill_after(f"touch {LOCK}")
    first, *rest = run_log.LOG.read_text().splitlines()
    process = json.loads(first)["process"] | {"host": "elsewhere"}
    run_log.LOG.write_text("\n".join([json.dumps({"process": process}), *rest]))
    assert run_log.left() is None


def test_a_child_that_goes_on_after_its_parent_is_found():
    with run_log.logged(), run_log.child(["sleep", "60"]) as command:
        from subprocess import Popen  # noqa: PLC0415

        with Popen(command) as process:
            while '"pid": ' + str(process.pid) not in run_log.LOG.read_text():
                time.sleep(0.01)
            assert run_log.left().alive == process.pid
            assert run_log.left().child == "sleep 60"
            process.kill()
    assert run_log.left() is None


def test_a_process_number_that_is_in_use_again_is_no_child():
    kill_after("true")
    *lines, last = run_log.LOG.read_text().splitlines()
    began = json.loads(lines[1]) | {"began": time.time() - 3600}
    mine = json.dumps({"pid": os.getpid()})
    run_log.LOG.write_text("\n".join([lines[0], json.dumps(began), mine]))
    assert json.loads(last)["pid"] != os.getpid()
    assert run_log.left().alive is None


def test_a_log_that_was_cut_off_proves_nothing():
    kill_after(f"touch {LOCK}")
    run_log.LOG.write_text(run_log.LOG.read_text()[:30])
    assert run_log.left() is None


def test_temporary_files_of_dvc_are_removed_and_others_kept():
    Path("cache").mkdir()
    theirs = Path("cache/.mine.tmp")
    left = Path("cache/.0123456789abcdefABCD_-.tmp")
    kill_after(f"touch {theirs} {left}")
    run_log.remove_left_by_dvc([Path("cache")], run_log.left())
    assert theirs.exists()
    assert not left.exists()


def test_a_lock_that_is_not_ours_is_named_with_the_way_out():
    said = "fatal: Unable to create '/shop/.git/index.lock': File exists.\n\nAnother git process"
    assert "rm -f /shop/.git/index.lock" in next_step_after(said, "git status")
