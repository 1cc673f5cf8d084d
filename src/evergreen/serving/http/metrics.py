"""Metrics for Prometheus: requests, their time, predicted rows, and the release in use."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
            "1 for the release in use.",
            ("release",),
            registry=self._registry,
        )
        self._refused = Gauge(
            "evergreen_release_refused",
            "1 while the published release can't be used and an older one serves.",
            registry=self._registry,
        )

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_rows(self, release: str, rows: int) -> None:
        """Count predicted clients."""
        self._rows.labels(release).inc(rows)

    def as_text(self, release: str, *, refused: bool) -> bytes:
        """All metrics in Prometheus' text format."""
        self._release.clear()
        self._release.labels(release).set(1)
        self._refused.set(refused)
        return generate_latest(self._registry)
