"""From cells of text to typed values, in SQL, with the checks that keep a row out."""

from __future__ import annotations

from dataclasses import dataclass, field

NO_BREAK, NARROW = "\u00a0", "\u202f"
EARLIEST, LATEST = "1970-01-01", "2200-01-01"


@dataclass(frozen=True)
class Check:
    """A condition that keeps a row out: as bad, or left out on purpose.

    Attributes
    ----------
    column
        The column of the source that is to blame.
    value
        SQL of the text to show for it.
    fails
        SQL that is true for the rows that are kept out; it may use the canonical columns.
    """

    column: str
    value: str
    fails: str
    reason: str
    left_out: bool = False


@dataclass
class Conversion:
    """The canonical columns of one input as SQL over its cells, and the checks in order.

    Attributes
    ----------
    two_sheets
        Whether the rows from where the dates step back are a second sheet that repeats a part of
        the first.
    """

    columns: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    two_sheets: bool = False


def trimmed_sql(cell: str) -> str:
    """SQL of a cell without the blanks around it; null if nothing is left."""
    odd = f"contains({cell}, '{NO_BREAK}') or contains({cell}, e'\\t')"
    blanks = f"e' \\t\\r\\n{NO_BREAK}'"
    return f"nullif(case when {odd} then trim({cell}, {blanks}) else trim({cell}) end, '')"


def blank_sql(role: str, cell: str) -> str:
    """SQL that is true where a cell is blank; evaluated only where the cell gave no value."""
    return f"case when {role} is null then {trimmed_sql(cell)} is null else false end"


def number_sql(cell: str, decimal: str, digits: int) -> str:
    """SQL of a number with four decimals: plain, with grouped thousands, or with a currency sign.

    What is not clearly a number with this decimal separator is null: with a point as the
    separator, 12,50 is not a number, since it could mean 1250 or 12.5.
    """
    around = f"[€$£¥ {NO_BREAK}]+"
    bare = f"regexp_replace({cell}, '^{around}|{around}$', '', 'g')"
    groups = f"[{',' if decimal == '.' else '.'}'' {NO_BREAK}{NARROW}]"
    separator = "\\." if decimal == "." else ","
    pattern = f"^[-+]?(\\d+|\\d{{1,3}}({groups}\\d{{3}})+)?({separator}\\d+)?$"
    plain = f"replace(regexp_replace({bare}, '{groups}', '', 'g'), ',', '.')"
    kind = f"decimal({digits}, 4)"
    careful = f"case when regexp_matches({bare}, '{pattern}') then try_cast({plain} as {kind}) end"
    quick = cell if decimal == "." else f"replace({cell}, ',', '.')"
    unclear = "false" if decimal == "." else f"contains({cell}, '.')"
    cast = f"try_cast({quick} as {kind})"
    return f"case when {cast} is null or {unclear} then {careful} else {cast} end"
