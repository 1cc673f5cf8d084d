"""What the rows about to be ingested add up to, to compare it with the shop's own report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.ingestion.corrections import ACCEPTED, CORRECTION

if TYPE_CHECKING:
    from datetime import date

    import duckdb


@dataclass(frozen=True)
class Totals:
    """Rows, their clients, the first and the last day, and the sum of amounts in minor units."""

    rows: int
    clients: int
    first_day: date
    last_day: date
    amount_minor: int
    minor_units: int

    @property
    def amount(self) -> str:
        """The sum in major units, such as ``60,894.00``."""
        sign = "-" if self.amount_minor < 0 else ""
        major, minor = divmod(abs(self.amount_minor), self.minor_units)
        digits = len(str(self.minor_units - 1)) if self.minor_units > 1 else 0
        return f"{sign}{major:,}" + (f".{minor:0{digits}}" if digits else "")

    def __str__(self) -> str:
        """For example ``62 rows of 11 clients from 2024-03-01 to 2024-03-31, in all 60,894.00``."""
        of_clients = f"{plural(self.rows, 'row')} of {plural(self.clients, 'client')}"
        return f"{of_clients} from {self.first_day} to {self.last_day}, in all {self.amount}"


def accepted_totals(
    con: duckdb.DuckDBPyConnection, through: date, minor_units: int
) -> Totals | None:
    """The totals of the transactions about to be ingested; None if there are none.

    Parameters
    ----------
    con
        A connection with ``incoming`` and ``verdicts``.
    """
    [(rows, clients, first, last, amount)] = con.sql(
        f"""
        select count(*), count(distinct client_id), min(timestamp::date), max(timestamp::date),
               sum(amount_minor)
        from incoming left join verdicts using (input, line)
        where status = 0 and day <= date '{through}'
            and coalesce(verdict, '{ACCEPTED}') in ('{ACCEPTED}', '{CORRECTION}')
        """
    ).fetchall()
    return Totals(rows, clients, first, last, amount, minor_units) if rows else None
