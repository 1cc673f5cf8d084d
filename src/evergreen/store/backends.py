"""Where the buckets of clients are computed: in this process, in others, or on a cluster.

The same function runs everywhere, through joblib: on processes of this machine (loky), or on a Dask
or Ray cluster that is there already. Whatever the backend and the number of workers, results come
in the order of the tasks.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
import numpy as np

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError
from evergreen.settings import paths
from evergreen.settings.kernels import CORETYPE, DISABLED
from evergreen.store import files
from evergreen.store.machine import platform_class

if TYPE_CHECKING:
    from evergreen.settings.pipeline import Compute

Task = TypeVar("Task")
Result = TypeVar("Result")
TIMEOUT_SECONDS = 20
"""How long to wait for a cluster."""
RETRIES = 3
"""How often a task is tried again whose worker has died."""
CODE = Path(__file__).parents[1]
PRELOAD = "--preload-nanny evergreen.stages"
"""What makes the workers of Dask choose the arithmetic of stages, before they import numpy."""


class BackendError(EvergreenError):
    """A cluster is not there, or its workers would compute something else than this machine."""


Run = Callable[[Callable[[Task], Result], Sequence[Task]], list[Result]]


@contextmanager
def open_backend(compute: Compute) -> Iterator[Run[Any, Any]]:
    """Connect to the workers of the settings.

    Yields
    ------
    callable
        Takes a function of a module and its tasks; returns the results in the order of the tasks.
        A task is tried again if its worker dies.

    Raises
    ------
    BackendError
        If the cluster can't be reached within `TIMEOUT_SECONDS`, has fewer workers than
        ``compute.workers``, or one of them has another version of Evergreen or numpy, or computes
        with another arithmetic.
    """
    if is_this_process(compute):
        yield lambda function, tasks: [function(task) for task in tasks]
        return
    with ExitStack() as stack:
        options = CONNECT[compute.backend](compute, stack)
        stack.enter_context(joblib.parallel_config(**options))
        yield lambda function, tasks: list(
            joblib.Parallel(pre_dispatch="all", batch_size=1)(
                joblib.delayed(function)(task) for task in tasks
            )
        )


def is_this_process(compute: Compute) -> bool:
    """Whether the settings name no other workers."""
    return compute.backend == "loky" and compute.workers in (None, 1)


def _loky(compute: Compute, _stack: ExitStack) -> dict[str, Any]:
    _check_number(compute.workers, joblib.cpu_count(), "this machine")
    return {"backend": "loky", "n_jobs": compute.workers, "inner_max_num_threads": compute.threads}


def _dask(compute: Compute, stack: ExitStack) -> dict[str, Any]:
    try:
        from distributed import Client  # noqa: PLC0415
    except ImportError:
        raise _missing("Dask", "dask", "distributed") from None
    try:
        client = stack.enter_context(
            Client(compute.address, timeout=TIMEOUT_SECONDS, set_as_default=False)
        )
    except OSError:
        raise _unreachable("Dask scheduler", compute, "dask scheduler") from None
    threads = client.nthreads()
    start = f"dask worker {compute.address} {PRELOAD}"
    _check_number(compute.workers, sum(threads.values()), str(compute.address), f"`{start}`, or ")
    for worker, found in client.run(_describe_or_none, on_error="return").items():
        _check_worker(worker, found, start)
    return {"backend": "dask", "client": client, "n_jobs": -1, "retries": RETRIES}


def _ray(compute: Compute, stack: ExitStack) -> dict[str, Any]:
    try:
        import ray  # noqa: PLC0415
        from ray.util.joblib import register_ray  # noqa: PLC0415
    except ImportError:
        raise _missing("Ray", "ray") from None
    host, _, port = str(compute.address).rpartition("://")[2].rpartition(":")
    try:  # Ray itself waits longer, and then ends the process
        with socket.create_connection((host, int(port or 0)), TIMEOUT_SECONDS):
            pass
        choice = {name: os.environ[name] for name in (CORETYPE, DISABLED) if name in os.environ}
        ray.init(
            address=compute.address,
            logging_level="warning",
            log_to_driver=False,
            runtime_env={"env_vars": choice},
        )
    except (OSError, ValueError):
        raise _unreachable("Ray cluster", compute, "ray start --head") from None
    stack.callback(ray.shutdown)
    register_ray()
    cores = int(ray.cluster_resources().get("CPU", 0))
    start = f"ray start --address {compute.address}"
    _check_number(compute.workers, cores, str(compute.address), f"`{start}`, or ")
    probe = ray.remote(_describe_or_none).options(scheduling_strategy="SPREAD")
    for number, found in enumerate(ray.get([probe.remote() for _ in range(cores)])):
        _check_worker(f"worker {number}", found, start)
    return {"backend": "ray", "n_jobs": compute.workers or cores}


CONNECT: dict[str, Callable[[Compute, ExitStack], dict[str, Any]]] = {
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
}


@cache
def describe() -> dict[str, str]:
    """What has to be the same on all workers for equal bytes."""
    return {
        "Evergreen": files.digest_of(files.digests(CODE, pattern="*.py"))[:8],
        "numpy": np.__version__,
        "arithmetic": platform_class(),
    }


def _describe_or_none() -> dict[str, str]:
    return describe()


def _check_worker(worker: str, found: object, start: str) -> None:
    """Compare a worker with this process."""
    if not isinstance(found, dict):
        raise BackendError(
            f"{worker} can't import Evergreen: {found}",
            f"install this version there, and start it with `{start}`",
        )
    for what, expected in describe().items():
        if found.get(what) != expected:
            raise BackendError(
                f"{worker} has another {what} than this machine: expected {expected}, found "
                f"{found.get(what)}, so results would differ",
                f"use the same image on both, and start the worker with `{start}`",
            )


def _check_number(needed: int | None, found: int, where: str, otherwise: str = "") -> None:
    if found < (needed or 1):
        raise BackendError(
            f"{where} has {plural(found, 'worker')}, expected {needed or 1} or more",
            f"{otherwise}set compute.workers in {paths.PARAMS} to what is there",
        )


def _unreachable(what: str, compute: Compute, start: str) -> BackendError:
    return BackendError(
        f"no {what} answers at {compute.address} within {TIMEOUT_SECONDS} seconds",
        f"start it with `{start}`, or set compute.address or compute.backend in {paths.PARAMS}",
    )


def _missing(what: str, *packages: str) -> BackendError:
    return BackendError(
        f"compute.backend needs {what}, which can't be imported here",
        f"pip install {' '.join(packages)}",
    )
