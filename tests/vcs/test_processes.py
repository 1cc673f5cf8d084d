"""What is started ends with the block that started it, with all that it has started itself."""

import subprocess
import sys

import psutil
import pytest

from evergreen.vcs.processes import end_tree, is_alive, started

STUBBORN = "trap '' TERM; sleep 60 & sleep 60; sleep 60"


def tree(process):
    """Processes of a shell that has started another, once both are there."""
    root = psutil.Process(process.pid)
    while not (below := root.children(recursive=True)):
        pass
    return [root, *below]


def test_a_program_that_ends_has_its_exit_code():
    with started(["sh", "-c", "echo words; exit 3"], stdout=subprocess.PIPE) as process:
        assert process.communicate()[0] == "words\n"
    assert process.returncode == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError])
def test_a_program_and_its_children_end_if_the_block_raises(error):
    alive = []

    def fail():
        with started(["sh", "-c", "sleep 60; true"]) as process:
            alive.extend(tree(process))
            raise error

    with pytest.raises(error):
        fail()
    assert not any(map(is_alive, alive))


def test_those_that_ignore_the_signal_are_killed():
    with started(["sh", "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        alive = tree(process)
        end_tree(process.pid, grace_seconds=0.1)
    assert process.returncode == -9
    assert not any(map(is_alive, alive))


def test_the_exit_code_of_a_child_stays_for_whoever_waits_for_it():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    end_tree(process.pid)
    assert process.wait() == -15
    end_tree(process.pid)  # has ended already
