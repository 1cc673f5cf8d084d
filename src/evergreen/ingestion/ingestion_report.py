"""The ingestion report: the status of every row of a source, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evergreen.ingestion.corrections import (
    ACCEPTED,
    ALREADY_INGESTED,
    CORRECTION,
    IN_ANOTHER_FILE,
    REPLACED,
)
from evergreen.ingestion.deduplication import AFTER_THROUGH, DEFERRED
from evergreen.settings import paths

if TYPE_CHECKING:
    from datetime import date

ALWAYS_REPORTED = (ACCEPTED, ALREADY_INGESTED, AFTER_THROUGH)
REPORTED_IF_ANY = (CORRECTION, IN_ANOTHER_FILE, REPLACED, DEFERRED)
GOOD = (*ALWAYS_REPORTED, *REPORTED_IF_ANY)
LEFT_OUT = "left out: "


@dataclass(frozen=True)
class IngestionReport:
    """How many rows of a source have which status; `rows_by_status` counts each row once.

    A status is one of `GOOD`, or begins with `LEFT_OUT`, or is the reason for a quarantine.
    """

    rows_by_status: dict[str, int]
    first_day: date | None
    last_day: date | None

    @property
    def read(self) -> int:
        """All rows of the source."""
        return sum(self.rows_by_status.values())

    @property
    def quarantined(self) -> dict[str, int]:
        """How many rows are bad, by reason."""
        return {
            status: count
            for status, count in self.rows_by_status.items()
            if status not in GOOD and not status.startswith(LEFT_OUT)
        }

    @property
    def left_out(self) -> dict[str, int]:
        """How many rows are left out on purpose, by reason."""
        return {
            status.removeprefix(LEFT_OUT): count
            for status, count in self.rows_by_status.items()
            if status.startswith(LEFT_OUT)
        }

    def lines(self) -> list[str]:
        """The report as text, a line each."""
        counts = {k: self.rows_by_status.get(k, 0) for k in ALWAYS_REPORTED}
        counts |= {k: self.rows_by_status[k] for k in REPORTED_IF_ANY if k in self.rows_by_status}
        if self.left_out:
            counts["left out"] = sum(self.left_out.values())
        counts["quarantined"] = sum(self.quarantined.values())
        total = " + ".join(f"{count:,} {status}" for status, count in counts.items())
        left_out = [f"  {count:,} left out: {reason}" for reason, count in self.left_out.items()]
        bad = [f"  {count:,} x {reason}" for reason, count in self.quarantined.items()]
        where = [f"  see {paths.QUARANTINE}"] if bad else []
        return [f"read {self.read:,} rows = {total}", *left_out, *bad, *where]

    def as_json(self) -> dict[str, Any]:
        """The report as JSON: ``read`` is the sum of all other counts."""
        return {
            "read": self.read,
            **{status.replace(" ", "_"): self.rows_by_status.get(status, 0) for status in GOOD},
            "left_out": self.left_out,
            "quarantined": self.quarantined,
            "first_day": str(self.first_day) if self.first_day else None,
            "last_day": str(self.last_day) if self.last_day else None,
        }
