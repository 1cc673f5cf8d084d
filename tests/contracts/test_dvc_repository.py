"""The repository behaves as a DVC user expects: real `git` and `dvc` in a separate folder."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from evergreen.settings import paths
from evergreen.vcs.tracked_paths import INPUTS

ROOT = Path(__file__).parents[2]
LINE = 80
"""Characters of a terminal."""
pytestmark = pytest.mark.slow


def lock(project):
    return yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]


@pytest.fixture
def copy(demo, tmp_path):
    """The demo after its first run, for a test to do with as it likes."""
    return demo.copy_to(tmp_path / "copy")


def test_the_demo_gives_the_bytes_that_are_committed(demo):
    if sys.version_info[:2] != (3, 11):
        pytest.skip("equal bytes are guaranteed on Python 3.11, whose numpy and scipy are locked")
    committed = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    committed_on, made_on = (
        json.loads((folder / paths.DECISION_REPORT).read_text())["platform"]
        for folder in (ROOT, demo.folder)
    )
    if committed_on != made_on:
        pytest.skip(f"committed on {committed_on}, this is {made_on}")
    for stage, entry in lock(demo).items():
        assert entry["outs"] == committed[stage]["outs"], stage


def test_a_second_repro_executes_no_stage(demo):
    assert "Running stage" not in demo.run("dvc", "repro")
    assert demo.run("dvc", "status") == "Data and pipelines are up to date.\n"
    assert demo.run("git", "status", "--short") == ""


def test_all_hashes_come_back_without_outputs_and_cache(copy):
    before = lock(copy)
    shutil.rmtree(copy.folder / ".dvc" / "cache")
    copy.run("dvc", "add", *map(str, INPUTS))
    for stage in before.values():
        for out in stage["outs"]:
            path = copy.folder / out["path"]
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # With another hash seed, each stage is a process of its own; the demo was made by forks.
    copy.run("dvc", "repro", PYTHONHASHSEED="271828")
    assert lock(copy) == before
    assert copy.run("git", "status", "--short") == ""


def test_metrics_params_and_plots_show_and_diff(copy):
    copy.run("dvc", "exp", "run", "-S", "estimators.lightgbm.rounds=30")
    assert "estimators.lightgbm.rounds" in copy.run("dvc", "params", "diff")
    assert "purchase.gain_low" in copy.run("dvc", "metrics", "diff")
    assert max(map(len, copy.run("dvc", "metrics", "diff").splitlines())) <= LINE
    assert max(map(len, copy.run("dvc", "metrics", "diff", "--all").splitlines())) <= LINE
    shown = json.loads(copy.run("dvc", "metrics", "show", "--json"))
    metrics = shown[""]["data"]["reports/metrics.json"]["data"]
    assert 0.3 < metrics["purchase"]["loss"] < metrics["purchase"]["baseline_loss"] < 0.7
    for command in (("show",), ("diff", "HEAD")):
        copy.run("dvc", "plots", *command, "--out", "plots")
        page = (copy.folder / "plots" / "index.html").read_text()
        assert all(title in page for title in ("ROC", "Calibration", "Cumulative gains"))


def test_a_change_of_the_gate_does_not_train_again(copy):
    said = copy.run("dvc", "exp", "run", "-S", "gate.alpha_full=0.04")
    assert "Running stage 'compare'" in said
    assert "Running stage 'train_full'" not in said


def test_an_experiment_in_a_folder_of_its_own_takes_the_code_of_that_folder(copy):
    stage = copy.folder / "src" / "evergreen" / "stages" / "promote.py"
    stage.write_text(stage.read_text().replace('yield f"release ', 'yield f"the copied release '))
    said = copy.run("dvc", "exp", "run", "--temp", "-S", "gate.alpha_full=0.04")
    assert "the copied release 2017-" in said
    assert copy.run("git", "status", "--short") == " M src/evergreen/stages/promote.py\n"


def test_every_artifact_is_a_target_and_is_tracked(demo):
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert list(declared) == list(settings["targets"])
    for artifact in declared.values():
        assert (demo.folder / artifact["path"] / "manifest.json").is_file()


def test_the_pin_of_a_later_run_is_not_overwritten(copy):
    shutil.rmtree(copy.folder / "models" / "champion")
    shutil.copytree(copy.folder / "models" / "production", copy.folder / "models" / "champion")
    copy.run("dvc", "add", "models/champion")
    pinned = (copy.folder / "models" / "champion.dvc").read_text()
    shutil.rmtree(copy.folder / "models" / "champion")
    assert "restored from DVC's cache" in copy.run("evergreen", "pin")
    assert (copy.folder / "models" / "champion" / "purchase" / "manifest.json").is_file()
    shutil.rmtree(copy.folder / "models" / "champion")
    shutil.rmtree(copy.folder / ".dvc" / "cache")
    with pytest.raises(AssertionError, match=r"(?s)pins data of a later run.*Next: evergreen pull"):
        copy.run("evergreen", "pin")
    assert (copy.folder / "models" / "champion.dvc").read_text() == pinned
