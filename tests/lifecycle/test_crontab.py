"""The entries of a repository in a crontab that others use as well."""

import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evergreen.cli import commands as cli
from evergreen.errors import EvergreenError
from evergreen.lifecycle import crontab

SHOP, OTHER = Path("/srv/shop"), Path("/srv/the 100% other")
THEIRS = "MAILTO=ops\n# a comment\n5 4 * * * backup\n"


def test_entries_are_added_once_and_others_are_left_alone():
    once = crontab.with_entries(THEIRS, SHOP)
    assert once.startswith(THEIRS)
    assert "0 6 * * * /srv/shop/scripts/ml_daily_update.sh\n" in once
    assert "0 2 * * 0 /srv/shop/scripts/ml_weekly_retrain.sh\n" in once
    assert "0 3 1 * * /srv/shop/scripts/ml_monthly_ab_test.sh\n" in once
    assert crontab.with_entries(once, SHOP) == once
    assert crontab.without_entries(once, SHOP) == THEIRS


def test_repositories_are_kept_apart_by_their_path():
    both = crontab.with_entries(crontab.with_entries(THEIRS, OTHER), SHOP)
    assert crontab.without_entries(both, OTHER) == crontab.with_entries(THEIRS, SHOP)
    assert crontab.without_entries(crontab.without_entries(both, OTHER), SHOP) == THEIRS


def test_entries_that_were_edited_are_put_right_where_they_stand():
    mine = crontab.with_entries("", SHOP)
    edited = mine.replace("0 6 * * *", "0 7 * * *") + THEIRS
    assert crontab.with_entries(edited, SHOP) == mine + THEIRS


def test_what_cron_would_take_for_something_else_is_quoted():
    assert r"0 6 * * * '/srv/the 100\% other/scripts/ml_daily_update.sh'" in crontab.entries(OTHER)


def test_entries_that_lack_their_end_are_not_guessed_at():
    torn = "\n".join(crontab.entries(SHOP)[:-1]) + "\n" + THEIRS
    with pytest.raises(EvergreenError, match=r"but no '# evergreen in /srv/shop: end' after it"):
        crontab.with_entries(torn, SHOP)


@pytest.fixture
def fake_crontab(tmp_path, monkeypatch):
    """A program that keeps its crontab in a file, where others have entries."""
    kept, program = tmp_path / "kept", tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then cat {kept}; elif [ "$1" = -r ]; then rm {kept};\n'
        f"else cat > {kept}; fi\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "params.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crontab, "remote_names", lambda: ["storage"])
    return kept


def test_the_command_installs_shows_and_removes(fake_crontab, tmp_path):
    fake_crontab.write_text(THEIRS)

    def schedule(action):
        return CliRunner().invoke(cli.app, ["schedule", action], catch_exceptions=False).output

    assert schedule("show") == f"nothing is scheduled for {tmp_path}\n"
    assert schedule("install") == schedule("show") == "\n".join(crontab.entries(tmp_path)) + "\n"
    assert fake_crontab.read_text() == crontab.with_entries(THEIRS, tmp_path)
    assert schedule("remove") == f"nothing is scheduled for {tmp_path}\n"
    assert fake_crontab.read_text() == THEIRS


def test_runs_whose_data_no_remote_would_have_are_not_scheduled(fake_crontab, monkeypatch):
    monkeypatch.setattr(crontab, "remote_names", list)
    fake_crontab.write_text(THEIRS)
    with pytest.raises(EvergreenError) as caught:
        CliRunner().invoke(cli.app, ["schedule", "install"], catch_exceptions=False)
    assert "`dvc gc` deletes those of all earlier runs" in caught.value.message
    assert caught.value.next_step.startswith("dvc remote add --default storage FOLDER ")
    assert caught.value.next_step.endswith(" && evergreen schedule install")
    assert fake_crontab.read_text() == THEIRS


def test_a_machine_without_cron_gets_the_next_step(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EvergreenError, match="the command crontab is not installed"):
        crontab.read()
