"""Run after run, with real `git` and `dvc`."""

import json
import shutil
import signal
import subprocess
import time

import pytest
import yaml

pytestmark = pytest.mark.slow
DAY = "2017-04-02"
NEXT = "2017-04-09"


def record(project, day):
    return json.loads((project.folder / "history" / f"{day}.json").read_text())


def lock(project):
    return yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]


def commits(project):
    return project.run("git", "log", "--format=%s").splitlines()


def served(project):
    return str((project.folder / "releases" / "current").readlink())


def test_a_cycle_leaves_everything_recorded_and_clean(two_runs):
    assert two_runs.run("git", "status", "--short") == ""
    assert two_runs.run("dvc", "status") == "Data and pipelines are up to date.\n"
    assert commits(two_runs)[0].startswith(f"Run of {DAY}: purchase ")


def test_a_cycle_commits_its_report_in_markdown_and_keeps_the_page_out_of_git(two_runs):
    tracked = two_runs.run("git", "ls-files", "reports").split()
    assert "reports/report.md" in tracked
    assert "reports/report.html" not in tracked
    told = (two_runs.folder / "reports" / "report.md").read_text()
    assert told.startswith(f"# Run of {DAY}\n")
    assert "So far in April 2017, the gate has tested 6 candidates in 2 runs" in told
    assert "The next full retrain is due by 2017-04-08" in told
    assert told.count("was made: none.") == 3
    assert (two_runs.folder / "reports" / "report.html").stat().st_size > 100_000


def test_between_full_retrains_dvc_trains_no_full_model(two_runs):
    assert "full retrain not due: the last was 1 day ago" in two_runs.said
    assert "lightgbm on" not in two_runs.said
    assert record(two_runs, DAY)["targets"]["purchase"]["absent"] == {"full": "no_new_candidate"}


def test_a_cycle_again_for_the_same_day_does_nothing(copy):
    before = commits(copy)
    assert copy.run("evergreen", "cycle", "--as-of", DAY) == (
        f"{DAY}: already recorded, nothing to do\n"
    )
    assert commits(copy) == before
    assert copy.run("git", "status", "--short") == ""


def test_the_champion_is_what_the_last_run_released(demo, two_runs):
    first = json.loads((demo.folder / "models" / "production" / "manifest.json").read_text())
    champion = two_runs.folder / "models" / "champion" / "manifest.json"
    assert json.loads(champion.read_text()) == first
    candidate = record(two_runs, DAY)["targets"]["purchase"]["candidates"]["incremental"]
    assert candidate["parent"] == first["models"]["purchase"]["version"]


def test_what_was_scored_becomes_the_predictions_of_the_next_run(demo, two_runs):
    scored = demo.folder / "data" / "scored" / "2017-04-01.parquet"
    predictions = two_runs.folder / "data" / "predictions" / "2017-04-01.parquet"
    assert predictions.read_bytes() == scored.read_bytes()


def test_what_is_not_the_recorded_run_does_not_leak_into_the_next(copy):
    path = copy.folder / "dvc.lock"
    path.write_text(path.read_text().replace("schema: '2.0'", "schema: '2.0' # an experiment"))
    done = copy.call("evergreen", "cycle", "--as-of", "2017-04-03")
    assert done.returncode == 1
    assert (
        "the run of 2017-04-02 in the workspace has other results: dvc.lock differs" in done.stderr
    )


def experiment(project):
    """Run the recorded date again with another level of the gate."""
    params = project.folder / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("alpha_incremental: 0.01", "alpha_incremental: 0.45"))
    project.run("dvc", "repro")
    return project


def test_settings_for_the_next_run_are_no_reason_to_make_the_last_again(copy):
    params = copy.folder / "params.yaml"
    params.write_text(params.read_text().replace("alpha_full: 0.05", "alpha_full: 0.04"))
    done = copy.call("evergreen", "finish")
    assert done.stderr == (
        f"error: {DAY} is recorded, and settings, inputs or outputs have changed since: compare, "
        "promote\nNext: evergreen cycle --as-of 2017-04-03, for a run with changed settings; or "
        "git restore . && dvc checkout\n"
    )


