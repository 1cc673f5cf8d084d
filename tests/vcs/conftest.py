"""A small repository of git and DVC, with a remote."""

import shutil
from pathlib import Path

import pytest

from evergreen.vcs.dvc import dvc
from evergreen.vcs.git import git

DVC_YAML = """\
stages:
  copy:
    cmd: cp data/raw/1.txt copied.txt && echo "  copied"
    deps: [data/raw]
    outs: [copied.txt]
"""


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A repository with a pinned folder, a stage that has run, a remote, and a commit of them."""
    folder = tmp_path_factory.mktemp("recorded") / "repository"
    (folder / "data" / "raw").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "--quiet")
        git("config", "user.name", "test")
        git("config", "user.email", "test@localhost")
        dvc("init", "--quiet")
        Path("data/raw/1.txt").write_text("one")
        Path("data/raw/2.txt").write_text("two")
        Path("dvc.yaml").write_text(DVC_YAML)
        dvc("add", "--quiet", "data/raw")
        dvc("repro", "--quiet")
        dvc("remote", "add", "--quiet", "--default", "store", "../store")
        git("add", "--all")
        git("commit", "--quiet", "--message", "Record")
    return folder


@pytest.fixture
def repository(recorded, tmp_path, monkeypatch):
    """The same for a test to do with as it likes, as the current folder."""
    folder = tmp_path / "repository"
    shutil.copytree(recorded, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder
