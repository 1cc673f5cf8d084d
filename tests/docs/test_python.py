"""Every code block of docs/python.md runs, and every public name is documented."""

import inspect
import re
import shutil
from pathlib import Path

import pytest

import evergreen
from evergreen.serving.release import ServedRelease
from evergreen.settings import paths

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def published(finished):
    """A repository with settings and a release that is served."""
    finished.write_params()
    shutil.copytree(paths.PRODUCTION, paths.RELEASES / "one")
    paths.CURRENT.symlink_to("one")


def test_every_block_runs_in_order(published):
    text, names = PAGE.read_text(encoding="utf-8"), {}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), names)


def public(thing):
    return [name for name, _ in inspect.getmembers(thing) if not name.startswith("_")]


def test_every_public_name_is_shown_and_documented():
    shown = "".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    internal = {"score", "predict_array", "column_of", "check_targets"}  # for databases and servers
    for owner in (evergreen.ContinuousTrainer, ServedRelease):
        for name in set(public(owner)) - internal:
            assert f".{name}" in shown, name
            assert inspect.getdoc(getattr(owner, name)), name
    assert all(inspect.getdoc(getattr(evergreen, name)) for name in evergreen.__all__)