def test_an_experiment_is_named_and_neither_recorded_nor_continued(copy, two_runs):
    experiment(copy)
    named = (
        f"an experiment is in the workspace: {DAY} is recorded, and its dvc.lock differs in "
        "gate.alpha_incremental: 0.01 -> 0.45"
    )
    back = "git restore . && dvc checkout"
    both = f'{named}\nNext: {back}; or evergreen finish --replace --reason "..."\n'
    assert copy.call("evergreen", "finish").stderr == f"error: {both}"
    cycle = copy.call("evergreen", "cycle", "--as-of", "2017-04-03")
    assert cycle.stderr == f"error: {named}\nNext: {back}\n"
    assert named in copy.run("evergreen", "cycle", "--as-of", "2017-04-03", "--dry-run")
    assert f"!!   run: {named}" in copy.call("evergreen", "check").stdout
    assert commits(copy) == commits(two_runs)

    copy.run("bash", "-c", back)
    assert copy.run("git", "status", "--short") == ""
    assert "already recorded" in copy.run("evergreen", "finish")


def test_a_verdict_is_replaced_on_request_and_stays_in_the_history(copy, two_runs, killed):
    experiment(copy)
    replace = ("finish", "--replace", "--reason", "a better level")
    killed(copy, " git commit ", *replace)
    assert copy.call("evergreen", "finish").returncode == 1
    copy.run("evergreen", *replace)
    assert commits(copy)[0].startswith(f"Run of {DAY}, replaces {DAY}-1: purchase ")
    assert record(copy, f"replaced/{DAY}-1") == record(two_runs, DAY)
    assert record(copy, DAY)["replaces"] == {"record": f"{DAY}-1", "reason": "a better level"}
    report = (copy.folder / "reports" / "report.md").read_text()
    assert f"Replaces the verdict {DAY}-1: a better level." in report
    assert "the gate has tested 9 candidates in 2 runs and 1 replaced verdict." in report
    assert f"{DAY}-1: a better level" in copy.run("evergreen", "history")

    assert "already recorded" in copy.run("evergreen", *replace)
    assert "already recorded" in copy.run("evergreen", "finish")
    assert commits(copy)[1:] == commits(two_runs)


def test_an_earlier_run_is_not_finished_after_a_later_one(copy):
    copy.run("git", "restore", "--source=HEAD~1", "params.yaml", "dvc.lock")
    done = copy.call("evergreen", "finish")
    assert "holds the run of 2017-04-01, but later ones are recorded, the last for" in done.stderr


def test_a_replay_is_not_committed_with_a_run(copy):
    (copy.folder / "reports" / "replay").mkdir()
    (copy.folder / "reports" / "replay" / "replay.md").write_text("# Replay\n")
    copy.run("evergreen", "cycle", "--as-of", NEXT, "--mode", "compare")
    assert copy.run("git", "status", "--short") == "?? reports/replay/\n"


def test_a_new_model_lineage_begins_with_a_full_retrain(copy):
    copy.run("evergreen", "pin", "--new-lineage")
    copy.run("dvc", "repro")
    compared = json.loads((copy.folder / "reports" / "comparison.json").read_text())["purchase"]
    assert set(compared["candidates"]) == {"full"}
    assert "no champion" in str(compared["absent"])


def test_code_that_is_not_committed_is_not_recorded(copy):
    stage = copy.folder / "src" / "evergreen" / "stages" / "promote.py"
    stage.write_text(stage.read_text() + "\n# a change\n")
    done = copy.call("evergreen", "finish")
    assert done.returncode == 1
    assert "the code of this run is not committed:\n M src/" in done.stderr


def test_an_earlier_date_is_refused(copy):
    done = copy.call("evergreen", "pin", "--as-of", "2017-03-01")
    assert "2017-03-01 precedes the last recorded run, 2017-04-02" in done.stderr


