import os
import platform
from datetime import datetime

import pytest

from evergreen.errors import EvergreenError
from evergreen.lifecycle.lock import exclusive, one_replay
from evergreen.vcs import run_log
from evergreen.vcs.git import git


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evergreen", "cycle", "--as-of", "2024-04-01"])
    git("init", "--quiet")
    (tmp_path / "params.yaml").touch()
    git("add", "--all")
    git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "Begin")


def test_a_lock_names_the_command_that_holds_it():
    with exclusive(), pytest.raises(EvergreenError) as caught, exclusive():
        pass
    holder = f"`evergreen cycle --as-of 2024-04-01`, process {os.getpid()} on {platform.node()}"
    assert f"in this repository: {holder}, since {datetime.now():%Y-%m-%d} " in caught.value.message
    assert run_log.holder() is None


def test_a_replay_keeps_out_other_replays_and_no_other_command():
    with one_replay():
        with exclusive() as repaired:
            assert repaired == []
        with pytest.raises(EvergreenError, match="in this repository: a replay"), one_replay():
            pass
    with exclusive(), one_replay():
        pass
