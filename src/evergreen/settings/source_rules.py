"""What a source's settings say about the cells of anybody who sends some: its rules."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.settings.sources import Source


@dataclass(frozen=True)
class SourceRules:
    """How Python and HTTP read cells, so that they mean what they mean in the source.

    Attributes
    ----------
    timezone
        The retailer's IANA time zone, to which times with a zone are converted.
    date_format, date_order
        Those of the tables of transactions, where all agree.
    missing_ids, fold_case
        How ids of clients are read.
    """

    timezone: str | None = None
    date_format: str = "auto"
    date_order: str | None = None
    missing_ids: tuple[str, ...] = ()
    fold_case: bool = False

    @classmethod
    def of(cls, source: Source) -> SourceRules:
        """The rules of a source."""
        tables = source.transaction_tables.values()
        formats = {table.date_format for table in tables}
        orders = {table.date_order for table in tables}
        date_format = formats.pop() if len(formats) == 1 else "auto"
        return cls(
            timezone=source.timezone,
            # year first: callers may leave out a time of day that files have
            date_format="auto" if date_format.startswith(("%Y", "iso")) else date_format,
            date_order=orders.pop() if len(orders) == 1 else None,
            missing_ids=tuple(source.missing_ids or ()),
            fold_case=bool(source.fold_case),
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SourceRules:
        """The rules that `as_json` gave."""
        listed = {"missing_ids": tuple(values.get("missing_ids", ()))}
        return cls(**(values | listed))

    def as_json(self) -> dict[str, Any]:
        """What differs from the default."""
        default = asdict(SourceRules())
        return {name: value for name, value in asdict(self).items() if value != default[name]}