def test_two_runs_are_kept_apart(copy):
    code = "import time; from evergreen.lifecycle.lock import exclusive\n"
    code += "with exclusive(): time.sleep(60)"
    holder = subprocess.Popen(
        [shutil.which("python", path=copy.variables["PATH"]), "-c", code],
        cwd=copy.folder,
        env=copy.variables,
    )
    try:
        time.sleep(2)
        done = copy.call("evergreen", "cycle", "--as-of", "2017-04-03")
        assert done.returncode == 1
        assert "another run is in progress in this repository" in done.stderr
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert "nothing to do" in copy.run("evergreen", "cycle", "--as-of", DAY)


def test_a_week_later_past_predictions_are_judged_and_a_rollback_holds(copy, demo, killed):
    params = copy.folder / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("alpha_full: 0.05", "alpha_full: 0.45"))  # something is promoted
    copy.run("git", "commit", "--quiet", "--message", "Promote more lightly", str(params))
    said = copy.run("evergreen", "cycle", "--as-of", NEXT)
    assert "full retrain due: the last was 8 days ago" in said
    after = record(copy, NEXT)
    live = after["targets"]["purchase"]["live"]
    assert sum(release["rows"] for release in live.values()) > 500
    assert all(0.3 < release["log_loss"] < 0.8 for release in live.values())
    changed = [n for n, t in after["targets"].items() if t["action"] == "promoted"]
    assert changed, "at that level the demo's second full retrain promotes a target"

    name = changed[0]
    old = record(demo, "2017-04-01")["targets"][name]["version"]
    roll_back = ("evergreen", "rollback", name, "--to", "2017-04-01", "--reason", "odd", "--hold")
    killed(copy, " git commit ", *roll_back[1:])
    assert "rollback" not in copy.run("evergreen", "history")
    said = copy.run(*roll_back)
    assert f"{name}: {after['targets'][name]['version']} -> {old}" in said
    assert served(copy) in said
    rolled_back = json.loads((copy.folder / "models" / "rollback" / "manifest.json").read_text())
    assert rolled_back["models"][name]["expected_loss"]["since"] == "2017-04-10"
    assert copy.run("evergreen", "champion", name).startswith(f"{name}@{old} ")
    assert copy.run("git", "status", "--short") == ""

    copy.run("evergreen", "cycle", "--as-of", "2017-04-10")
    following = record(copy, "2017-04-10")["targets"][name]
    assert following["champion"] == following["version"] == old
    assert following["verdict"].startswith("held (odd); ")


def test_a_hold_or_a_rollback_that_is_made_again_changes_nothing(copy):
    hold = ("evergreen", "hold", "clv", "--reason", "odd")
    assert copy.run(*hold) == "Hold clv: odd\n"
    before = commits(copy)
    assert copy.run(*hold) == "clv is already held: odd\n"
    back = ("evergreen", "rollback", "clv", "--to", DAY, "--reason", "odd")
    assert copy.run(*back) == f"{DAY} is already served\n"
    assert copy.run(*back, "--hold") == f"{DAY} is already served\n"
    assert commits(copy) == before
    copy.run("evergreen", "unhold", "clv")
    assert copy.run("evergreen", "unhold", "clv") == "clv is not held\n"

    assert copy.run(*back, "--hold") == f"{DAY} is already served\nHold clv: odd\n"
    params = copy.folder / "params.yaml"
    params.write_text(params.read_text().replace("alpha_full: 0.05", "alpha_full: 0.04"))
    done = copy.call("evergreen", "hold", "churn", "--reason", "odd")
    assert (
        "which would be committed with the hold: gate.alpha_full\nNext: git commit" in done.stderr
    )


