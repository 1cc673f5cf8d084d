"""The checked-out branch moves whole, or what stopped it is made good by the next command."""

from pathlib import Path

import pytest

from evergreen.errors import EvergreenError
from evergreen.vcs import branch_move
from evergreen.vcs.git import commit, commit_at, git


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository on `main`, with a branch `theirs` one commit ahead."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "test")
    git("config", "user.email", "test@localhost")
    Path(".dvc/tmp").mkdir(parents=True)
    Path(".gitignore").write_text(".dvc\n")
    write("kept", "changed", "folder/gone")
    commit("Begin", ".")
    git("switch", "--quiet", "--create", "theirs")
    Path("changed").write_text("theirs")
    Path("folder/gone").unlink()
    write("new/added")
    Path("link").symlink_to("kept")
    commit("Theirs", ".")
    git("switch", "--quiet", "main")
    return tmp_path


def write(*names):
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)


def at(branch):
    return git("rev-parse", branch).strip()


def is_clean():
    return git("status", "--porcelain") == ""


def test_files_index_and_branch_are_those_of_the_commit(repository):
    branch_move.move_branch("theirs", "test")
    assert at("main") == at("theirs")
    assert is_clean()
    assert Path("changed").read_text() == "theirs"
    assert not Path("folder").exists()
    assert Path("link").is_symlink()
    assert branch_move.JOURNAL.exists()
    branch_move.complete()
    assert branch_move.resume() is None


def stopped_move(monkeypatch, number):
    """Let the n-th rename, removal or git command of a move fail, as a kill would.

    Returns whether the move was stopped.
    """
    calls = iter(range(number))

    def stopping(function):
        def call(*args, **options):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return function(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((Path, "replace"), (Path, "unlink"), (branch_move, "git")):
            patch.setattr(owner, name, stopping(getattr(owner, name)))
        try:
            branch_move.move_branch("theirs", "test")
        except KeyboardInterrupt:
            return True
    return False


def test_a_move_that_stops_anywhere_is_completed_or_has_not_begun(repository, monkeypatch):
    old, new = at("main"), at("theirs")
    number = 0
    while stopped_move(monkeypatch, number):
        if branch_move.resume() is None:
            assert at("main") == old
            assert is_clean()
            branch_move.move_branch("theirs", "test")
        assert at("main") == new
        assert is_clean()
        branch_move.complete()
        git("reset", "--quiet", "--hard", old)
        number += 1
    assert number > 10


def test_a_modified_file_stops_a_move_before_it_begins(repository):
    Path("changed").write_text("mine")
    with pytest.raises(EvergreenError, match="tracked files are modified:\n  changed"):
        branch_move.move_branch("theirs", "test")
    assert not branch_move.JOURNAL.exists()


def test_a_modified_file_that_is_the_same_in_both_commits_is_kept(repository):
    Path("kept").write_text("mine")
    with pytest.raises(EvergreenError, match="tracked files are modified:\n  kept"):
        branch_move.check_unmodified()
    branch_move.move_branch("theirs", "test")
    assert git("status", "--porcelain") == " M kept\n"


def test_an_untracked_file_in_the_way_stops_a_move_before_it_begins(repository):
    Path("new").mkdir()
    Path("new/added").write_text("mine")
    with pytest.raises(EvergreenError, match="new/added"):
        branch_move.move_branch("theirs", "test")
    assert Path("new/added").read_text() == "mine"
    assert Path("changed").read_text() == "changed"


def test_a_file_that_was_edited_after_a_move_was_stopped_is_kept(repository, monkeypatch):
    stopped_move(monkeypatch, 10)
    Path("changed").write_text("mine")
    with pytest.raises(EvergreenError, match="changed"):
        branch_move.resume()
    assert Path("changed").read_text() == "mine"


def test_a_journal_of_a_branch_that_moved_otherwise_is_dropped(repository, monkeypatch):
    stopped_move(monkeypatch, 8)
    git("reset", "--quiet", "--hard", "theirs")
    write("more")
    commit("More", "more")
    assert branch_move.resume() is None
    assert not branch_move.JOURNAL.exists()


def test_own_commits_are_replayed_aside_without_touching_files(repository):
    write("mine")
    commit("Mine", "mine")
    mine = at("HEAD")
    Path("changed").write_text("mine")
    commit("Conflicting", "changed")
    conflicting = at("HEAD")
    new, left_out = branch_move.replay_commits("theirs", [mine, conflicting])
    assert left_out == [conflicting]
    assert git("log", "--format=%s", f"theirs..{new}").split() == ["Mine"]
    assert at("HEAD") == conflicting
    assert is_clean()
    assert git("worktree", "list").count("\n") == 1


def test_a_commit_whose_changes_are_there_already_is_skipped(repository):
    Path("changed").write_text("theirs")
    commit("The same", "changed")
    new, left_out = branch_move.replay_commits("theirs", [at("HEAD")])
    assert (new, left_out) == (at("theirs"), [])


def test_what_a_killed_replay_left_is_removed(repository):
    git("worktree", "add", "--quiet", "--detach", str(branch_move.WORKTREE), "theirs")
    new, _ = branch_move.replay_commits("theirs", [])
    assert new == at("theirs")
    assert commit_at("refs/heads/main") != new
    assert not branch_move.WORKTREE.exists()
