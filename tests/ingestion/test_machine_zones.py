"""Ingestion, Python and HTTP give the same bytes whatever the machine's time zone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "machine_zone.py"
ZONES = ("UTC", "America/New_York", "Asia/Tokyo")


@pytest.mark.parametrize("timezone", ["", "Europe/Paris"])
def test_the_zone_of_the_machine_changes_nothing(tmp_path, timezone):
    processes = []
    for number, zone in enumerate(ZONES):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [sys.executable, SCRIPT, *([timezone] if timezone else [])]
        environment = os.environ | {"TZ": zone, "PGTZ": zone}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, cwd=folder, env=environment, **pipes))
    results = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], results
    assert results[0][0].count("\n") == (11 if timezone else 8)
    assert {output for output, _ in results} == {results[0][0]}
