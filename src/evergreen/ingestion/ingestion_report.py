"""What became of every row of a source, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evergreen.ingestion.corrections import (
    ACCEPTED,
    CORRECTING,
    ELSEWHERE,
    KNOWN,
    REPLACED,
)
from evergreen.ingestion.deduplication import LATER, WAITING
from evergreen.settings import paths

if TYPE_CHECKING:
    from datetime import date

ALWAYS_TOLD = (ACCEPTED, KNOWN, LATER)
SOMETIMES_TOLD = (CORRECTING, ELSEWHERE, REPLACED, WAITING)
GOOD = (*ALWAYS_TOLD, *SOMETIMES_TOLD)
LEFT_OUT = "left out: "


@dataclass(frozen=True)
class Ingested:
    """What became of the rows of a source: `fates` counts each row once.

    A fate is one of `GOOD`, or begins with `LEFT_OUT`, or is the reason for a quarantine.
    """

    fates: dict[str, int]
    first_day: date | None
    last_day: date | None

    @property
    def read(self) -> int:
        """All rows of the source."""
        return sum(self.fates.values())

    @property
    def quarantined(self) -> dict[str, int]:
        """How many rows are bad, by reason."""
        return {
            fate: count
            for fate, count in self.fates.items()
            if fate not in GOOD and not fate.startswith(LEFT_OUT)
        }

    @property
    def left_out(self) -> dict[str, int]:
        """How many rows are not meant, by reason."""
        return {
            fate.removeprefix(LEFT_OUT): count
            for fate, count in self.fates.items()
            if fate.startswith(LEFT_OUT)
        }

    def lines(self) -> list[str]:
        """The account in words, a line each."""
        counts = {k: self.fates.get(k, 0) for k in ALWAYS_TOLD}
        counts |= {k: self.fates[k] for k in SOMETIMES_TOLD if k in self.fates}
        if self.left_out:
            counts["left out"] = sum(self.left_out.values())
        counts["quarantined"] = sum(self.quarantined.values())
        sums = " + ".join(f"{count:,} {fate}" for fate, count in counts.items())
        reasons = [f"  {count:,} x {why}" for why, count in self.quarantined.items()]
        apart = [f"  {count:,} left out: {why}" for why, count in self.left_out.items()]
        where = [f"  see {paths.QUARANTINE}"] if self.quarantined else []
        return [f"read {self.read:,} rows = {sums}", *apart, *reasons, *where]

    def as_json(self) -> dict[str, Any]:
        """The account for a file: read is the sum of all the others."""
        return {
            "read": self.read,
            **{fate.replace(" ", "_"): self.fates.get(fate, 0) for fate in GOOD},
            "left_out": self.left_out,
            "quarantined": self.quarantined,
            "first_day": str(self.first_day) if self.first_day else None,
            "last_day": str(self.last_day) if self.last_day else None,
        }
