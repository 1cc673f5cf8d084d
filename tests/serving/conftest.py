"""A server with a release of the small retailer, on a port of this machine."""

import runpy
import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from evergreen.serving.http.app import create_app
from evergreen.serving.http.connections import Connections
from evergreen.serving.http.limits import RequestLimits
from evergreen.serving.http.release_watcher import ReleaseWatcher
from evergreen.serving.http.score_cache import ScoreCache
from evergreen.serving.http.server import listen, make_config
from evergreen.settings import paths

POLL_SECONDS, LIMITS = 0.02, RequestLimits()


class Running:
    """A running server."""

    def __init__(self, url, watcher, cache):
        self.url = url
        self.watcher = watcher
        self.cache = cache
        self.client = httpx.Client(base_url=url, timeout=60)

    def predict(self, as_of="2024-04-01", **request):
        return self.client.post("/predict", params={"as_of": as_of}, **request)

    def upload(self, text, **request):
        headers = {"content-type": "text/csv"} | request.pop("headers", {})
        return self.predict(content=text, headers=headers, **request)


@contextmanager
def running(*, key=None, limits=LIMITS, connections=None):
    """Serve what is published below the working folder."""
    watcher, cache = ReleaseWatcher(), ScoreCache()
    cache.refresh(watcher.release)
    app = create_app(watcher, cache, key=key, limits=limits, poll_seconds=POLL_SECONDS)
    server = uvicorn.Server(make_config(app, connections or Connections()))
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    running_server = Running(f"http://127.0.0.1:{port}", watcher, cache)
    try:
        yield running_server
    finally:
        running_server.client.close()
        server.should_exit = True
        thread.join()


def publish(release, name):
    """Copy a release below releases/ and let the link name it, by one rename."""
    if not (paths.RELEASES / name).exists():
        shutil.copytree(release, paths.RELEASES / name)
    link = paths.RELEASES / ".next"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(paths.CURRENT)


@pytest.fixture
def published(finished):
    """A repository whose release is served."""
    finished.write_params()
    paths.RELEASES.mkdir()
    publish(paths.PRODUCTION, "one")
    return finished


@pytest.fixture
def serving(published):
    """Start a server of it: `with serving(...) as server`."""
    return running


@pytest.fixture
def publishing():
    return publish


@pytest.fixture(scope="module")
def serving_all(finished_folder, tmp_path_factory):
    """Start a server, for a whole file of tests, none of which changes what is published."""
    folder = tmp_path_factory.mktemp("served") / "copy"
    shutil.copytree(finished_folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        repository = runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))["Repository"](
            folder
        )
        repository.write_params()
        paths.RELEASES.mkdir()
        publish(paths.PRODUCTION, "one")
        yield running


@pytest.fixture(scope="module")
def server(serving_all):
    """A server for a whole file of tests."""
    with serving_all() as started:
        yield started


@pytest.fixture(scope="session")
def malformed():
    """`malformed(seed)`: see malformed.py."""
    return runpy.run_path(str(Path(__file__).parent / "http" / "malformed.py"))["malformed"]
