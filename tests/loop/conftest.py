"""Two recorded runs that the tests of this folder copy and go on from."""

import pytest

DAY = "2017-04-02"


@pytest.fixture(scope="session")
def two_runs(demo, tmp_path_factory):
    """The demo, and the day after it: an incremental update."""
    made = demo.copy_to(tmp_path_factory.mktemp("loop") / "repository")
    made.said = made.run("evergreen", "cycle", "--as-of", DAY)
    return made


@pytest.fixture
def copy(two_runs, tmp_path):
    """The repository after two runs, for a test to do with as it likes."""
    return two_runs.copy_to(tmp_path / "copy")


@pytest.fixture
def with_remotes(copy, tmp_path):
    """The same with a bare git repository upstream and a folder as DVC remote, not pushed yet."""
    origin = tmp_path / "origin.git"
    copy.run("git", "init", "--quiet", "--bare", str(origin))
    copy.run("git", "remote", "add", "origin", str(origin))
    copy.run("dvc", "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    copy.run("git", "commit", "--quiet", "--all", "--message", "Name the remote")
    copy.run("git", "push", "--quiet", "--set-upstream", "origin", "HEAD")
    return copy


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
