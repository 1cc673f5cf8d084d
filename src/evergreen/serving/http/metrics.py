"""Metrics for Prometheus: requests, their time, predicted rows, and the release in use.

With several workers, each keeps its counts in a file, and the metrics are their sums.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the folder of the workers' counts, as Prometheus' client has it."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNMATCHED = "unmatched"
"""The label of every path that is not a route: callers must not be able to invent labels."""


class ServerMetrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "evergreen_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "evergreen_request_seconds",
            "Time from the head of a request to the end of its response.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._rows = Counter(
            "evergreen_predicted_rows",
            "Predicted clients by release.",
            ("release",),
            registry=self._registry,
        )
        self._release = Gauge(
            "evergreen_release_info",
            "1 for a release in use.",
            ("release",),
            multiprocess_mode="livemax",
            registry=self._registry,
        )
        self._in_use: str | None = None
        self._refused = Gauge(
            "evergreen_release_refused",
            "1 while the published release can't be used and an older one serves.",
            multiprocess_mode="livemax",
            registry=self._registry,
        )

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_rows(self, release: str, rows: int) -> None:
        """Count predicted clients."""
        self._rows.labels(release).inc(rows)

    def use_release(self, release: str, *, refused: bool) -> None:
        """Note the release in use, and whether a newer one is refused."""
        if self._in_use not in (None, release):
            self._release.labels(self._in_use).set(0)
        self._in_use = release
        self._release.labels(release).set(1)
        self._refused.set(refused)

    def as_text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        for path in Path(folder).glob("gauge_live*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not _is_alive(pid):
                mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
