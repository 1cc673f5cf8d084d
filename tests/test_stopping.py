"""A signal to a command alone: it ends with its children, and says how to go on."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from evergreen.vcs.processes import is_alive

STARTS_A_CHILD = """
import signal, sys, time
from evergreen.cli import main, stopping
from evergreen.vcs.processes import started

for number in stopping.SIGNALS:  # whatever runs the tests may ignore some
    signal.signal(number, signal.SIG_DFL)
{setup}
def work(*_):
    with started(["sh", "-c", "echo $$; {trap}; sleep 60; sleep 60"], stdout=sys.stdout):
        {wait}

import evergreen.lifecycle.publish
evergreen.lifecycle.publish.in_production = work
sys.argv = ["evergreen", "champion", "clv"]
main()
"""
SWALLOWED = """
class Swallows:
    def __del__(self):
        time.sleep(60)
del_here = [Swallows()]
"""
ENDED = "Stopped by {}. Run the same command again.\n"


def test_a_signal_while_the_commands_are_imported_shows_no_error():
    code = (
        "import signal, sys, evergreen.cli\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'evergreen.cli.commands':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "evergreen.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Stopped by SIGINT.\n")


@pytest.fixture
def stop(finished, tmp_path):
    """Start the command, send signals to it alone; return exit code, stderr, its child."""
    finished.write_params()

    def stop(*signals, setup="", trap=":", wait="time.sleep(60)"):
        code = STARTS_A_CHILD.format(setup=setup, trap=trap, wait=wait)
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            child = psutil.Process(int(process.stdout.readline()))
            for number in signals:
                process.send_signal(number)
                time.sleep(0.2)
            errors = process.communicate(timeout=30)[1]
        return process.returncode, errors, child

    return stop


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_command_and_its_children(stop, name):
    number = signal.Signals[name]
    code, errors, child = stop(number)
    assert (code, errors) == (128 + number, ENDED.format(name))
    assert not is_alive(child)


def test_a_signal_that_the_caller_ignores_is_ignored(stop):
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    code, errors, _ = stop(signal.SIGHUP, signal.SIGTERM, setup=ignore)
    assert (code, errors) == (143, ENDED.format("SIGTERM"))


def test_two_signals_at_the_same_time_are_one(stop):
    code, errors, _ = stop(signal.SIGINT, signal.SIGTERM, trap="trap 'sleep 0.5; exit' TERM")
    assert (code, errors.splitlines(keepends=True)[-1]) == (130, ENDED.format("SIGINT"))


def test_another_signal_later_ends_it_at_once(stop):
    stubborn = "trap '' TERM"
    setup = "stopping.PATIENCE_SECONDS = 0"
    code, errors, child = stop(signal.SIGINT, signal.SIGINT, setup=setup, trap=stubborn)
    assert (code, errors) == (130, "Stopped at once.\n")
    assert not is_alive(child)


def test_a_signal_is_not_lost_where_nothing_can_be_raised(stop):
    wait = "del_here.clear(); time.sleep(60)"
    code, errors, child = stop(signal.SIGTERM, setup=SWALLOWED, wait=wait)
    assert (code, errors) == (143, ENDED.format("SIGTERM"))
    assert not is_alive(child)


def test_an_error_that_a_library_makes_of_a_signal_is_not_shown(stop):
    wait = (
        "import duckdb; duckdb.sql('select sum(a.range * b.range) from range(1000000) a, "
        "range(1000000) b').fetchall()"
    )
    code, errors, _ = stop(signal.SIGTERM, wait=wait)
    assert (code, errors) == (143, ENDED.format("SIGTERM"))
