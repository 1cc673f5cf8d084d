"""The repository behaves as a DVC user expects: real `git` and `dvc` in a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from evergreen import paths
from evergreen.store.models import platform_class

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PROJECT = (
    "src",
    ".dvc/plots",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
)
pytestmark = pytest.mark.slow


def run(folder, *command, **variables):
    """Run a command of the environment; return what it printed."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]} {done.stderr[-3000:]}"
    return done.stdout


def new_repository(folder):
    for name in PROJECT:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=ignored)
        else:
            shutil.copy(ROOT / name, target)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "git", "config", "user.email", "test@localhost")
    return folder


def lock(folder):
    return yaml.safe_load((folder / "dvc.lock").read_text())["stages"]


def commit(folder, message):
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", message)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo after its first run: the commands of `make demo`, and a commit."""
    folder = new_repository(tmp_path_factory.mktemp("demo"))
    as_of = yaml.safe_load((folder / "params.yaml").read_text())["as_of"]
    run(folder, "evergreen", "ingest", "--demo", "complete-journey", "--through", as_of)
    run(folder, "evergreen", "pin")
    run(folder, "dvc", "repro")
    commit(folder, "first run")
    return folder


def test_the_demo_gives_the_bytes_that_are_committed(demo):
    committed = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    committed_on = json.loads((ROOT / paths.DECISION_REPORT).read_text())["platform"]
    if committed_on != platform_class():
        pytest.skip(f"committed on {committed_on}, this is {platform_class()}")
    for stage, entry in lock(demo).items():
        assert entry["outs"] == committed[stage]["outs"], stage


def test_a_second_repro_executes_no_stage(demo):
    assert "Running stage" not in run(demo, "dvc", "repro")
    assert run(demo, "dvc", "status") == "Data and pipelines are up to date.\n"
    assert run(demo, "git", "status", "--short") == ""


def test_all_hashes_come_back_without_outputs_and_cache(demo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy, symlinks=True)
    before = lock(copy)
    shutil.rmtree(copy / ".dvc" / "cache")
    run(copy, "dvc", "add", "data/raw", "data/predictions", "models/champion")
    for stage in before.values():
        for out in stage["outs"]:
            path = copy / out["path"]
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    run(copy, "dvc", "repro", PYTHONHASHSEED="271828")
    assert lock(copy) == before
    assert run(copy, "git", "status", "--short") == ""


def test_metrics_params_and_plots_show_and_diff(demo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy, symlinks=True)
    run(copy, "dvc", "exp", "run", "-S", "estimators.lightgbm.rounds=30")
    assert "estimators.lightgbm.rounds" in run(copy, "dvc", "params", "diff")
    assert "purchase.full.log_loss" in run(copy, "dvc", "metrics", "diff")
    shown = json.loads(run(copy, "dvc", "metrics", "show", "--json"))
    metrics = shown[""]["data"]["reports/metrics.json"]["data"]
    assert 0.3 < metrics["purchase"]["full"]["log_loss"] < 0.7
    for command in (("show",), ("diff", "HEAD")):
        run(copy, "dvc", "plots", *command, "--out", "plots")
        page = (copy / "plots" / "index.html").read_text()
        assert all(title in page for title in ("ROC", "Calibration", "Cumulative gains"))


def test_a_change_of_the_gate_does_not_train_again(demo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy, symlinks=True)
    said = run(copy, "dvc", "exp", "run", "-S", "gate.alpha_full=0.04")
    assert "Running stage 'compare'" in said
    assert "Running stage 'train_full'" not in said


def test_an_experiment_in_a_folder_of_its_own_takes_the_code_of_that_folder(demo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy, symlinks=True)
    stage = copy / "src" / "evergreen" / "stages" / "promote.py"
    stage.write_text(stage.read_text().replace('yield f"release ', 'yield f"the copied release '))
    said = run(copy, "dvc", "exp", "run", "--temp", "-S", "gate.alpha_full=0.04")
    assert "the copied release 2017-" in said
    assert run(copy, "git", "status", "--short") == " M src/evergreen/stages/promote.py\n"


def test_every_artifact_is_a_target_and_is_tracked(demo):
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert list(declared) == list(settings["targets"])
    for artifact in declared.values():
        assert (demo / artifact["path"] / "manifest.json").is_file()


def test_the_pin_of_a_later_run_is_not_overwritten(demo, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy, symlinks=True)
    shutil.rmtree(copy / "models" / "champion")
    shutil.copytree(copy / "models" / "production", copy / "models" / "champion")
    run(copy, "dvc", "add", "models/champion")
    pinned = (copy / "models" / "champion.dvc").read_text()
    shutil.rmtree(copy / "models" / "champion")
    assert "taken from DVC's cache" in run(copy, "evergreen", "pin")
    assert (copy / "models" / "champion" / "purchase" / "manifest.json").is_file()
    shutil.rmtree(copy / "models" / "champion")
    shutil.rmtree(copy / ".dvc" / "cache")
    with pytest.raises(AssertionError, match=r"names content of a later run.*\nNext: dvc pull"):
        run(copy, "evergreen", "pin")
    assert (copy / "models" / "champion.dvc").read_text() == pinned
