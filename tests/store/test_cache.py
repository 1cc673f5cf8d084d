import time
from datetime import date

import pytest

from evergreen.settings import paths
from evergreen.store.cache import Cache

MONDAY, TUESDAY = date(2024, 4, 1), date(2024, 4, 2)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_day(day, content):
    path = paths.TRANSACTIONS / f"{day}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_what_was_made_from_equal_values_is_not_made_again():
    made = []
    for _ in range(2):
        entry = Cache().folder("kind", {"a": 1}, lambda f: made.append((f / "x").write_text("1")))
    assert (entry / "x").read_text() == "1"
    assert len(made) == 1


def test_who_finds_a_folder_ready_knows_how_long_others_worked_at_it():
    def make(folder):
        time.sleep(0.05)
        (folder / "x").touch()

    one, other = Cache(), Cache()
    for _ in range(2):
        one.folder("kind", {"a": 1}, make)
        other.folder("kind", {"a": 1}, make)
    assert one.seconds_spared == 0
    assert 0.04 < other.seconds_spared < 5


def test_other_values_are_another_entry():
    cache = Cache()
    assert cache.entry("kind", {"a": 1}) != cache.entry("kind", {"a": 2})


def test_what_was_interrupted_is_made_again():
    def fail(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache().folder("kind", {"a": 1}, fail)
    entry = Cache().folder("kind", {"a": 1}, lambda folder: (folder / "whole").touch())
    assert [path.name for path in entry.iterdir()] == ["whole"]


def test_what_a_run_has_no_use_for_is_forgotten():
    old = Cache().folder("kind", {"a": 1}, lambda folder: (folder / "x").touch())
    cache = Cache()
    new = cache.folder("kind", {"a": 2}, lambda folder: (folder / "x").touch())
    cache.forget_unused()
    assert (old.exists(), new.exists()) == (False, True)


def test_rows_known_later_do_not_change_what_was_known():
    write_day(MONDAY, "rows")
    before = Cache().raw_known_by(MONDAY)
    write_day(TUESDAY, "more")
    assert Cache().raw_known_by(MONDAY) == before != Cache().raw_known_by(TUESDAY)


def test_a_change_of_the_past_shows_on_every_later_day():
    write_day(MONDAY, "rows")
    write_day(TUESDAY, "more")
    before = Cache().raw_known_by(TUESDAY)
    write_day(MONDAY, "rowz")
    assert Cache().raw_known_by(TUESDAY) != before
