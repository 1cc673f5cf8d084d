"""From cells of text to typed values, in SQL, with the checks that keep a row out."""

from __future__ import annotations

from dataclasses import dataclass, field

from evergreen.ingestion.cells import MISSING

NO_BREAK = "\u00a0"
EARLIEST, LATEST = "1970-01-01", "2200-01-01"


@dataclass(frozen=True)
class Check:
    """A condition that keeps a row out: as bad, or as excluded on purpose.

    Attributes
    ----------
    column
        The column of the source that is to blame.
    value
        SQL of the text to show for it.
    fails
        SQL that is true for the rows that are kept out; it may use the canonical columns.
    excluded
        Whether it keeps them out on purpose.
    quiet
        Whether it is not reported where it keeps no row out.
    """

    column: str
    value: str
    fails: str
    reason: str
    excluded: bool = False
    quiet: bool = False


@dataclass
class Conversion:
    """The canonical columns of one input as SQL over its cells, and the checks in order.

    Attributes
    ----------
    two_sheets
        Whether the rows from where the dates step back are a second sheet that repeats a part of
        the first.
    per_order
        Whether an amount is the total of its order; None where orders are not known.
    key
        The column of the source that is the key of a row, if there is one.
    blank_amount
        SQL that is true where a row has no amount.
    """

    columns: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    two_sheets: bool = False
    per_order: bool | None = None
    key: str | None = None
    blank_amount: str = "false"


def trimmed_sql(cell: str) -> str:
    """SQL of a cell without the blanks around it; null if nothing is left."""
    odd = f"contains({cell}, '{NO_BREAK}') or contains({cell}, e'\\t')"
    blanks = f"e' \\t\\r\\n{NO_BREAK}'"
    return f"nullif(case when {odd} then trim({cell}, {blanks}) else trim({cell}) end, '')"


def filled_sql(cell: str) -> str:
    """SQL of the text of a cell; null if it is blank, or holds a word such as NULL or #N/A."""
    text = trimmed_sql(cell)
    words = "|".join(sorted(MISSING))
    missing = f"regexp_full_match(lower({text}), '{words}')"  # a list would be joined with all rows
    return f"case when {missing} then null else {text} end"


def blank_sql(role: str, cell: str) -> str:
    """SQL that is true where a cell holds nothing; evaluated only where it gave no value."""
    return f"case when {role} is null then {filled_sql(cell)} is null else false end"