def test_a_served_release_that_is_damaged_is_named_and_published_again(copy, two_runs):
    manifest = copy.folder / "releases" / "current" / "clv" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": ', '"rows": 1'))
    found = copy.call("evergreen", "check").stdout
    assert "!!   release: the served release is damaged: releases/current/clv" in found
    assert "Next: evergreen pull, which publishes it again" in found
    copy.run("evergreen", "pull")
    assert served(copy) == served(two_runs)
    assert "is served, and predicts as at training" in copy.call("evergreen", "check").stdout


def test_git_revert_and_checkout_bring_the_run_before_back(copy, demo):
    copy.run("git", "revert", "--no-edit", "HEAD")
    copy.run("dvc", "checkout")
    copy.run("evergreen", "finish")
    assert served(copy) == served(demo)
    assert lock(copy) == lock(demo)


def test_a_past_model_can_be_fetched(two_runs, tmp_path):
    version = record(two_runs, DAY)["targets"]["clv"]["candidates"]["incremental"]["version"]
    assert version in two_runs.run("evergreen", "versions", "clv")
    two_runs.run("evergreen", "get", f"clv@{version}", "--out", str(tmp_path / "model"))
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["version"] == version


def test_a_cycle_computes_labels_once(two_runs, tmp_path):
    copy = two_runs.copy_to(tmp_path / "copy")

    def computed():
        entries = copy.folder.glob(".cache/made/labels-*")
        return {entry: entry.stat().st_mtime_ns for entry in entries}

    earlier = computed()
    copy.run("evergreen", "pin", "--as-of", "2017-04-03")
    planned = computed()
    assert len(planned.keys() - earlier.keys()) == 1  # the labels of one day
    copy.run("dvc", "repro", "collect_labels")
    assert computed() == planned


AS_IN_AN_EARLIER_VERSION = """
import json
from evergreen.settings import paths
from evergreen.store import files, releases

folder = paths.PRODUCTION / "purchase"
(folder / "estimator" / "model.joblib").write_bytes(b"a random forest")
content = json.loads((folder / "manifest.json").read_text())
version = content.pop("version").rpartition("-")[0]
content["files"] = files.digests(folder, apart_from="manifest.json")
version += "-" + files.digest_of(content)[:8]
files.write_json(content | {"version": version}, folder / "manifest.json")
models = json.loads((paths.PRODUCTION / "manifest.json").read_text())["models"]
models["purchase"]["version"] = version
del models["purchase"]["manifest_sha256"]
release = {"models": models, "version": releases._version_of(models, {})}
files.write_json(release, paths.PRODUCTION / "manifest.json")
decision = json.loads(paths.DECISION_REPORT.read_text())
del decision["manifest_sha256"]
files.write_json(decision, paths.DECISION_REPORT)
"""
RECORD_ITS_LOCK = """
from pathlib import Path
from evergreen.settings import paths
from evergreen.store import files

record = max(Path("history").glob("2*.json"))
lock = files.sha256(paths.DVC_LOCK)
files.write_json(files.read_json(record, next_step="") | {"lock": lock}, record)
"""


def test_a_champion_that_holds_a_pickle_is_refused_with_the_way_on(copy):
    copy.run("python", "-c", AS_IN_AN_EARLIER_VERSION)
    copy.run("dvc", "commit", "--quiet", "--force", "promote")
    copy.run("python", "-c", RECORD_ITS_LOCK)
    copy.run("git", "commit", "--quiet", "--all", "--amend", "--no-edit")
    done = copy.call("evergreen", "cycle", "--as-of", NEXT)
    assert done.returncode == 1
    assert "purchase/estimator/model.joblib is a pickle" in done.stderr
    step = done.stderr.rsplit(": ", 1)[1].strip()
    assert step.startswith("evergreen pin --new-lineage --as-of DATE && ")
    copy.run("bash", "-c", step.replace("DATE", NEXT))
    record = json.loads((copy.folder / "history" / f"{NEXT}.json").read_text())
    assert record["previous_release"] is None
    assert not list(copy.folder.glob("releases/current/**/*.joblib"))
    assert copy.run("git", "status", "--short") == ""
