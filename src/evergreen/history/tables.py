"""The history as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table
from rich.text import Text

from evergreen.history.alerts import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evergreen.history.rollback_records import RollbackRecord
    from evergreen.history.run_records import RunRecord, TargetRecord
    from evergreen.history.run_summaries import Live, Version

PROMOTED = Text("promoted", style="green")


def history_table(
    records: list[RunRecord], rollbacks: list[RollbackRecord], target: str | None
) -> Table:
    """A line for each candidate that was judged, and for each rollback, in order."""
    table = Table(title="History: gains are on held-out clients, over what was in production")
    for column in ("as of", "target", "candidate", "gain", "interval", "outcome"):
        table.add_column(column, justify="right" if column == "gain" else "left", no_wrap=True)
    for record in records:
        for name, found in record.targets.items():
            if target in (None, name):
                for line in _lines(found):
                    table.add_row(str(record.as_of), name, *line)
        for undone in rollbacks:
            if undone.after == record.as_of and (target is None or target in undone.targets):
                names = ", ".join(undone.targets)
                table.add_row(str(undone.after), names, undone.what, "", "", undone.reason)
        table.add_section()
    return table


def _lines(found: TargetRecord) -> Iterator[tuple[str, str, str, str | Text]]:
    for kind, judged in found.candidates.items():
        gain = "" if judged.gain is None else f"{judged.gain:+.2%}"
        low, high = judged.interval or (None, None)
        interval = "" if low is None or high is None else f"{100 * low:+.2f} to {100 * high:+.2f} %"
        won = found.action == "promoted" and judged.version == found.version
        reason = (
            "held"
            if found.verdict.startswith("held")
            else judged.reason.replace("_", " ").removeprefix("gain ")
        )
        yield kind, gain, interval, PROMOTED if won else reason
    if not found.candidates:
        yield "-", "", "", found.verdict
    for alert in found.alerts:
        yield "alert", "", "", Text(f"{WORDS[alert.kind]} (since {alert.since})", style="red")


def live_table(found: list[Live], target: str | None) -> Table:
    """A line for each release and target of which past predictions have met their outcome."""
    table = Table(title="Live: what releases said of all clients, against what happened")
    for column in ("release", "target", "predictions", "loss", "expected", "predicted", "happened"):
        side: Literal["left", "right"] = "left" if column in ("release", "target") else "right"
        table.add_column(column, justify=side, no_wrap=True)
    for one in sorted(found, key=lambda one: one.release):
        if target in (None, one.target):
            expected = "" if one.expected is None else f"{one.expected:.4f}"
            means = f"{one.mean_prediction:.4g}", f"{one.mean_label:.4g}"
            table.add_row(
                one.release, one.target, f"{one.rows:,}", f"{one.loss:.4f}", expected, *means
            )
    return table


def versions_table(versions: list[Version], target: str | None) -> Table:
    """A line for each model that was ever judged."""
    table = Table(title="Versions")
    for column in ("target@version", "kind", "loss", "parent", ""):
        table.add_column(column, justify="right" if column == "loss" else "left", no_wrap=True)
    for found in versions:
        if target in (None, found.target):
            table.add_row(
                f"{found.target}@{found.version}",
                found.kind,
                "" if found.loss is None else f"{found.loss:.4f}",
                found.parent or "",
                PROMOTED if found.promoted else "",
            )
    return table


def as_json(records: list[RunRecord], target: str | None) -> list[dict[str, Any]]:
    """Whole records, without the other targets where one is asked for."""
    found = [record.model_dump(mode="json") for record in records]
    for record in found:
        record["targets"] = {
            name: value for name, value in record["targets"].items() if target in (None, name)
        }
    return found
