"""What commits name of DVC's data, and which commits there are."""

from datetime import date
from pathlib import Path

from evergreen.vcs.commit_data import data_commits, is_superseded, read_commits
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_files import named_md5s
from evergreen.vcs.dvc_internals import locked_md5s, open_repository, pinned_md5
from evergreen.vcs.git import git, kept_commits


def head():
    return git("rev-parse", "HEAD").strip()


def test_a_commit_names_what_dvc_tracks_in_it(repository):
    Path("params.yaml").write_text('as_of: "2024-04-01"\n')
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "Settings")
    with open_repository() as repo:
        assert read_commits([head()])[head()] == (date(2024, 4, 1), repo.tracked())


def test_settings_and_files_that_cannot_be_read_name_nothing(repository):
    for text in ("[", "as_of: someday", "- a list"):
        for name in ("params.yaml", "dvc.lock", "data/raw.dvc"):
            Path(name).write_text(text)
        git("add", "--force", "--all")
        git("commit", "--quiet", "--message", "Damage")
        assert read_commits([head()])[head()] == (None, {})


def test_paths_are_relative_to_the_root(repository):
    text = Path("data/raw.dvc").read_text()
    assert named_md5s("data/raw.dvc", text) == {"data/raw": pinned_md5(text)}
    lock = Path("dvc.lock").read_text()
    assert named_md5s("dvc.lock", lock) == {"copied.txt": locked_md5s(lock)["copied.txt"]}


def test_commits_of_data_are_found_on_every_branch(repository):
    first = head()
    git("switch", "--quiet", "--create", "trial")
    Path("data/raw/3.txt").write_text("three")
    dvc("add", "--quiet", "data/raw")
    git("commit", "--quiet", "--all", "--message", "More data")
    more = head()
    git("commit", "--quiet", "--allow-empty", "--message", "None")
    assert data_commits() == [more, first]
    assert is_superseded(first)
    assert not is_superseded(more)
    git("switch", "--quiet", "--detach", first)
    assert not is_superseded(more), "it is not on this branch"


def test_branches_tags_stashes_and_working_folders_keep_their_commits(repository, tmp_path):
    main, branch = head(), git("symbolic-ref", "--short", "HEAD").strip()
    kept = {}
    for name in ("tag", "plain-tag", "worktree", "remote", "own"):
        git("commit", "--quiet", "--allow-empty", "--message", name)
        kept[name] = head()
    git("tag", "--annotate", "v1", kept["tag"], "--message", "A tag")
    git("tag", "v0", kept["plain-tag"])
    git("tag", "of-a-file", f"{main}:dvc.lock")
    git("update-ref", "refs/remotes/origin/theirs", kept["remote"])
    git("update-ref", "refs/evergreen/pushed/store", kept["own"])
    git("worktree", "add", "--quiet", "--detach", str(tmp_path / "other"), kept["worktree"])
    git("reset", "--quiet", "--hard", main)
    expected = {main: branch, kept["tag"]: "v1", kept["plain-tag"]: "v0"}
    expected |= {kept["remote"]: "origin/theirs", kept["worktree"]: "a working folder"}
    assert kept_commits() == expected
    for content in ("one", "two"):
        Path("dvc.yaml").write_text(content)
        git("stash", "push", "--quiet")
        expected[git("rev-parse", "stash@{0}").strip()] = "stash"
        expected[git("rev-parse", "stash@{0}^2").strip()] = "stash"
    assert kept_commits().keys() == expected.keys()
