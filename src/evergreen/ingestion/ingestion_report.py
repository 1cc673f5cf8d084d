"""The ingestion report: the status of every row of a source, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evergreen.core.wording import plural
from evergreen.ingestion.corrections import (
    ACCEPTED,
    ALREADY_INGESTED,
    CORRECTION,
    IN_ANOTHER_FILE,
    IN_ONE_FILE,
    REPLACED,
)
from evergreen.ingestion.deduplication import AFTER_THROUGH, DEFERRED
from evergreen.settings import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

ALWAYS_REPORTED = (ACCEPTED, ALREADY_INGESTED, AFTER_THROUGH)
REPORTED_IF_ANY = (CORRECTION, IN_ANOTHER_FILE, IN_ONE_FILE, REPLACED, DEFERRED)
GOOD = (*ALWAYS_REPORTED, *REPORTED_IF_ANY)
INPUTS_SHOWN = 5
EXCLUDED = "excluded: "


@dataclass(frozen=True)
class IngestionReport:
    """How many rows of each input of a source have which status.

    A status is one of `GOOD`, or begins with `EXCLUDED`, or is the reason for a quarantine.
    """

    by_input: dict[str, dict[str, int]]
    first_day: date | None
    last_day: date | None

    @property
    def rows_by_status(self) -> dict[str, int]:
        """How many rows have which status; counts each row once."""
        counts: Counter[str] = Counter()
        for of_input in self.by_input.values():
            counts.update(of_input)
        return dict(sorted(counts.items()))

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
            if status not in GOOD and not status.startswith(EXCLUDED)
        }

    @property
    def excluded(self) -> dict[str, int]:
        """How many rows are excluded on purpose, by reason."""
        return {
            status.removeprefix(EXCLUDED): count
            for status, count in self.rows_by_status.items()
            if status.startswith(EXCLUDED)
        }

    def lines(self) -> list[str]:
        """The report as text, a line each."""
        counts = {k: self.rows_by_status.get(k, 0) for k in ALWAYS_REPORTED}
        counts |= {k: self.rows_by_status[k] for k in REPORTED_IF_ANY if k in self.rows_by_status}
        if self.excluded:
            counts["excluded"] = sum(self.excluded.values())
        counts["quarantined"] = sum(self.quarantined.values())
        total = " + ".join(f"{count:,} {status}" for status, count in counts.items())
        excluded = [f"  {count:,} excluded: {reason}" for reason, count in self.excluded.items()]
        bad = [f"  {count:,} x {reason}" for reason, count in self.quarantined.items()]
        where = [f"  see {paths.QUARANTINE}"] if bad else []
        listed = [*excluded, *bad, *self._lines_of_inputs(), *where]
        return [f"read {self.read:,} rows = {total}", *listed]

    def _lines_of_inputs(self) -> list[str]:
        """Of several inputs, those with rows that are not simply ingested; most bad rows first."""
        listed = []
        for name, of_input in self.by_input.items():
            report = replace(self, by_input={name: of_input})
            counts = {status: of_input[status] for status in REPORTED_IF_ANY if status in of_input}
            counts |= {"excluded": sum(report.excluded.values())}
            counts |= {"quarantined": sum(report.quarantined.values())}
            text = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
            if text:
                rank = (-counts["quarantined"], -sum(counts.values()), name)
                listed.append((rank, f"  {name}: {text}"))
        if len(self.by_input) == 1 or not listed:
            return []
        lines = [line for _, line in sorted(listed)]
        more = len(lines) - INPUTS_SHOWN
        rest = [f"  {plural(more, 'more file')} with such rows"] if more > 0 else []
        return lines[:INPUTS_SHOWN] + rest

    def counts(self) -> dict[str, Any]:
        """The counts as JSON: ``read`` is the sum of all others."""
        return {
            "read": self.read,
            **{status.replace(" ", "_"): self.rows_by_status.get(status, 0) for status in GOOD},
            "excluded": self.excluded,
            "quarantined": self.quarantined,
        }


def as_json(reports: Mapping[str, IngestionReport]) -> dict[str, Any]:
    """The reports of a table's sources as JSON: the sums, then the counts by source and input."""
    of_any = next(iter(reports.values()))
    sums = {label: report.rows_by_status for label, report in reports.items()}
    return {
        **replace(of_any, by_input=sums).counts(),
        "first_day": str(of_any.first_day) if of_any.first_day else None,
        "last_day": str(of_any.last_day) if of_any.last_day else None,
        "sources": {
            label: report.counts() | {"inputs": report.by_input}
            for label, report in reports.items()
        },
    }
