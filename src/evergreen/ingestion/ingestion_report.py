"""What became of every row of a source, in words and as JSON."""

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
    """What became of the rows of a source: `rows_by_status` counts each row once.

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
        """How many rows are not meant, by reason."""
        return {
            status.removeprefix(LEFT_OUT): count
            for status, count in self.rows_by_status.items()
            if status.startswith(LEFT_OUT)
        }

    def lines(self) -> list[str]:
        """The report in words, a line each."""
        counts = {k: self.rows_by_status.get(k, 0) for k in ALWAYS_REPORTED}
        counts |= {k: self.rows_by_status[k] for k in REPORTED_IF_ANY if k in self.rows_by_status}
        if self.left_out:
            counts["left out"] = sum(self.left_out.values())
        counts["quarantined"] = sum(self.quarantined.values())
        sums = " + ".join(f"{count:,} {status}" for status, count in counts.items())
        reasons = [f"  {count:,} x {why}" for why, count in self.quarantined.items()]
        apart = [f"  {count:,} left out: {why}" for why, count in self.left_out.items()]
        where = [f"  see {paths.QUARANTINE}"] if self.quarantined else []
        return [f"read {self.read:,} rows = {sums}", *apart, *reasons, *where]

    def as_json(self) -> dict[str, Any]:
        """The report for a file: read is the sum of all the others."""
        return {
            "read": self.read,
            **{status.replace(" ", "_"): self.rows_by_status.get(status, 0) for status in GOOD},
            "left_out": self.left_out,
            "quarantined": self.quarantined,
            "first_day": str(self.first_day) if self.first_day else None,
            "last_day": str(self.last_day) if self.last_day else None,
        }
