"""Lines of a file that are not rows: blank and ruled ones, repeated headers, totals and footers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evergreen.ingestion.ingestion_report import EXCLUDED
from evergreen.ingestion.staging import MALFORMED
from evergreen.store import sql

if TYPE_CHECKING:
    import duckdb

    from evergreen.ingestion.inputs import Input

END_LINES = 20
"""Totals and footers are looked for among so many last lines."""
BLANK_LINE = r"[\s;,|\"\x{a0}]*"
RULED_LINE = r"[-=_+|*.:\s]*(---|===|___)[-=_+|*.:\s]*"
SUBTOTAL = r"[\s|]*\*+[\s|]*[-+0-9.,\s|]*"
SUBTOTAL_OF = r"[\s|]*[Tt]otal [^|]*\|[-+($€£0-9.,)\s|]*"
HEADING = r"\s*[^|\d]*\pL[^|\d]*[\s|]*"
TOTALS = frozenset(
    """
    total totals subtotal subtotals sub-total sum sums grandtotal overall gesamt summe gesamtsumme
    gesamtbetrag zwischensumme endsumme totaal totaux somme totale totali suma suma-total razem
    yhteensä summa totalt toplam итого
    """.split()  # noqa: SIM905 - a list would have a line for each
) | {"grand total", "sub total", "overall total", "total general", "total général", "suma total"}
FOOTER = re.compile(
    r"\W*(end of (the )?(report|file|document|list|data|export)|ende der (liste|datei)"
    r"|\(?\d[\d., ]* ?(rows?|records?|lines?|entries|zeilen|datensätze|lignes)\b.{0,40}"
    r"|\d* ?record\(s\) .{0,40}|seller id ?:.{0,80}"
    r"|.{6,60} - (accrual|cash) basis"
    r"|(report )?(generated|created|printed|exported|erstellt) (on|at|by|am|von)\b.{0,80})\W*",
    re.IGNORECASE,
)
_NO_CLIENT = "client_id is null and timestamp is null"
_NUMERIC = re.compile(r"\W*([^\W\d_]{1,3}\W*)?\d[\d\s.,'()+-]*(\W*[^\W\d_]{1,3})?\W*")


def exclude_non_rows(con: duckdb.DuckDBPyConnection, number: int, rows: Input, cells: str) -> None:
    """Mark the lines of an input that can be told not to be rows as excluded.

    Bad rows at its end that may be a footer get a reason that names the setting. Good rows are
    left alone, except one of totals: its client is a word such as Total, and its amount the sum.

    Parameters
    ----------
    cells
        SQL of the input: its columns, ``line`` and ``malformed``.
    """
    if rows.footer:
        con.execute(
            "insert into incoming (input, line, status, malformed) "
            f"select {number}, unnest({list(rows.footer)}), {MALFORMED}, '{EXCLUDED}footer'"
        )
    if not rows.in_lines:
        return
    [(last,)] = con.sql(f"select max(line) from incoming where input = {number}").fetchall()
    if last is None:
        return
    _exclude_totals(con, number, rows, last)
    bad = (
        "select line from incoming left join checks using (input, status) "
        f"where input = {number} and status >= {MALFORMED} and coalesce(bad, true)"
    )
    [(some_bad,)] = con.sql(f"select exists({bad})").fetchall()
    if some_bad:
        _exclude_told(con, number, rows, f"from ({cells}) where line in ({bad})")
        _exclude_footers(con, number, rows, f"from ({cells}) where line in ({bad})", last)


def _exclude_totals(con: duckdb.DuckDBPyConnection, number: int, rows: Input, last: int) -> None:
    """Exclude rows at the end whose amount is the sum of all above, without a client or a date."""
    if not _has_amounts(con):
        return
    words = ", ".join(map(sql.literal, sorted(TOTALS)))
    candidates = con.sql(
        f"""
        select line, amount_minor from incoming
        where input = {number} and line > {last - END_LINES} and amount_minor != 0
            and ({_NO_CLIENT}
                 or lower(trim(client_id, ' :*')) in ({words}))
        """
    ).fetchall()
    for line, amount in candidates:
        [(total,)] = con.sql(
            "select sum(amount_minor) from incoming "
            f"where input = {number} and status = 0 and line < {line}"
        ).fetchall()
        if total == amount:
            _exclude(con, number, f"line = {line}", "footer")
            rows.notices.append(f"{rows.name}: line {line} holds the total, and is excluded")


def _exclude(con: duckdb.DuckDBPyConnection, number: int, where: str, kind: str) -> None:
    con.execute(
        f"update incoming set status = {MALFORMED}, malformed = '{EXCLUDED}{kind}' "
        f"where input = {number} and {where}"
    )


def _exclude_told(con: duckdb.DuckDBPyConnection, number: int, rows: Input, bad: str) -> None:
    """Exclude bad rows that are blank, ruled, headings, subtotals, or the header once more."""
    without_content = (
        f"select line from incoming where input = {number} and malformed is null "
        "and timestamp is null"
        if _has_amounts(con)
        else "select -1"
    )
    width = len(rows.headers)
    equal = " + ".join(
        f"(trim(coalesce(c{i}, '')) = {sql.literal(text)})::int" if text else "0"
        for i, text in enumerate(rows.headers)
    )
    header = f"{equal} > {width / 2}"
    texts = ", ".join(f"coalesce(c{i}, '')" for i in range(width))
    whole = f"concat_ws('|', {texts})"
    con.execute(
        f"""
        update incoming set status = {MALFORMED}, malformed = '{EXCLUDED}' || told.kind
        from (
            select line,
                   case when regexp_full_match({whole}, '{BLANK_LINE}') then 'blank line'
                        when regexp_full_match({whole}, '{RULED_LINE}') then 'ruled line'
                        when regexp_full_match({whole}, '{SUBTOTAL}') then 'subtotal'
                        when {header} then 'repeated header'
                        when not line in ({without_content}) then null
                        when regexp_full_match({whole}, '{SUBTOTAL_OF}') then 'subtotal'
                        when regexp_full_match({whole}, '{HEADING}') then 'heading' end as kind
            {bad}
        ) as told
        where input = {number} and incoming.line = told.line and told.kind is not null
        """
    )


def _exclude_footers(
    con: duckdb.DuckDBPyConnection, number: int, rows: Input, bad: str, last: int
) -> None:
    """Exclude the footers among the bad rows at the end; name the setting for the others."""
    cells = ", ".join(f"c{i}" for i in range(len(rows.headers)))
    excluded = f"input = {number} and starts_with(malformed, '{EXCLUDED}')"
    ends = con.sql(
        f"select line, {cells} {bad} and line > {last - END_LINES} "
        f"and line not in (select line from incoming where {excluded}) order by line desc"
    ).fetchall()
    [(last_good,)] = con.sql(
        f"select max(line) from incoming where input = {number} and status <= 0"
    ).fetchall()
    unclear = []
    for line, *texts in ends:
        if last_good is None or line < last_good:
            break
        if is_footer([text.strip() for text in texts if text and text.strip()]):
            _exclude(con, number, f"line = {line}", "footer")
            rows.notices.append(f"{rows.name}: line {line} is a footer, and is excluded")
        else:
            unclear.append(line)
    if unclear:
        _name_the_setting(con, number, unclear, last)


def _name_the_setting(
    con: duckdb.DuckDBPyConnection, number: int, unclear: list[int], last: int
) -> None:
    """Name `skip_footer` in the reason of rows of another width, or of a last sum of its own."""
    of_another_width = "coalesce(malformed like '% cells, the header has %', false)"
    own_sum = (
        f"line = {max(unclear)} and malformed is null and {_NO_CLIENT} and amount_minor is not null"
        if _has_amounts(con)
        else "false"
    )
    lines = con.sql(
        f"select line from incoming where input = {number} and line in {(*unclear, 0)} "
        f"and ({of_another_width} or {own_sum})"
    ).fetchall()
    if not lines:
        return
    hint = f"not a row; if it is a footer, set `skip_footer: {last - min(lines)[0] + 1}`: "
    con.execute(
        f"""
        update incoming set status = {MALFORMED}, malformed = {sql.literal(hint)} || coalesce(
            malformed, (select reason from checks
                        where checks.input = incoming.input and checks.status = incoming.status))
        where input = {number} and line in {(*(line for (line,) in lines), 0)}
        """
    )


def _has_amounts(con: duckdb.DuckDBPyConnection) -> bool:
    columns = con.execute("describe incoming").fetchall()
    return any(name == "amount_minor" for name, *_ in columns)


def is_footer(cells: list[str]) -> bool:
    """Whether the cells of a line that are not blank are those of totals or of a footer.

    >>> is_footer(["Grand Total:", "1,234.50"]), is_footer(["-- End of report --"])
    (True, True)
    >>> is_footer(["Total", "Ann"]), is_footer(["1234", "2024-01-31"])
    (False, False)
    """
    if not cells:
        return False
    word = cells[0].strip(" :*").lower()
    if word in TOTALS and all(map(_NUMERIC.fullmatch, cells[1:])):
        return True
    return FOOTER.fullmatch(" ".join(cells)) is not None
