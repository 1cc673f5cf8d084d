"""Several processes on one socket: counted together, replaced when they die, and ended together."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest

from evergreen.settings import paths
from evergreen.vcs.processes import is_alive

pytestmark = pytest.mark.slow
WORKERS, REQUESTS = 2, 40
LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ (?P<pid>\d+) (INFO|WARNING|ERROR) .+")
BODY = {"clients": [{"client_id": "a", "transactions": [{"timestamp": "2024-03-01", "amount": 5}]}]}


@contextmanager
def served(log):
    """The command with several workers; yields its process and its URL."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "evergreen", "serve", "--port", str(port)]
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            [*command, "--workers", str(WORKERS)], stderr=stderr, env=os.environ
        ) as process,
    ):
        try:
            becomes(lambda: log.read_text().count("startup complete") == WORKERS)
            yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def becomes(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def workers_of(process):
    return [child for child in process.children() if "--multiprocessing-fork" in child.cmdline()]


def get(url):
    """Ask over a new connection, which any worker may accept."""
    with suppress(httpx.TransportError):
        return httpx.get(url, timeout=60)
    return httpx.Response(599)


def total(url):
    """The number of answered requests to /health."""
    counts = re.findall(r'requests_total{.*"/health".*} (\S+)', get(f"{url}/metrics").text)
    return sum(map(float, counts))


def test_workers_are_one_server(published, publishing, tmp_path):
    log = tmp_path / "log"
    with served(log) as (process, url):
        workers = workers_of(process)
        assert len(workers) == WORKERS
        assert [get(f"{url}/health").status_code for _ in range(REQUESTS)] == [200] * REQUESTS
        assert total(url) == REQUESTS

        shutil.copytree(paths.PRODUCTION, "bad")
        (paths.RELEASES.parent / "bad" / "clv" / "manifest.json").unlink()
        publishing("bad", "bad")
        workers[0].kill()
        becomes(lambda: "waits for a valid release" in log.read_text())
        assert "release_refused 1.0" in get(f"{url}/metrics").text
        assert httpx.post(f"{url}/predict?as_of=2024-04-01", json=BODY).status_code == 200
        publishing(paths.PRODUCTION, "again")
        becomes(lambda: log.read_text().count("startup complete") == WORKERS + 1)
        becomes(lambda: "release_refused 0.0" in get(f"{url}/metrics").text)
        assert total(url) == REQUESTS
        assert len(workers_of(process)) == WORKERS

        workers = workers_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        assert not any(map(is_alive, workers))
    lines = log.read_text().splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == ["Stopped by SIGTERM."]
    assert sum("GET /health 200" in line for line in lines) == REQUESTS


def test_workers_end_with_a_parent_that_is_killed(published, tmp_path):
    with served(tmp_path / "log") as (process, _):
        workers = workers_of(process)
        process.kill()
        becomes(lambda: not any(map(is_alive, workers)))
