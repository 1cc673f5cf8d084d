import re
from pathlib import Path

import pytest

from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import dvc

SRC = Path(__file__).parents[2] / "src"


def test_the_cause_of_a_failure_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dvc("init", "--no-scm")
    with pytest.raises(CommandError, match="output 'missing' does not exist"):
        dvc("add", "missing")


def test_no_command_of_dvc_is_silenced():
    """With ``--quiet``, DVC fails without a word."""
    for path in SRC.rglob("*.py"):
        assert not re.search(r"\bdvc\([^)]*--quiet", path.read_text(encoding="utf-8")), path
