"""Each state is named, and the command that ends it works as it is printed."""

import os
import subprocess
from pathlib import Path

import pytest

from evergreen.errors import EvergreenError
from evergreen.vcs.git import commit, git, merge_without_files
from evergreen.vcs.states import (
    APPROVED,
    check_cache_is_writable,
    check_state,
    merged_runs,
    way_to_a_branch,
)


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """A repository whose two branches have changed the same line; commands of ours do nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("evergreen", "dvc"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in (("NAME", "test"), ("EMAIL", "test@localhost")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    folder = tmp_path / "a shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "--quiet", "--initial-branch=trunk")
    write("first")
    git("switch", "--quiet", "--create", "other")
    write("theirs")
    git("switch", "--quiet", "trunk")
    write("ours")
    return folder


def write(text, name="params.yaml"):
    Path(name).write_text(f"{text}\n", encoding="utf-8")
    commit(text, name)


def shell(command):
    subprocess.run(["bash", "-c", command], check=True, capture_output=True)


def stuck(*command):
    """Run a command of git that stops in the middle."""
    done = subprocess.run(["git", *command], check=False, capture_output=True)
    return done.returncode


OPERATIONS = {
    "merge": (["merge", "other"], "git merge --abort && evergreen pull"),
    "rebase": (["rebase", "other"], "git rebase --abort && evergreen pull"),
    "cherry-pick": (["cherry-pick", "other"], "git cherry-pick --abort"),
    "revert": (["revert", "--no-edit", "HEAD~1"], "git revert --abort"),
    "bisection": (["bisect", "start", "HEAD", "HEAD~1"], "git bisect reset && dvc checkout"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_of_git_is_ended_by_the_command_that_is_named(name):
    command, way = OPERATIONS[name]
    check_state()
    stuck(*command)
    with pytest.raises(EvergreenError, match=f"a {name} is under way in git") as caught:
        check_state()
    assert caught.value.next_step == way
    shell(way)
    check_state()
    assert git("status", "--porcelain", "--branch") == "## trunk\n"


def test_a_merge_whose_conflicts_were_resolved_is_still_one():
    stuck("merge", "other")
    git("checkout", "--ours", "params.yaml")
    git("add", "params.yaml")
    with pytest.raises(EvergreenError, match="runs can't be merged"):
        check_state()
    shell("git merge --abort")
    check_state()


def test_patches_that_stopped_are_aborted():
    git("format-patch", "--quiet", "--output=../other.patch", "-1", "other")
    stuck("am", "../other.patch")
    with pytest.raises(EvergreenError, match="an application of patches is under way") as caught:
        check_state()
    shell(caught.value.next_step)
    check_state()


def test_conflicts_of_a_stash_are_named_with_the_command_that_drops_them():
    Path("params.yaml").write_text("ours\nmine\n", encoding="utf-8")
    git("stash", "--quiet")
    write("another")
    stuck("stash", "pop")
    with pytest.raises(EvergreenError, match=r"not resolved: params\.yaml") as caught:
        check_state()
    shell(caught.value.next_step)
    check_state()
    assert git("stash", "list")


def test_a_shallow_clone_is_completed(tmp_path, monkeypatch):
    clone = tmp_path / "clone"
    git("clone", "--quiet", "--depth=1", f"file://{Path.cwd()}", str(clone))
    monkeypatch.chdir(clone)
    with pytest.raises(EvergreenError, match="this clone is shallow") as caught:
        check_state()
    shell(caught.value.next_step)
    check_state()


def test_a_repository_without_a_commit_gets_its_first(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    check_state()  # not a repository: other messages say so
    git("init", "--quiet")
    (tmp_path / "empty" / "params.yaml").touch()
    with pytest.raises(EvergreenError, match="nothing is committed") as caught:
        check_state()
    shell(caught.value.next_step)
    check_state()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_is_trusted_by_the_command_that_is_named(repository):
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(EvergreenError, match="belongs to another user") as caught:
        check_state()
    shell(caught.value.next_step)
    check_state()


def test_a_cache_that_cannot_be_written_is_named(repository):
    check_cache_is_writable(repository / "cache")
    (repository / "file").touch()
    with pytest.raises(EvergreenError, match=r"DVC's cache can't be written: .*file"):
        check_cache_is_writable(repository / "file")


@pytest.mark.parametrize("before", [["checkout", "--quiet", "HEAD~1"], ["switch", "-q", "other"]])
def test_the_way_to_a_branch_leads_to_the_one_before(before):
    git(*before)
    shell(way_to_a_branch())
    assert git("branch", "--show-current") == "trunk\n"


def run_of(day, branch):
    """Record a run on a branch, as another clone would."""
    git("switch", "--quiet", branch)
    Path("history").mkdir(exist_ok=True)
    write(f"run of {day} on {branch}", "dvc.lock")
    write(f"run of {day}", f"history/{day}.json")
    return git("rev-parse", "HEAD").strip()


@pytest.fixture
def two_clones(tmp_path):
    """Runs of this clone on ``trunk``, which is checked out, and of another one upstream."""
    git("branch", "--quiet", "--force", "other", "trunk")
    theirs = run_of("2017-04-02", "other")
    ours = run_of("2017-04-03", "trunk")
    git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    git("remote", "add", "origin", str(tmp_path / "origin"))
    git("push", "--quiet", "--set-upstream", "origin", "other:trunk")
    git("branch", "--quiet", "--set-upstream-to=origin/trunk")
    return ours, theirs


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("strategy", ["ours", "theirs"])
def test_merged_runs_are_taken_apart_by_the_commands_that_are_named(two_clones, strategy, pushed):
    ours, theirs = two_clones
    assert merged_runs(ours) is None
    git("merge", "--quiet", "--no-edit", "-X", strategy, "other")
    if pushed:
        git("push", "--quiet", "origin", "trunk")
    error = merged_runs(ours)
    assert "has merged the runs of two clones" in error.message
    shell(error.next_step)
    assert merged_runs(ours) is None
    if pushed:
        assert git("diff", ours, "HEAD") == ""
    else:
        assert git("rev-parse", "HEAD").strip() == theirs
        assert ours in git("log", "--all", "--format=%H")


def test_merges_that_keep_the_runs_of_one_side_or_one_record_are_none_of_two_clones(two_clones):
    ours, _ = two_clones
    git("merge", "--quiet", "--no-edit", "--strategy=ours", "other")
    assert merged_runs(ours) is None
    git("reset", "--quiet", "--hard", ours)
    Path(".dvc/tmp").mkdir(parents=True)
    title = f"{APPROVED}2017-04-02, approved after later runs"
    new = merge_without_files("other", title, but=Path("history/2017-04-02.json"))
    git("reset", "--quiet", "--hard", new)
    assert Path("history/2017-04-02.json").is_file()
    assert merged_runs(ours) is None


def test_runs_after_a_merge_make_it_history(two_clones):
    git("merge", "--quiet", "--no-edit", "-X", "theirs", "other")
    assert merged_runs(run_of("2017-04-04", "trunk")) is None


def test_what_the_user_has_staged_stays_staged():
    Path("notes.txt").touch()
    git("add", "notes.txt")
    write("a run")
    assert git("status", "--porcelain") == "A  notes.txt\n"
