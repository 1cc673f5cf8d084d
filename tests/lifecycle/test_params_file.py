from datetime import date
from pathlib import Path

import pytest

from evergreen.errors import SettingsError
from evergreen.lifecycle import params_file
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

COMMITTED = Path(__file__).parents[2] / paths.PARAMS


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(COMMITTED.read_text())
    return paths.PARAMS


def changed_lines(params):
    before, after = COMMITTED.read_text().splitlines(), params.read_text().splitlines()
    return [new for old, new in zip(before, after, strict=True) if old != new]


def test_only_the_dates_of_the_run_change(params):
    params_file.write_run(as_of=date(2031, 5, 2), full_as_of=date(2031, 5, 1), mode="full")
    settings = load_settings()
    assert (settings.as_of, settings.full_retrain.as_of) == (date(2031, 5, 2), date(2031, 5, 1))
    assert settings.mode == "full"
    assert len(changed_lines(params)) == 3
    assert all("#" in line for line in changed_lines(params))


def test_holds_come_and_go(params):
    params_file.write({"hold": {"purchase": 'seasonal "peak"'}})
    assert load_settings().hold == {"purchase": 'seasonal "peak"'}
    params_file.write({"hold": {}})
    assert changed_lines(params) == []


def test_a_file_that_would_not_be_valid_is_not_written(params):
    before = params.read_text()
    with pytest.raises(SettingsError, match=r"full_retrain\.as_of is 2031-05-03, allowed"):
        params_file.write_run(as_of=date(2031, 5, 2), full_as_of=date(2031, 5, 3), mode="auto")
    assert params.read_text() == before


def test_a_file_without_the_line_is_refused(params):
    params.write_text(params.read_text().replace("\nmode: auto", "\nmood: auto"))
    with pytest.raises(SettingsError, match=r"params\.yaml has no mode"):
        params_file.write_run(as_of=date(2031, 5, 2), full_as_of=date(2031, 5, 1), mode="auto")


def test_a_file_that_dvc_has_rewritten_is_understood(params):
    """`dvc exp run -S` writes other quotes, and opens a mapping."""
    text = params.read_text().replace('"', "'").replace("hold: {}", "hold:\n  clv: why")
    params.write_text(text)
    params_file.write_run(as_of=date(2031, 5, 2), full_as_of=date(2031, 5, 1), mode="auto")
    params_file.write({"hold": {}})
    assert (load_settings().as_of, load_settings().hold) == (date(2031, 5, 2), {})
