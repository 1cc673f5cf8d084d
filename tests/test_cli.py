import importlib
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import evergreen
from evergreen import errors
from evergreen.cli import commands as cli
from evergreen.cli.app import progress_bar
from evergreen.lifecycle.publish import publish
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "Run": ["pin", "finish", "cycle", "schedule", "menu"],
    "Inspect": [
        "summary",
        "report",
        "history",
        "plot-history",
        "versions",
        "champion",
        "get",
        "replay",
    ],
    "Undo": ["rollback", "hold", "unhold"],
    "Review": ["approve", "reject", "pull"],
    "Data": ["init", "check", "ingest", "simulate", "forget", "prune"],
    "Serve": ["score", "serve"],
}
NAMES = [name for names in COMMANDS.values() for name in names]
VERBS = """
Assume Change Check Choose Compare Create Drop Forget Go Hold Ingest Install Judge Keep Let Limit
List Listen Make Pin Plot Print Pull Push Read Record Remove Repeat Replace Replay Retrieve Score
Search Seed Serve Show Simulate Start Take Use Verify Write
""".split()  # noqa: SIM905 - shorter
WITHOUT_TRAINING = {"simulate", "champion", "score", "serve"}


def invoke(*arguments):
    return CliRunner().invoke(cli.app, list(arguments), env={"COLUMNS": "80"})


def commands():
    return typer.main.get_group(cli.app).commands


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(name, option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # help needs no repository
    assert invoke(name, option).exit_code == 0
    assert re.search(rf"{name} +\w+", invoke(option).output)


def test_the_help_groups_all_commands():
    groups = {}
    for line in invoke("--help").output.partition("Show this message")[2].splitlines():
        if title := re.match(r"╭─ (\w+) ─", line):
            names = groups[title[1]] = []
        elif name := re.match(r"│ ([a-z][-a-z]*) ", line):
            names.append(name[1])
    assert groups == COMMANDS
    assert {name for name, command in commands().items() if not command.hidden} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_help_text_begins_with_a_verb(name):
    command = commands()[name]
    for text in (command.help, *(p.help for p in command.params if not p.hidden)):
        assert text, name
        assert text.split()[0].strip(",:") in VERBS, text
        assert text.endswith("."), text


def test_the_version_is_that_of_the_package():
    assert invoke("--version").output == f"evergreen {evergreen.__version__}\n"


def test_a_checkout_that_is_not_installed_has_a_version(monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    monkeypatch.setattr(sys, "path", [])  # where metadata is looked for
    importlib.invalidate_caches()
    assert evergreen.__version__ == project["version"]


def test_the_shell_completes_commands(tmp_path):
    environment = os.environ | {
        "_EVERGREEN_COMPLETE": "complete_bash",
        "COMP_WORDS": "evergreen plot",
        "COMP_CWORD": "1",
    }
    code = "from evergreen.cli.commands import app; app(prog_name='evergreen')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert result.stdout.split() == ["plot-history"]


def test_a_command_works_in_a_folder_of_the_repository(finished, monkeypatch):
    finished.write_params()
    folder = Path("data/raw/transactions").resolve()
    monkeypatch.chdir(folder)
    assert invoke("simulate", "--out", "../shop", "--clients", "50", "--days", "90").exit_code == 0
    assert (folder.parent / "shop" / "transactions.parquet").is_file()
    assert Path.cwd() == folder.parents[2]


def test_scores_are_written_relative_to_the_folder_of_the_call(finished, monkeypatch):
    finished.write_params()
    publish(paths.PRODUCTION)
    folder = Path("data/raw").resolve()
    monkeypatch.chdir(folder)
    assert "As of 2024-04-01" in invoke("summary").output
    monkeypatch.chdir(folder)
    assert invoke("score", "--as-of", "2024-04-01", "--out", "scores.csv").exit_code == 0
    assert (folder / "scores.csv").is_file()


def test_an_interrupted_command_prints_one_line(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("evergreen.lifecycle.publish.in_production", interrupt)
    monkeypatch.setattr("evergreen.cli.stopping.end_children", lambda: None)  # those of the tests
    result = invoke("champion", "clv")
    assert (result.exit_code, result.output) == (
        130,
        "Stopped by SIGINT. Run the same command again.\n",
    )


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra, modules in sys.modules["evergreen.cli.app"].EXTRAS.items():
        packages = project["optional-dependencies"][extra]
        assert list(modules) == [package.replace("-", "_") for package in packages]


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_TRAINING))
def test_a_command_names_the_extra_that_is_not_installed(name, monkeypatch):
    monkeypatch.setattr(
        sys.modules["evergreen.cli.app"], "find_spec", lambda module: module != "dvc" or None
    )
    command = commands()[name]
    context = typer.Context(command, info_name=name)
    with pytest.raises(errors.EvergreenError) as refused:
        command.invoke(context)
    assert str(refused.value) == (
        f"evergreen {name} needs the 'train' extra\nNext: pip install 'evergreen[train]'"
    )


def test_an_unknown_demo_names_those_that_there_are():
    result = invoke("ingest", "--demo", "monopoly")
    assert result.exit_code == 2
    assert "complete-journey" in result.output


def test_a_demo_that_is_not_the_source_is_refused():
    error = invoke("ingest", "--demo", "cdnow").exception
    assert isinstance(error, errors.DataError)
    assert "source of this repository is the demo complete-journey, not cdnow" in error.message
    assert error.next_step == "evergreen init ../cdnow --demo cdnow"


def test_a_date_that_is_none_is_refused():
    result = invoke("ingest", "--demo", "complete-journey", "--through", "someday")
    assert result.exit_code == 2
    assert "'someday' is not a date" in result.output


def test_a_drift_that_is_none_is_refused(tmp_path):
    result = invoke("simulate", "--out", str(tmp_path / "shop"), "--drift", "2017:1")
    assert result.exit_code == 2
    assert "is not DATE:SIZE" in result.output


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


def test_a_removed_setting_is_named_once_in_a_hint(tmp_path):
    (tmp_path / "params.yaml").write_text("estimators: {hist_gradient_boosting: {}}")
    hint, error, *_ = run(tmp_path, "simulate", "--out", "shop").stderr.splitlines()
    assert hint.startswith("hint: params.yaml: estimators.hist_gradient_boosting: ")
    assert error.startswith("error: params.yaml is not valid")


def test_an_error_is_printed_with_the_next_step(tmp_path):
    result = run(tmp_path, "summary")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: neither {tmp_path} nor a folder above it contains params.yaml\n"
        "Next: change to the folder of your Evergreen repository\n"
    )


def test_help_does_not_wait_for_scikit_learn(tmp_path):
    loaded = "print('sklearn' in sys.modules, 'pandas' in sys.modules)"
    code = f"import sys, evergreen.cli.commands; {loaded}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout == "False False\n"


def test_errors_carry_the_next_step():
    error = errors.DataError("3 columns were expected, 2 found", "dvc repro featurize")
    assert str(error) == "3 columns were expected, 2 found\nNext: dvc repro featurize"


def test_settings_are_loaded_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.SettingsError):
        load_settings()


def test_a_pipe_gets_a_line_for_each_step_that_takes_seconds(monkeypatch, capsys):
    told = ((0, 0, "read"), (2, 1, "read"), (2, 0, "write"), (6, 2, "write"), (9, 3, "write"))
    times = iter(seconds for seconds, *_ in told)
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    with progress_bar("ingest", steps=True) as progress:
        for _, done, step in told:
            progress(done, 4, step)
    assert capsys.readouterr().err == "ingest write: 2 of 4 so far\n"
