"""What the warm process of the tests runs is what users run.

That stages give the same bytes either way is tested with the hashes of the demo.
"""

import pytest

from .conftest import Project

STATE = """
import os, sys
print(sys.argv, sys.path, sys.stdin.read(), os.getcwd(), sorted(os.environ), __name__)
print(os.environ["GIVEN"], file=sys.stderr)
sys.exit(int(sys.argv[-1]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a module of its own, and nothing of the package."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "src").mkdir()
    (folder / "src" / "own.py").write_text(STATE)
    return Project(folder)


@pytest.mark.parametrize(
    "command",
    [
        ("python", "-c", STATE, "3"),
        ("python", "-m", "own", "0"),
        ("python", "src/own.py", "1"),
        ("python", "-c", "import sys; sys.exit('a reason')"),
        ("python", "-c", "raise ValueError('é')"),
        ("python", "-c", "import os; os.kill(os.getpid(), 9)"),
        ("python", "-c", "import atexit; atexit.register(print, 'at last')"),
        ("python", "-c", "import sys, subprocess as s; s.run([sys.executable, '-m', 'own', '5'])"),
        ("bash", "-c", "echo given | PYTHONPATH=src python -m own 2 && echo never"),
        ("dvc", "no-such-command"),
        ("evergreen", "no-such-command"),
    ],
    ids=lambda command: " ".join(command)[:40],
)
def test_it_is_as_in_processes_of_their_own(project, command):
    warm, cold = (call(*command, GIVEN="this") for call in (project.call, project.call_cold))
    assert warm.returncode == cold.returncode
    assert warm.stdout == cold.stdout
    assert warm.stderr.splitlines()[-1:] == cold.stderr.splitlines()[-1:]


def test_it_has_imported_the_libraries_and_no_code_of_the_project(project):
    code = "import sys; print(*({'lightgbm', 'dvc', 'duckdb', 'evergreen'} & {*sys.modules}))"
    assert set(project.run("python", "-c", code).split()) == {"lightgbm", "dvc", "duckdb"}
    assert project.call_cold("python", "-c", code).stdout == "\n"


def test_variables_that_libraries_read_when_they_start_are_heeded(project):
    code = "import sys, os; print('numpy' in sys.modules, os.environ['OMP_NUM_THREADS'])"
    assert project.run("python", "-c", code, OMP_NUM_THREADS="7") == "False 7\n"
