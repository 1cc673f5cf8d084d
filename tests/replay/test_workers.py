import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from evergreen.errors import DataError
from evergreen.replay import workers
from evergreen.replay.scenario import make_scenario
from evergreen.settings.loading import load_settings
from evergreen.settings.sources import TransactionsSource

COLUMNS = {"client_id": "c", "timestamp": "d", "amount": "a"}


def test_a_replay_of_user_data_needs_all_of_it_ingested(tmp_path, monkeypatch):
    settings = load_settings()
    own = TransactionsSource.model_validate({"files": "inbox/*.csv", "columns": COLUMNS})
    source = settings.source.model_copy(update={"demo": None, "transactions": own})
    settings = settings.model_copy(update={"source": source})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        workers.replay(make_scenario(settings, date(2024, 3, 1), date(2024, 5, 1), 1), [], jobs=1)
    assert "a replay to 2024-05-01 needs rows until 2024-04-30" in str(error.value)
    assert "Next: evergreen ingest --through 2024-04-30" in str(error.value)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_processes_end_with_a_replay_that_is_killed_or_stopped(tmp_path, number):
    pid = tmp_path / "worker"
    code = (
        "import os, signal, time\n"
        "from pathlib import Path\n"
        "from evergreen.cli.stopping import handle_signals\n"
        "from evergreen.replay.workers import worker_processes\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "    handle_signals()\n"
        "    with worker_processes(1) as pool:\n"
        f"        Path({str(pid)!r}).write_text(str(pool.submit(os.getpid).result()))\n"
        "        pool.submit(time.sleep, 600).result()\n"
    )
    (tmp_path / "replays.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "replays.py"], stderr=subprocess.PIPE, text=True
    )
    _wait(lambda: pid.exists() and pid.read_text())
    worker = Path("/proc") / pid.read_text()
    assert worker.exists()
    parent.send_signal(number)
    output = parent.communicate()[1]
    _wait(lambda: not worker.exists())
    if number != signal.SIGKILL:
        assert (parent.returncode, output) == (128 + number, "")  # nor a word of leaked semaphores


def _wait(done, seconds=60):
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.05)
