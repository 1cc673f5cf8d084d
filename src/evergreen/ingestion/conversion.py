"""From text to the canonical columns, in SQL, with a reason for each cell that can't be one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evergreen.core.events.transactions import missing

if TYPE_CHECKING:
    from evergreen.ingestion.dates import DateFormat

MAX_CHARS = 131_072
NO_BREAK, NARROW = "\u00a0", "\u202f"
EARLIEST, LATEST = "1970-01-01", "2200-01-01"


@dataclass(frozen=True)
class Check:
    """A condition that keeps a row out: as bad, or because it is not meant (left out).

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
    """The canonical columns of one part as SQL over its cells, and the checks in order."""

    columns: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)


def trimmed_sql(raw: str) -> str:
    """SQL of a cell without the blanks around it; null where nothing is left."""
    odd = f"contains({raw}, '{NO_BREAK}') or contains({raw}, e'\\t')"
    blanks = f"e' \\t\\r\\n{NO_BREAK}'"
    return f"nullif(case when {odd} then trim({raw}, {blanks}) else trim({raw}) end, '')"


def _blank_sql(role: str, raw: str) -> str:
    """SQL that is true where a cell is blank; it is looked into only where it made nothing."""
    return f"case when {role} is null then {trimmed_sql(raw)} is null else false end"


def number_sql(raw: str, decimal: str, digits: int) -> str:
    """SQL of a number with four decimals; with thousands in groups, with a currency sign, or plain.

    What is not clearly a number with this decimal separator is null: with a point as the
    separator, 12,50 is not a number, since it could mean 1250 or 12.5.
    """
    around = f"[€$£¥ {NO_BREAK}]+"
    bare = f"regexp_replace({raw}, '^{around}|{around}$', '', 'g')"
    groups = f"[{',' if decimal == '.' else '.'}'' {NO_BREAK}{NARROW}]"
    sign = "\\." if decimal == "." else ","
    pattern = f"^[-+]?(\\d+|\\d{{1,3}}({groups}\\d{{3}})+)?({sign}\\d+)?$"
    plain = f"replace(regexp_replace({bare}, '{groups}', '', 'g'), ',', '.')"
    kind = f"decimal({digits}, 4)"
    careful = f"case when regexp_matches({bare}, '{pattern}') then try_cast({plain} as {kind}) end"
    quick = raw if decimal == "." else f"replace({raw}, ',', '.')"
    unclear = "false" if decimal == "." else f"contains({raw}, '.')"
    cast = f"try_cast({quick} as {kind})"
    return f"case when {cast} is null or {unclear} then {careful} else {cast} end"


def require_text(made: Conversion, role: str, header: str, raw: str) -> None:
    """A column that must hold something."""
    made.columns[role] = trimmed_sql(raw)
    made.checks.append(Check(header, raw, f"{role} is null", missing(role).reason))
    limit_text(made, role, header, raw)


def limit_text(made: Conversion, role: str, header: str, raw: str) -> None:
    """No cell goes on for longer than any text that was meant."""
    too_long = f"{role} has more than {MAX_CHARS:,} characters"
    made.checks.append(Check(header, raw, f"length({role}) > {MAX_CHARS}", too_long))


def require_date(
    made: Conversion, role: str, header: str, raw: str, how: DateFormat, *, called: str
) -> None:
    """A column that must hold a date, with or without a time; reasons call it by a name."""
    made.columns[role] = how.sql(raw)
    out = f"not ({role} >= timestamp '{EARLIEST}' and {role} < timestamp '{LATEST}')"
    made.checks += [
        Check(header, raw, _blank_sql(role, raw), f"{called} is missing"),
        Check(header, raw, f"{role} is null", f"{called} is not a date in the format {how}"),
        Check(header, raw, out, f"{called} is not between 1970 and 2200"),
    ]


def add_number(
    made: Conversion, role: str, header: str, raw: str, decimal: str, *, required: bool
) -> None:
    """A column that holds a number; the reasons say what was expected.

    An amount has up to 18 digits before its decimals, a price and a quantity 12: so all products
    are exact.
    """
    made.columns[role] = number_sql(raw, decimal, 22 if role == "amount" else 16)
    unread = f"{role} is null and not ({_blank_sql(role, raw)})"
    reason = f"{role} is not a number with decimal separator '{decimal}'"
    if required:
        made.checks.append(Check(header, raw, _blank_sql(role, raw), f"{role} is missing"))
    made.checks.append(Check(header, raw, unread, reason))
