"""Remotes and clones for the repository after two runs."""

import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture
def copy(two_runs, tmp_path):
    """The repository after two runs, for a test to do with as it likes."""
    return two_runs.copy_to(tmp_path / "copy")


def name_remotes(project, folder):
    """Give a project a bare git repository upstream and a folder as DVC remote; push no data."""
    origin = folder / "origin.git"
    project.run("git", "init", "--quiet", "--bare", str(origin))
    project.run("git", "remote", "add", "origin", str(origin))
    store = ("store", str(folder / "store"))
    project.run("dvc", "remote", "add", "--quiet", "--default", *store)
    project.run("git", "commit", "--quiet", "--all", "--message", "Name the remote")
    project.run("git", "push", "--quiet", "--set-upstream", "origin", "HEAD")
    return project


@pytest.fixture
def add_remotes(tmp_path):
    """Give a project its own remotes; see `name_remotes`."""
    return lambda project: name_remotes(project, tmp_path)


@pytest.fixture
def with_remotes(copy, add_remotes):
    """The repository after two runs, with remotes, neither run pushed yet."""
    return add_remotes(copy)


@pytest.fixture
def clone(tmp_path):
    """Clone a project's upstream, as another machine would."""

    def cloned(project):
        made = type(project)(tmp_path / "clone")
        project.run("git", "clone", "--quiet", str(tmp_path / "origin.git"), str(made.folder))
        made.run("git", "config", "user.name", "other")
        made.run("git", "config", "user.email", "other@localhost")
        return made

    return cloned


@pytest.fixture
def killed():
    """Run a command up to a point, where it is killed."""

    def killed(project, point, *command):
        """Run a command up to a point; it is killed there, and what is served stays complete."""
        launcher = Path(__file__).with_name("killed_at.py")
        done = subprocess.run(
            [sys.executable, str(launcher), point, *command],
            cwd=project.folder,
            env=project.variables,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, f"{point}: {done.stdout} {done.stderr}"

    return killed


@pytest.fixture(scope="session")
def proposed_once(two_runs, made_once):
    """A repository with manual approval, and a full retrain that is waiting for review."""

    def make(folder):
        made = name_remotes(two_runs.copy_to(folder / "repository"), folder)
        params = made.folder / "params.yaml"
        text = params.read_text().replace("  mode: auto  ", "  mode: review")
        # at this level, something is promoted
        params.write_text(text.replace("alpha_full: 0.05", "alpha_full: 0.45"))
        made.run("git", "commit", "--quiet", "--all", "--message", "Review promotions")
        status = made.run("dvc", "status")
        cycle = ("cycle", "--as-of", "2017-04-09", "--mode", "full", "--push")
        return made, [status, made.run("evergreen", *cycle)]

    return made_once("proposed", make)


@pytest.fixture
def proposed(proposed_once, tmp_path):
    """The same, with its remotes, for a test to do with as it likes."""
    shutil.copytree(proposed_once.folder.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    made = type(proposed_once)(tmp_path / "repository")
    made.status, made.said = proposed_once.said
    made.run("git", "remote", "set-url", "origin", str(tmp_path / "origin.git"))
    # Beside the committed settings, which name the folder that this one was copied from.
    made.run("dvc", "remote", "modify", "--local", "store", "url", str(tmp_path / "store"))
    return made


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    """A small repository to begin from, with your own files beside it."""
    from evergreen.vcs.git import git  # noqa: PLC0415 - it runs in the folder of the test

    (tmp_path / "here" / "reports").mkdir(parents=True)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "1.csv").write_text("Client,Date,Total\na,2024-01-05,1\n")
    params = (request.config.rootpath / "params.yaml").read_text()
    (tmp_path / "here" / "params.yaml").write_text(params)
    (tmp_path / "here" / "reports" / "labels.json").write_text("{}")
    monkeypatch.chdir(tmp_path / "here")
    for variable in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{variable}_NAME", "test")
        monkeypatch.setenv(f"{variable}_EMAIL", "test@localhost")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Begin")
    return tmp_path


@pytest.fixture
def endpoint():
    """The address of an empty S3: moto's server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(f"{address}/moto-api/reset", data=b"").close()  # servers share buckets
    yield address
    server.stop()
