"""A cluster and a storage, started as a user would."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from moto.server import ThreadedMotoServer

from evergreen.settings.pipeline import Compute
from evergreen.store.backends import PRELOAD, BackendError, open_backend

DASK = Path(sys.executable).with_name("dask")
ROOT = Path(__file__).parents[2]


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def free_port():
    """A port at which nobody answers."""
    return _free_port()


@pytest.fixture(scope="session")
def s3():
    """Variables with which an S3 of moto's, on loopback, is used."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    server.stop()


@pytest.fixture(scope="session")
def cluster(s3):
    """The settings of a Dask cluster: a scheduler and two workers, which know the storage."""
    port = _free_port()
    address = f"tcp://127.0.0.1:{port}"
    # workers choose their arithmetic themselves, as they do elsewhere
    choices = {"OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"}
    variables = {name: value for name, value in os.environ.items() if name not in choices} | s3
    variables["PYTHONPATH"] = str(ROOT / "src")
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", str(port))
    worker = ("worker", address, "--host", "127.0.0.1", "--nworkers", "2", "--nthreads", "1")
    processes = [
        subprocess.Popen(
            [DASK, *command, "--no-dashboard"],
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in (scheduler, (*worker, *PRELOAD.split()))
    ]
    try:
        compute = Compute(backend="dask", address=address, workers=2)
        _wait_for(compute)
        yield compute.model_copy(update={"workers": None})  # a test may kill one
    finally:
        for process in processes:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def _wait_for(compute):
    for _ in range(300):
        try:
            with open_backend(compute):
                return
        except BackendError:
            time.sleep(0.2)
    raise TimeoutError(compute)
