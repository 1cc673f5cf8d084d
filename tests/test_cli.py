import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from evergreen import cli, errors
from evergreen.settings.loading import load_settings

COMMANDS = (
    "ingest",
    "check",
    "init",
    "simulate",
    "pin",
    "finish",
    "cycle",
    "replay",
    "report",
    "score",
    "summary",
    "history",
    "plot-history",
    "versions",
    "champion",
    "get",
    "rollback",
    "hold",
    "unhold",
    "approve",
    "reject",
    "pull",
    "schedule",
    "serve",
    "menu",
)


def invoke(*arguments):
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_is_for(command):
    assert invoke(command, "--help").exit_code == 0
    assert re.search(rf"{command} +\w+", invoke("--help").output)


def test_no_command_is_undescribed():
    assert {
        c.name or c.callback.__name__.replace("_", "-")
        for c in cli.app.registered_commands
        if not c.hidden
    } == set(COMMANDS)


def test_an_unknown_demo_names_those_that_there_are():
    done = invoke("ingest", "--demo", "monopoly")
    assert done.exit_code == 2
    assert "complete-journey" in done.output


def test_a_date_that_is_none_is_refused():
    done = invoke("ingest", "--demo", "complete-journey", "--through", "someday")
    assert done.exit_code == 2
    assert "%Y-%m-%d" in done.output


def test_a_drift_that_is_none_is_refused(tmp_path):
    done = invoke("simulate", "--out", str(tmp_path / "shop"), "--drift", "2017:1")
    assert done.exit_code == 2
    assert "is not DATE:SIZE" in done.output


def test_a_retailer_that_can_not_be_simulated_is_refused(tmp_path):
    with pytest.raises(errors.SettingsError, match=r"source\.simulation\.clients: found 0; input"):
        CliRunner().invoke(
            cli.app,
            ["simulate", "--out", str(tmp_path / "shop"), "--clients", "0"],
            catch_exceptions=False,
        )


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "evergreen", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["best", "clv"], "champion"),
        (["release", "clv"], "unhold"),
        (["workflow"], "menu"),
        (["pin", "--new-line"], "pin --new-lineage"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_old_name_still_works_and_names_the_new_one(old, new, tmp_path):
    (tmp_path / "params.yaml").touch()
    warning, error, *_ = run(tmp_path, *old).stderr.splitlines()
    name = old[0] if old[0] != "pin" else " ".join(old)
    assert warning == (
        f"warning: `evergreen {name}` is now `evergreen {new}`; the old name will be removed"
    )
    assert error.startswith("error: ")
    assert f" {old[-1]} " not in invoke(*old[:-1], "--help").output


def test_an_error_is_told_in_words_with_the_next_step(tmp_path):
    done = run(tmp_path, "summary")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: params.yaml was expected in the current folder, and is not there\n"
        "Next: change to the root of the repository\n"
    )


def test_help_does_not_wait_for_scikit_learn(tmp_path):
    code = "import sys, evergreen.cli; print('sklearn' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "False False\n"


def test_errors_carry_the_next_step():
    error = errors.DataError("3 columns were expected, 2 found", "dvc repro featurize")
    assert str(error) == "3 columns were expected, 2 found\nNext: dvc repro featurize"


def test_settings_are_loaded_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.SettingsError):
        load_settings()
