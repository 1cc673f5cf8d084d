"""A long step shows how far it is: at a terminal, and to a command that asks for it."""

import sys

import pytest

from evergreen.store import progress


@pytest.fixture
def clock(monkeypatch):
    """The time, which a test sets."""
    times = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: times[0])
    return times


def test_a_command_that_asks_gets_lines_with_the_time_left_but_not_too_many(
    clock, monkeypatch, capsys
):
    monkeypatch.setenv(progress.VARIABLE, "lines")
    with progress.progress("full, rows") as moved:
        for seconds, done in ((0.0, 0), (0.1, 1000), (10.0, 250_000), (30.0, 600_000)):
            clock[0] = seconds
            moved(done, 1_000_000)
    assert capsys.readouterr().out.splitlines() == [
        f"{progress.MARK}full, rows: 0 of 1,000,000",
        f"{progress.MARK}full, rows: 250,000 of 1,000,000, 30 s left",
        f"{progress.MARK}full, rows: 600,000 of 1,000,000, 20 s left",
    ]


def test_a_file_or_a_pipe_gets_nothing(monkeypatch, capsys):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    assert list(progress.each("train", ["purchase", "churn"])) == ["purchase", "churn"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_and_a_pipe_beside_it_its_own_lines(monkeypatch, capsys):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for name in progress.each("train", ["purchase", "churn"]):
        sys.stdout.write(f"{name}\n")
    shown = capsys.readouterr()
    assert shown.out == "purchase\nchurn\n"
    assert "train" in shown.err
