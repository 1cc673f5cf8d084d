"""Every backend gives the same results in the same order, or says why it can't."""

import operator
import os
import signal

import pytest

from evergreen.settings.pipeline import Compute
from evergreen.store import backends
from evergreen.store.backends import BackendError, describe, open_backend


def test_one_worker_is_this_process():
    with open_backend(Compute()) as run:
        assert run(lambda _task: os.getpid(), [1, 2]) == [os.getpid()] * 2


@pytest.mark.slow
def test_processes_give_the_results_in_order():
    with open_backend(Compute(workers=2)) as run:
        assert run(operator.neg, range(64)) == list(range(0, -64, -1))


@pytest.mark.slow
def test_a_dask_cluster_gives_the_results_in_order_even_if_a_worker_dies(cluster, tmp_path):
    marker = tmp_path / "died"

    def negative_unless_it_dies(number):
        if number == 3 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return -number

    with open_backend(cluster) as run:
        assert run(operator.neg, range(64)) == list(range(0, -64, -1))
        assert run(negative_unless_it_dies, range(8)) == list(range(0, -8, -1))
    assert marker.exists()


@pytest.mark.slow
def test_more_workers_than_there_are_and_another_numpy_are_refused(cluster, monkeypatch):
    with (
        pytest.raises(BackendError, match=r"has \d workers?, expected 9 or more"),
        open_backend(cluster.model_copy(update={"workers": 9})),
    ):
        pass
    here = describe() | {"numpy": "0.1"}
    monkeypatch.setattr(backends, "describe", lambda: here)
    with (
        pytest.raises(BackendError, match=r"another numpy than this machine: expected 0\.1"),
        open_backend(cluster),
    ):
        pass


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_that_does_not_answer_is_named(backend, monkeypatch, free_port):
    monkeypatch.setattr(backends, "TIMEOUT_SECONDS", 1)
    if backend == "ray":
        pytest.importorskip("ray")
    address = f"127.0.0.1:{free_port}"
    with (
        pytest.raises(BackendError, match=f"answers at {address} within 1 seconds"),
        open_backend(Compute(backend=backend, address=address)),
    ):
        pass


def test_more_processes_than_cores_are_refused():
    with (
        pytest.raises(BackendError, match=r"this machine has \d+ workers?, expected 10000"),
        open_backend(Compute(workers=10_000)),
    ):
        pass


@pytest.mark.parametrize("values", [{"backend": "dask"}, {"address": "tcp://a:1"}])
def test_a_cluster_and_its_address_are_set_together(values):
    with pytest.raises(ValueError, match="set both, or neither"):
        Compute(**values)
