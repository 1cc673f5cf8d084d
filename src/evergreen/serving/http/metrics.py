"""What Prometheus is told: requests, their time, rows predicted, and the release in use."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNMATCHED = "unmatched"
"""Stands for every path that is no route: what a caller makes up is no label."""


class Meters:
    """Counters of one server."""

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
            "Time from a request's head to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._rows = Counter(
            "evergreen_predicted_rows",
            "Clients predicted, by release.",
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
            "1 while what is published can't be used, and an older release serves.",
            registry=self._registry,
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method if method in METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def predicted(self, release: str, rows: int) -> None:
        """Count clients that were predicted."""
        self._rows.labels(release).inc(rows)

    def written(self, release: str, *, refused: bool) -> bytes:
        """All of it in Prometheus' text format."""
        self._release.clear()
        self._release.labels(release).set(1)
        self._refused.set(refused)
        return generate_latest(self._registry)
