"""A file is read once for its digest, as long as nobody changes it."""

import os
import time
from pathlib import Path

import pytest

from evergreen.settings import paths
from evergreen.store import digests, files

FILE = Path("rows")


@pytest.fixture(autouse=True)
def read(tmp_path, monkeypatch):
    """The files that were read."""
    monkeypatch.chdir(tmp_path)
    names, sha256 = [], files.sha256
    monkeypatch.setattr(files, "sha256", lambda path: names.append(path) or sha256(path))
    return names


def write(content, *, seconds_ago):
    FILE.write_text(content)
    then = time.time() - seconds_ago
    os.utime(FILE, (then, then))


def test_a_file_is_read_once(read):
    write("rows", seconds_ago=60)
    first, second = digests.of_files([FILE]), digests.of_files([FILE])
    assert first == second == {FILE: files.sha256(FILE)}
    assert len(read) == 2  # once for this test


def test_a_file_of_another_time_is_read_again(read):
    write("rows", seconds_ago=60)
    before = digests.of_files([FILE])
    write("rowz", seconds_ago=30)
    assert digests.of_files([FILE]) != before
    assert len(read) == 2


def test_a_file_that_may_change_unnoticed_is_read_again(read):
    write("rows", seconds_ago=0)
    before = digests.of_files([FILE])
    write("rowz", seconds_ago=0)
    assert digests.of_files([FILE]) != before


@pytest.mark.parametrize("content", ["", "[]", '{"rows": [1'])
def test_what_is_remembered_may_be_lost(content):
    write("rows", seconds_ago=60)
    before = digests.of_files([FILE])
    paths.DIGESTS.write_text(content)
    assert digests.of_files([FILE]) == before


def test_files_that_are_gone_are_forgotten():
    write("rows", seconds_ago=60)
    digests.of_files([FILE])
    FILE.rename("others")
    digests.of_files([Path("others")])
    assert set(digests.remembered()) == {"others"}
