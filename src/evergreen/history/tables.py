"""Tables of the history for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table
from rich.text import Text

from evergreen.history.alerts import MESSAGES

if TYPE_CHECKING:
    from evergreen.history.rollback_records import RollbackRecord
    from evergreen.history.run_records import RunRecord, TargetRecord
    from evergreen.history.run_summaries import Live, Version

PROMOTED = Text("promoted", style="green")


def columns(*names: str, numbers: Collection[str]) -> list[Column]:
    """Columns of a table in a terminal: no cell is wrapped, and numbers are aligned right."""
    return [
        Column(name, justify="right" if name in numbers else "left", no_wrap=True) for name in names
    ]


def history_table(
    records: list[RunRecord], rollbacks: list[RollbackRecord], target: str | None
) -> Table:
    """A row for each candidate, each rollback and each replaced verdict, in order."""
    table = Table(
        *columns("as of", "target", "candidate", "gain", "interval", "outcome", numbers={"gain"}),
        title="History (gains over the champion, on held-out clients)",
    )
    for record in records:
        if why := record.replaces:
            table.add_row(str(record.as_of), "", "replaces", "", "", f"{why.record}: {why.reason}")
        for name, result in record.targets.items():
            if target in (None, name):
                for row in _rows(result):
                    table.add_row(str(record.as_of), name, *row)
        for rollback in rollbacks:
            if rollback.after == record.as_of and (target is None or target in rollback.targets):
                names = ", ".join(rollback.targets)
                table.add_row(str(rollback.after), names, rollback.what, "", "", rollback.reason)
        table.add_section()
    return table


def _rows(result: TargetRecord) -> Iterator[tuple[str, str, str, str | Text]]:
    for kind, candidate in result.candidates.items():
        gain = "" if candidate.gain is None else f"{candidate.gain:+.2%}"
        low, high = candidate.interval or (None, None)
        interval = "" if low is None or high is None else f"{100 * low:+.2f} to {100 * high:+.2f} %"
        promoted = result.action == "promoted" and candidate.version == result.version
        reason = (
            "held"
            if result.verdict.startswith("held")
            else candidate.reason.replace("_", " ").removeprefix("gain ")
        )
        yield kind, gain, interval, PROMOTED if promoted else reason
    if not result.candidates:
        yield "-", "", "", result.verdict
    for alert in result.alerts:
        yield "alert", "", "", Text(f"{MESSAGES[alert.kind]} (since {alert.since})", style="red")


def live_table(results: list[Live], target: str | None) -> Table:
    """A row for each release and target whose predictions have a known outcome."""
    numbers = ("predictions", "loss", "expected", "predicted", "actual")
    table = Table(
        *columns("release", "target", *numbers, numbers=numbers),
        title="Live (predictions of all clients, compared with the outcome)",
    )
    for live in sorted(results, key=lambda live: live.release):
        if target in (None, live.target):
            expected = "" if live.expected is None else f"{live.expected:.4f}"
            means = f"{live.mean_prediction:.4g}", f"{live.mean_label:.4g}"
            table.add_row(
                live.release, live.target, f"{live.rows:,}", f"{live.loss:.4f}", expected, *means
            )
    return table


def versions_table(versions: list[Version], target: str | None) -> Table:
    """A row for each candidate of any run."""
    table = Table(
        *columns("target@version", "kind", "loss", "parent", "", numbers={"loss"}),
        title="Versions",
    )
    for version in versions:
        if target in (None, version.target):
            table.add_row(
                f"{version.target}@{version.version}",
                version.kind,
                "" if version.loss is None else f"{version.loss:.4f}",
                version.parent or "",
                PROMOTED if version.promoted else "",
            )
    return table


def as_json(records: list[RunRecord], target: str | None) -> list[dict[str, Any]]:
    """Complete records; of one target only if one is given."""
    dumped = [record.model_dump(mode="json") for record in records]
    for record in dumped:
        record["targets"] = {
            name: value for name, value in record["targets"].items() if target in (None, name)
        }
    return dumped
